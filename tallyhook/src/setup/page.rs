//! What people see: plain HTML, no script, nothing from elsewhere.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use query_api::escaped;

use super::manifest::Wanted;

/// A page.
pub(super) struct Page {
    status: StatusCode,
    title: String,
    /// HTML.
    body: String,
}

impl Page {
    /// A page that says why nothing is done.
    pub(super) fn refusal(status: StatusCode, title: &str, why: &str) -> Self {
        let body = format!("<p>{}</p>\n<p><a href=\"/setup\">To the setup page</a></p>", escaped(why));
        Page { status, title: title.to_owned(), body }
    }

    fn good(title: &str, body: String) -> Self {
        Page { status: StatusCode::OK, title: title.to_owned(), body }
    }

    /// As an answer. `leads_to`: where else its form may be sent.
    pub(super) fn respond(self, leads_to: Option<&str>) -> Response {
        let Page { status, title, body } = self;
        let title = escaped(&title);
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title} – Tallyhook</title>\n\
             <link rel=\"stylesheet\" href=\"/setup/style.css\">\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}\n</main>\n\
             </body>\n</html>\n"
        );
        let policy = format!(
            "default-src 'none'; style-src 'self'; form-action 'self' {}; base-uri 'none'; frame-ancestors 'none'",
            leads_to.unwrap_or_default()
        );
        let mut response =
            (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response();
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "same-origin"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(policy) = HeaderValue::try_from(policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// The first step.
pub(super) fn form(asks_token: bool, wanted: &Wanted, wrong: Option<&str>) -> Page {
    let wrong = wrong.map(|wrong| format!("<p role=\"alert\" class=\"wrong\">{}</p>\n", escaped(wrong)));
    let token = if asks_token {
        "<label for=\"admin_token\">Admin token</label>\n\
         <input id=\"admin_token\" name=\"admin_token\" type=\"password\" autocomplete=\"off\" required>\n"
    } else {
        ""
    };
    let name = if wanted.name.is_empty() { "Tallyhook" } else { &wanted.name };
    let body = format!(
        "<p>A GitHub App sends deliveries of every account that it is installed on, and each installation has hourly \
         limits of its own. GitHub makes it of what you agree to there; its key and secret go into the data folder of \
         this process, and are shown nowhere.</p>\n{}<form method=\"post\" action=\"/setup\">\n\
         <label for=\"name\">Name of the App, which no other App has</label>\n\
         <input id=\"name\" name=\"name\" maxlength=\"34\" value=\"{}\" required>\n\
         <label for=\"hook_url\">Address for deliveries, as GitHub reaches it</label>\n\
         <input id=\"hook_url\" name=\"hook_url\" type=\"url\" value=\"{}\" \
         placeholder=\"https://tallyhook.example/webhooks/github\" required>\n\
         <label for=\"organization\">Organisation that is to own it (empty: yourself)</label>\n\
         <input id=\"organization\" name=\"organization\" maxlength=\"39\" value=\"{}\">\n{token}\
         <button>Go on</button>\n</form>",
        wrong.unwrap_or_default(),
        escaped(name),
        escaped(&wanted.hook_url),
        escaped(&wanted.organization),
    );
    Page::good("Set up a GitHub App", body)
}

/// The second step, which leads to GitHub.
pub(super) fn go_on(action: &str, manifest: &str) -> Page {
    let body = format!(
        "<p>GitHub shows what the App may do: read contents, issues, metadata and pull requests, and nothing else. Agree \
         there, and GitHub leads back here.</p>\n<form method=\"post\" action=\"{}\">\n\
         <input type=\"hidden\" name=\"manifest\" value=\"{}\">\n<button>Go to GitHub</button>\n</form>",
        escaped(action),
        escaped(manifest)
    );
    Page::good("Agree at GitHub", body)
}

/// The last step.
pub(super) fn made(id: u64, html_url: &str) -> Page {
    let body = format!(
        "<p>The App {id} is made. Its key and its webhook's secret are in the data folder of this process, for nobody else \
         to read; its deliveries are verified from now on.</p>\n<ol>\n<li>Restart Tallyhook: it asks as this App from its \
         next start.</li>\n<li>{}.</li>\n</ol>",
        install_link(html_url)
    );
    Page::good("The App is made", body)
}

/// It was made before.
pub(super) fn kept(id: u64, html_url: &str) -> Page {
    let body = format!(
        "<p>The App {id} was made here, and is used since the start that followed. To make another one, delete \
         <code>github-app.json</code> in the data folder, and the App at GitHub.</p>\n<p>{}.</p>",
        install_link(html_url)
    );
    Page { status: StatusCode::CONFLICT, title: "An App is set up already".to_owned(), body }
}

fn install_link(html_url: &str) -> String {
    let is_link = html_url.starts_with("https://") || html_url.starts_with("http://");
    if !is_link {
        return "Install it at GitHub on the accounts that are to be kept".to_owned();
    }
    let link = escaped(&format!("{}/installations/new", html_url.trim_end_matches('/')));
    format!("<a href=\"{link}\">Install it</a> on the accounts that are to be kept")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_typed_is_text() {
        let wanted = Wanted {
            name: "\"><script>".to_owned(),
            hook_url: "https://a/?\"'".to_owned(),
            organization: "<b>".to_owned(),
        };
        let page = form(true, &wanted, Some("<i>"));
        for raw in ["<script>", "<b>", "<i>", "?\"'"] {
            assert!(!page.body.contains(raw), "{raw}");
        }
        assert!(page.body.contains("name=\"admin_token\""));
        assert!(!install_link("javascript:1").contains("href"));
    }
}
