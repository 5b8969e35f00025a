//! What comes back from a question, by what the caller does next.

use std::time::Duration;

use domain::Second;

use super::links::Links;

/// How a question is put.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The `ETag` of the answer that is known already: an unchanged one is not sent again, and costs
    /// nothing where a token is used.
    pub etag: Option<&'a str>,
    /// Our own second; stands in for the answer's `Date` where it has none that can be read.
    pub now: Second,
}

impl Asking<'_> {
    /// A question to which nothing is known yet.
    pub fn anew(now: Second) -> Self {
        Asking { etag: None, now }
    }
}

/// An answer. Each carries the forge's own second, by which it is ordered among other facts.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer<T> {
    /// Take it.
    Fresh(Fresh<T>),
    /// What is known is still so (304).
    NotModified {
        /// The answer's `Date`.
        date: Second,
    },
    /// The repository has no commits (409).
    Empty {
        /// The answer's `Date`.
        date: Second,
    },
    /// This one thing is not to be had: gone, hidden, forbidden, not offered (403, 404, 410, 422, 451,
    /// 501 and the like). Asking for other things goes on.
    Refused {
        /// The status.
        status: u16,
        /// The answer's `Date`.
        date: Second,
        /// GitHub's own sentence about it, shortened.
        message: Option<String>,
    },
}

/// An answer with a body.
#[derive(Debug, Clone, PartialEq)]
pub struct Fresh<T> {
    /// What was asked for.
    pub body: T,
    /// For the next [`Asking`]. One of a list's page says nothing about its other pages.
    pub etag: Option<String>,
    /// Where further pages are.
    pub links: Links,
    /// The answer's `Date`.
    pub date: Second,
    /// Where the answer was found, after redirects.
    pub url: String,
}

impl<T> Answer<T> {
    /// The forge's second.
    pub fn date(&self) -> Second {
        match self {
            Answer::Fresh(fresh) => fresh.date,
            Answer::NotModified { date } | Answer::Empty { date } | Answer::Refused { date, .. } => *date,
        }
    }

    /// The answer with its body read; `None` from `read` means that the body has another shape than
    /// `endpoint` answers with, which is worth another try.
    pub(crate) fn read<U>(
        self,
        endpoint: &'static str,
        read: impl FnOnce(&Fresh<T>) -> Option<U>,
    ) -> Result<Answer<U>, AskError> {
        Ok(match self {
            Answer::Fresh(fresh) => {
                let body = read(&fresh).ok_or_else(|| {
                    AskError::Retry(format!("{endpoint}: the answer has another shape than expected"))
                })?;
                let Fresh { etag, links, date, url, .. } = fresh;
                Answer::Fresh(Fresh { body, etag, links, date, url })
            }
            Answer::NotModified { date } => Answer::NotModified { date },
            Answer::Empty { date } => Answer::Empty { date },
            Answer::Refused { status, date, message } => Answer::Refused { status, date, message },
        })
    }
}

/// Why there is no answer. Sentences name the endpoint, never a name, a token or a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Nothing may be asked for so long; other questions get the same error without being sent.
    #[error("GitHub is not to be asked for {} s: {why}", after.as_secs_f32().ceil())]
    Wait {
        /// From now.
        after: Duration,
        /// Why.
        why: WaitWhy,
    },
    /// Ask again, backing off: no connection, a server's error, a broken or strange answer.
    #[error("{0}")]
    Retry(String),
    /// Asking again does not help; an operator must change the token or the settings.
    #[error("{0}")]
    Final(String),
}

/// Why nothing may be asked for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum WaitWhy {
    /// The requests of this hour are used up, or this process's part of them.
    #[error("the hourly rate limit, or the part of it that is this process's, is used up")]
    Primary,
    /// What is left of this hour is kept for the repair of what readers see.
    #[error("what is left of the hourly rate limit is kept for repair")]
    Reserved,
    /// Too many at once, or too fast.
    #[error("it asked to slow down (secondary rate limit)")]
    Secondary,
    /// It does not answer, or says that it cannot; one question at a time tries again.
    #[error("it is not available")]
    Unavailable,
}
