//! Hints between processes: a topic that everybody reads from its end, outside of groups, and nobody keeps.
//!
//! Whoever publishes gathers hints for [`GATHER_TIME`], one per row, and sends them in few messages to one partition
//! of the topic, so that they are heard in the order in which they were told: first rows, then how far they are
//! folded. Whoever follows hears all partitions. A message that may not have arrived is followed by one that says
//! so, and what Kafka no longer has counts as missed too; followers then look at everything again.
//!
//! How far partitions are folded is told again every [`FOLDED_EVERY`]: who begins to listen knows it soon.

mod gathered;
mod listener;
mod message;
mod teller;
mod topic;

use std::{sync::Arc, time::Duration};

use rdkafka::ClientConfig;

pub use self::topic::{create_topic, delete_topic};
use self::{listener::Listener, teller::Teller};
use super::{Follower, Hint, Hints, InProcessHints};

/// So long are hints gathered before they are sent: a row that changes all the time costs twenty hints a second,
/// and what is gathered is sent in few messages. Half of what a reader of our own may wait for it.
const GATHER_TIME: Duration = Duration::from_millis(50);

/// How often it is told how far partitions are folded, though nothing was: some hundred bytes.
const FOLDED_EVERY: Duration = Duration::from_secs(1);

/// The first answer of a broker; a leader that moves needs a few seconds.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(15);

/// What is told at the end, before the process goes.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(2);

/// Why hints cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum HintsError {
    /// The topic is not there.
    #[error("there is no topic {0}: run `tallyhook migrate`")]
    NoTopic(String),
    /// The brokers did not answer, or refused us.
    #[error("the topic {topic} of hints cannot be used: {cause}")]
    Unusable {
        /// Its name.
        topic: String,
        /// What the client says; no settings are in it.
        cause: String,
    },
}

/// Hints over a topic. Ends its threads when it is dropped; [`KafkaHints::close`] first sends what is gathered.
pub struct KafkaHints {
    heard: Arc<InProcessHints>,
    teller: Teller,
    _listener: Listener,
}

impl KafkaHints {
    /// Connects, and hears everything that is published after it returns. `config` says how to reach the brokers.
    ///
    /// # Errors
    /// See [`HintsError`].
    pub async fn open(config: ClientConfig, topic: &str) -> Result<KafkaHints, HintsError> {
        let topic = topic.to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            let heard = Arc::new(InProcessHints::new());
            let listener = Listener::start(&config, &topic, Arc::clone(&heard))?;
            let teller = Teller::start(&config, &topic, listener.partitions)?;
            Ok(KafkaHints { heard, teller, _listener: listener })
        });
        opened.await.expect("opening hints does not panic")
    }

    /// As [`Hints::publish`], for whoever needs the hints still.
    pub fn tell(&self, hints: &[Hint]) {
        self.teller.tell(hints);
    }

    /// Sends what is gathered, within a bound.
    pub async fn close(&self) {
        let ended = self.teller.end();
        // Hints that are not sent cost the age of a cache, never truth.
        let _ = tokio::time::timeout(CLOSE_TIME_MAX, ended).await;
    }
}

impl Hints for KafkaHints {
    fn publish(&self, hints: Vec<Hint>) {
        self.tell(&hints);
    }

    fn follow(&self) -> Box<dyn Follower> {
        self.heard.follow()
    }
}

fn unusable(topic: &str, cause: impl std::fmt::Display) -> HintsError {
    HintsError::Unusable { topic: topic.to_owned(), cause: cause.to_string() }
}
