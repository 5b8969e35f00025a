//! A stage with one user's gists on it, a Pipedrive, and outboxes that come and go.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    AccountId, Asked, EntityKey, Event, Millis, NeedKey, RowKey, Second, StreamKey,
    entity::gists::{Gists, Sending},
    event::{GistFacts, GistFile, GistsReading, GistsWantedBy, SendingNote, SendingStep},
    need::Need,
};
use event_log::{AppendError, Appended, EventLog, Record};
use fake_pipedrive::{FakePipedrive, TOKEN};
use sinks::{Metrics, Pipedrive, PipedriveSettings, SinkSettings, Sinks, Stopped, Texts};
use testkit::{
    stage::Stage,
    watched::{WatchedLog, Watcher},
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use view_store::{Hints as _, ViewStore as _};

/// Far more than any case takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Long enough for a call on a busy machine: one that is given up and made nevertheless, after the searches for it, is
/// what an outbox cannot know of.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(3);

pub(crate) struct Bench {
    pub(crate) stage: Stage,
    pub(crate) pipedrive: FakePipedrive,
}

/// Where an outbox dies: at its append of this number, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    Before(usize),
    After(usize),
}

/// Holds the append at which the outbox is to die.
pub(crate) struct Gate {
    crash: Option<Crash>,
    appends: AtomicUsize,
    reached: watch::Sender<bool>,
}

#[async_trait]
impl Watcher for Gate {
    async fn append(&self, log: &dyn EventLog, records: Vec<Record>) -> Result<Appended, AppendError> {
        let number = self.appends.fetch_add(1, Ordering::SeqCst) + 1;
        if self.crash == Some(Crash::Before(number)) {
            self.die().await;
        }
        let appended = log.append(records).await;
        if self.crash == Some(Crash::After(number)) {
            self.die().await;
        }
        appended
    }
}

impl Gate {
    async fn die(&self) {
        self.reached.send_replace(true);
        std::future::pending::<()>().await;
    }
}

/// A running outbox; it dies when it is dropped.
pub(crate) struct Life {
    task: JoinHandle<Result<(), Stopped>>,
    pub(crate) reached: watch::Receiver<bool>,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Life {
    /// Ends it wherever it is, as kill -9 does.
    pub(crate) async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

pub(crate) const ACCOUNT: u64 = 9;

pub(crate) fn stream() -> StreamKey {
    StreamKey::Account(AccountId::github(ACCOUNT))
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let stage = Stage::new().await;
        stage.command(stream(), Millis(1), vec![Event::GistsWanted(GistsWantedBy::User)]).await;
        Bench { stage, pipedrive: FakePipedrive::start().await.unwrap() }
    }

    /// A poll shows a gist with these files; their texts are served, unless they have an address of their own.
    pub(crate) async fn show(&self, id: &str, files: &[(&str, &str)]) {
        let file = |(name, text): &(&str, &str)| GistFile {
            filename: (*name).to_owned(),
            language: None,
            size: None,
            raw_url: match text.starts_with("http") {
                true => (*text).to_owned(),
                // A name as it is in a path.
                false => self.pipedrive.serve_text(&format!("{id}-{}", name.replace([' ', '#'], "-")), *text),
            },
        };
        let facts = GistFacts {
            id: id.to_owned(),
            owner: "octo".to_owned(),
            url: String::new(),
            description: None,
            files: files.iter().map(file).collect(),
            created_at: None,
            updated_at: Second(1),
        };
        let reading =
            GistsReading { gists: vec![facts], next_ms: Millis(i64::MAX), ..GistsReading::default() };
        let asked_at = self.stage.folded().of(stream(), &*self.stage.log());
        let asked = Asked { asked_at, asked_ms: Millis(1), date: Second(1) };
        let events = vec![Event::Gists(Box::new(reading))];
        self.stage.answer(asked, Millis(1), stream(), events, Vec::new()).await;
    }

    /// A person does something about a file.
    pub(crate) async fn decide(&self, gist: &str, filename: &str, step: SendingStep) {
        let note = SendingNote { gist: gist.to_owned(), filename: filename.to_owned(), step };
        self.stage.command(stream(), Millis(1), vec![Event::GistSending(note)]).await;
    }

    pub(crate) fn start(&self) -> Life {
        self.start_until(None)
    }

    pub(crate) fn start_until(&self, crash: Option<Crash>) -> Life {
        let (reached, is_reached) = watch::channel(false);
        let gate = Gate { crash, appends: AtomicUsize::new(0), reached };
        let settings = PipedriveSettings {
            api_url: self.pipedrive.url(),
            token: TOKEN.to_owned().into(),
            call_timeout: CALL_TIMEOUT,
        };
        let sinks = Sinks {
            log: Arc::new(WatchedLog::over(self.stage.log(), gate)),
            store: Arc::new(self.stage.store()),
            hints: self.stage.hints(),
            sink: Arc::new(Pipedrive::new(&settings).unwrap()),
            texts: Texts::new(&[self.pipedrive.url()]).unwrap(),
            metrics: Metrics::register(&prometheus::Registry::new()).unwrap(),
            settings: SinkSettings {
                unknown_wait: Duration::from_millis(20),
                retry_pause: Duration::from_millis(20),
            },
            partitions: self.stage.progress().current(),
        };
        let task = tokio::spawn(sinks.listen().run(CancellationToken::new()));
        Life { task, reached: is_reached }
    }

    pub(crate) async fn sending(&self, gist: &str, filename: &str) -> Sending {
        let row = self.stage.store().get(&RowKey::Entity(stream(), EntityKey::Gists)).await.unwrap().unwrap();
        let gists = Gists::decode(&row.value).unwrap();
        let mut items = gists.gists[gist].items.iter();
        items.find(|item| item.filename == filename).unwrap().sending.clone()
    }

    /// Waits until nothing is left to send.
    pub(crate) async fn until_empty(&self) {
        self.until("nothing is left to send", async || {
            let key = RowKey::Need(stream(), NeedKey::Outbox);
            let row = self.stage.store().get(&key).await.unwrap().unwrap();
            Need::decode(&row.value).unwrap() == Need::Met
        })
        .await;
    }

    /// Waits until something that is folded holds.
    pub(crate) async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let mut follower = self.stage.hints().follow();
        let waiting = async {
            while !holds().await {
                follower.next().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}"));
    }

    /// The markers of everything that was made, in order.
    pub(crate) fn made(&self) -> Vec<String> {
        let activities = self.pipedrive.activities();
        activities.iter().map(|activity| activity.text("public_description").to_owned()).collect()
    }
}
