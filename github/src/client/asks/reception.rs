//! `GET /rate_limit`: how our token stands, and what time it is there. It costs nothing.

use domain::Second;
use http::{HeaderMap, Method, header};

use crate::client::{AskError, Asking, Client, RateBudget, Request, date, limits, path::Path};

/// When the token ends, where it does: `2026-11-21 10:00:00 UTC`, or with an offset as `+0100`.
const TOKEN_ENDS: &str = "github-authentication-token-expiration";

/// How the forge receives us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reception {
    /// Whether the answer has the shape that GitHub's has.
    pub is_github: bool,
    /// The forge's time; `None` where it does not say.
    pub date: Option<Second>,
    /// When the token ends.
    pub token_ends: Option<Second>,
    /// What is left of the requests of this hour.
    pub budget: Option<RateBudget>,
}

impl Client {
    /// Asks how the forge receives us, by the first token that may be used.
    pub async fn reception(&self, asking: &Asking<'_>) -> Result<Reception, AskError> {
        let endpoint = "GET /rate_limit";
        let url = Path::new("/rate_limit").below(&self.shared.api_url);
        let url = url.ok_or_else(|| AskError::Final(format!("{endpoint}: it has no address")))?;
        let request = Request {
            method: Method::GET,
            endpoint,
            url,
            etag: None,
            json: None,
            resource: limits::CORE,
            accept: None,
            now: asking.now,
        };
        let response = self.exchange(&request).await?;
        let is_github = response.status.is_success()
            && serde_json::from_slice::<serde_json::Value>(&response.body)
                .is_ok_and(|body| body.get("resources").is_some() || body.get("rate").is_some());
        let has_date = response.headers.contains_key(header::DATE);
        Ok(Reception {
            is_github,
            date: has_date.then(|| date::of(&response.headers, asking.now)),
            token_ends: token_ends(&response.headers),
            budget: limits::budget(&response.headers),
        })
    }
}

fn token_ends(headers: &HeaderMap) -> Option<Second> {
    let text = headers.get(TOKEN_ENDS)?.to_str().ok()?;
    let mut parts = text.split_ascii_whitespace();
    let (day, time) = (parts.next()?, parts.next()?);
    let offset = match parts.next() {
        None | Some("UTC") => "Z".to_owned(),
        Some(offset) => {
            let (hours, minutes) = offset.split_at_checked(3)?;
            format!("{hours}:{minutes}")
        }
    };
    Second::parse(&format!("{day}T{time}{offset}"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_end_of_a_token_is_read_in_the_forms_that_github_writes() {
        let ends = |text: &'static str| {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(TOKEN_ENDS),
                HeaderValue::from_static(text),
            )]);
            token_ends(&headers)
        };
        let at = Second::parse("2026-11-21T10:00:00Z");
        assert_eq!(ends("2026-11-21 10:00:00 UTC"), at);
        assert_eq!(ends("2026-11-21 11:00:00 +0100"), at);
        assert_eq!(ends("2026-11-21 10:00:00"), at);
        assert_eq!(ends("never"), None);
        assert_eq!(token_ends(&HeaderMap::new()), None);
    }
}
