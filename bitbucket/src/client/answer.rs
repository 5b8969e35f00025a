//! What comes back from a question, by what the caller does next.

use std::time::Duration;

use domain::Second;

/// An answer, with Bitbucket's own second.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer<T> {
    /// Take it.
    Fresh {
        /// What was asked for.
        body: T,
        /// The answer's `Date`.
        date: Second,
    },
    /// This one thing is not to be had: gone, private, forbidden, not offered. Asking for other things goes on.
    Refused {
        /// The status.
        status: u16,
        /// The answer's `Date`.
        date: Second,
    },
}

impl<T> Answer<T> {
    /// The answer with its body read; `None` from `read` means that the body has another shape than `endpoint`
    /// answers with, which is worth another try.
    pub(super) fn read<U>(
        self,
        endpoint: &'static str,
        read: impl FnOnce(T) -> Option<U>,
    ) -> Result<Answer<U>, AskError> {
        match self {
            Answer::Refused { status, date } => Ok(Answer::Refused { status, date }),
            Answer::Fresh { body, date } => match read(body) {
                Some(body) => Ok(Answer::Fresh { body, date }),
                None => {
                    Err(AskError::Retry(format!("{endpoint}: the answer has another shape than expected")))
                }
            },
        }
    }
}

/// Why there is no answer. Sentences name the endpoint, never a name, a token or a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Nothing may be asked for so long; other questions get the same error without being sent.
    #[error("Bitbucket is not to be asked for {} s: {why}", after.as_secs_f32().ceil())]
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
    /// The requests of this hour are used up (429).
    #[error("the rate limit is used up")]
    Limited,
    /// It does not answer, or says that it cannot; one question at a time tries again.
    #[error("it is not available")]
    Unavailable,
}
