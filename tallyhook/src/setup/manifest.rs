//! What an App is to be, as GitHub reads it, and where GitHub takes it.

use github::client::{APP_EVENTS, APP_PERMISSIONS};
use serde_json::json;
use url::{Url, form_urlencoded};

/// GitHub's own bounds on names of Apps and of organisations.
const NAME_LETTERS_MAX: usize = 34;
const LOGIN_LETTERS_MAX: usize = 39;

/// What somebody wants.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) hook_url: String,
    /// Empty: one's own App.
    pub(super) organization: String,
}

impl Wanted {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.name.is_empty() || self.name.chars().count() > NAME_LETTERS_MAX {
            return Err("An App's name has 1 to 34 letters; no other App of GitHub's has it.");
        }
        let is_login = self.organization.len() <= LOGIN_LETTERS_MAX
            && self.organization.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_login {
            return Err("An organisation's name has letters, digits and hyphens.");
        }
        match Url::parse(&self.hook_url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => Ok(()),
            _ => Err("Deliveries are sent to an address such as https://tallyhook.example/webhooks/github."),
        }
    }

    /// The manifest; `back` is where GitHub leads to when somebody has agreed.
    pub(super) fn manifest(&self, back: &str) -> String {
        let home = Url::parse(&self.hook_url).ok().map(|url| url.origin().ascii_serialization());
        json!({
            "name": self.name,
            "url": home,
            "hook_attributes": { "url": self.hook_url, "active": true },
            "redirect_url": back,
            "public": false,
            "default_permissions": APP_PERMISSIONS.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
            "default_events": APP_EVENTS,
        })
        .to_string()
    }

    /// Where GitHub takes it.
    pub(super) fn action(&self, web: &str, state: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
        match self.organization.as_str() {
            "" => format!("{web}/settings/apps/new?{query}"),
            organization => format!("{web}/organizations/{organization}/settings/apps/new?{query}"),
        }
    }
}

/// Where people see GitHub whose API is at this address.
pub(super) fn web_address(api_url: &str) -> Option<String> {
    let url = Url::parse(api_url).ok()?;
    if url.host_str() == Some("api.github.com") {
        return Some("https://github.com".to_owned());
    }
    Some(url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn github_takes_it_where_people_see_github() {
        for (api, web) in [
            ("https://api.github.com", "https://github.com"),
            ("https://ghe.example/api/v3", "https://ghe.example"),
            ("http://127.0.0.1:9099/", "http://127.0.0.1:9099"),
        ] {
            assert_eq!(web_address(api).as_deref(), Some(web));
        }
        let mut wanted = Wanted {
            name: "Tallyhook".to_owned(),
            hook_url: "https://a.example/webhooks/github".to_owned(),
            organization: String::new(),
        };
        assert_eq!(wanted.action("https://github.com", "s"), "https://github.com/settings/apps/new?state=s");
        wanted.organization = "guild".to_owned();
        let action = wanted.action("https://github.com", "s");
        assert_eq!(action, "https://github.com/organizations/guild/settings/apps/new?state=s");
        let manifest: serde_json::Value = serde_json::from_str(&wanted.manifest("http://b/done")).unwrap();
        assert_eq!(
            (&manifest["url"], &manifest["redirect_url"]),
            (&json!("https://a.example"), &json!("http://b/done"))
        );
        assert_eq!(manifest["default_permissions"]["contents"], "read");
    }

    #[test]
    fn what_github_would_refuse_is_refused_here() {
        let good = Wanted {
            name: "T".to_owned(),
            hook_url: "https://a/webhooks/github".to_owned(),
            organization: "guild-1".to_owned(),
        };
        assert_eq!(good.check(), Ok(()));
        for bad in [
            Wanted { name: String::new(), ..good.clone() },
            Wanted { name: "n".repeat(35), ..good.clone() },
            Wanted { organization: "a/b".to_owned(), ..good.clone() },
            Wanted { hook_url: "javascript:1".to_owned(), ..good.clone() },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
