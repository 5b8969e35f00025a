//! What was asked: tests assert budgets with it.

use std::collections::VecDeque;

use http::header;

use crate::model::AccountId;

/// Requests remembered at most; the oldest are forgotten first.
const REQUESTS_KEPT_MAX: usize = 200_000;

/// A request that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// `GET`
    pub method: String,
    /// As sent, without the query.
    pub path: String,
    /// As sent, without the question mark.
    pub query: String,
    /// The answer's status; `None` when the connection was closed without one.
    pub status: Option<u16>,
    /// Whether it carried `If-None-Match` or `If-Modified-Since`.
    pub conditional: bool,
    /// Whether it carried a token that is accepted.
    pub authorised: bool,
    /// Of which account's installation that token is, if it is one's.
    pub installation: Option<AccountId>,
    /// Whether it was the App that asked.
    pub as_app: bool,
    /// Whether it was counted against the hourly limit.
    pub counted: bool,
    /// What a GraphQL query took of its limit; 0 for all others.
    pub points: u64,
    /// Whether a fault had a hand in the answer.
    pub faulty: bool,
}

impl RequestRecord {
    /// A request of which nothing is known but what it says of itself.
    pub(crate) fn of(parts: &http::request::Parts) -> Self {
        RequestRecord {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            status: None,
            conditional: parts.headers.contains_key(header::IF_NONE_MATCH)
                || parts.headers.contains_key(header::IF_MODIFIED_SINCE),
            authorised: false,
            installation: None,
            as_app: false,
            counted: false,
            points: 0,
            faulty: false,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Requests(VecDeque<RequestRecord>);

impl Requests {
    pub(crate) fn add(&mut self, record: RequestRecord) {
        if self.0.len() == REQUESTS_KEPT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(record);
    }

    pub(crate) fn all(&self) -> Vec<RequestRecord> {
        self.0.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
