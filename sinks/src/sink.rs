//! The port: somewhere that files are sent to, which tells of no call whether it was made before.

use std::time::Duration;

use async_trait::async_trait;
use domain::Millis;

/// A file on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Its name.
    pub subject: String,
    /// Its text.
    pub note: String,
    /// By which it is found again.
    pub marker: String,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// It is there.
    Made,
    /// It is certain that it is not; nothing is to be sent for so long.
    NotMade {
        /// From now.
        wait: Duration,
        /// Why.
        sentence: String,
    },
    /// It may be there.
    Unknown {
        /// What happened.
        sentence: String,
    },
    /// It will never be taken as it is.
    Refused {
        /// Why.
        reason: String,
    },
}

/// What came of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// It is there.
    Found,
    /// It is not.
    NotFound,
    /// The sink does not say; nothing is to be asked for so long.
    Later {
        /// From now.
        wait: Duration,
        /// Why.
        sentence: String,
    },
}

/// Somewhere that files are sent to.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Sends one. Bounded in time.
    async fn send(&self, activity: &Activity) -> SendOutcome;

    /// Looks for the one with this marker among those that changed after a moment on our clock; the sink's may
    /// differ by minutes.
    async fn find(&self, marker: &str, since: Millis) -> Search;
}
