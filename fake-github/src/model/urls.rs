//! The hosts that URLs in payloads and answers name.

/// Two hosts, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urls {
    /// Of the API: the fake's own address, so that URLs in answers can be followed.
    pub api: String,
    /// Of pages for people. They are not served.
    pub html: String,
}

impl Default for Urls {
    fn default() -> Self {
        Urls { api: "https://api.github.com".into(), html: "https://github.com".into() }
    }
}
