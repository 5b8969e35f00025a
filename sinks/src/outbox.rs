//! One account's outbox: what is due of it, and the steps of one file, each noted before the next is made.

use std::{sync::Arc, time::Duration};

use domain::{
    AccountId, EntityKey, Epoch, Millis, RowKey, StreamKey, Version,
    entity::gists::{ATTEMPT_LASTS_MS, Gists, Item, SEARCHES, Sending},
    event::{SendingNote, SendingStep},
};
use tracing::{error, info, warn};
use view_store::ViewStore;

use crate::{
    Metrics, SinkSettings,
    append::{Appender, StepError, epoch, now},
    sink::{Activity, Search, SendOutcome, Sink},
    texts::{NoText, Texts},
};

/// What the steps are made with.
pub(crate) struct Outbox {
    pub(crate) store: Arc<dyn ViewStore>,
    pub(crate) appender: Appender,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) texts: Texts,
    pub(crate) metrics: Metrics,
    pub(crate) settings: SinkSettings,
}

/// What came of an account's turn.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Nothing is due any more before this moment on our clock; `None`: nothing is left.
    Done(Option<Millis>),
    /// The sink is not to be asked for so long, whoever's files they are.
    Closed(Duration),
    /// A file could not be read now.
    Later(Duration),
}

/// What came of a step.
enum Next {
    Again,
    Turn(Turn),
}

/// A file of an account.
struct File {
    stream: StreamKey,
    gist: String,
    item: Item,
}

impl File {
    fn note(&self, step: SendingStep) -> SendingNote {
        SendingNote { gist: self.gist.clone(), filename: self.item.filename.clone(), step }
    }

    /// By which it is found at the sink.
    fn marker(&self) -> String {
        format!("gist:{}#{}", self.gist, self.item.filename)
    }
}

impl Outbox {
    /// Works off what is due of an account.
    pub(crate) async fn work(&self, account: AccountId) -> Result<Turn, StepError> {
        let stream = StreamKey::Account(account);
        let epoch = epoch(&*self.store).await?;
        loop {
            let gists = self.gists(stream).await?;
            let Some((due, file)) = self.first(stream, &gists) else { return Ok(Turn::Done(None)) };
            if due > now() {
                return Ok(Turn::Done(Some(due)));
            }
            let next = match &file.item.sending {
                Sending::Attempted { at, at_ms, searches, .. } if *searches < SEARCHES => {
                    self.search(&file, (*at, *at_ms), epoch).await?
                }
                Sending::Attempted { attempts, at, .. } => self.attempt(&file, *attempts, *at, epoch).await?,
                Sending::Waiting { attempts, .. } => {
                    self.attempt(&file, *attempts, Version::NONE, epoch).await?
                }
                _ => Next::Again,
            };
            if let Next::Turn(turn) = next {
                return Ok(turn);
            }
        }
    }

    async fn gists(&self, stream: StreamKey) -> Result<Gists, StepError> {
        let row = self.store.get(&RowKey::Entity(stream, EntityKey::Gists)).await?;
        let gists = row.map(|row| Gists::decode(&row.value)).transpose();
        let gists = gists.map_err(|error| StepError::Stop(format!("a row cannot be read: {error}")))?;
        Ok(gists.unwrap_or_default())
    }

    /// The file that is due first; of several the one that was seen first.
    fn first(&self, stream: StreamKey, gists: &Gists) -> Option<(Millis, File)> {
        let mut first: Option<((Millis, Version), File)> = None;
        for (id, gist) in &gists.gists {
            for item in &gist.items {
                let Some(due) = self.due(&item.sending) else { continue };
                let order = (due, gist.first_seen);
                if first.as_ref().is_none_or(|(known, _)| order < *known) {
                    first = Some((order, File { stream, gist: id.clone(), item: item.clone() }));
                }
            }
        }
        first.map(|((due, _), file)| (due, file))
    }

    /// When there is something to do about a file.
    fn due(&self, sending: &Sending) -> Option<Millis> {
        match sending {
            Sending::Attempted { at_ms, searches: 0, not_before, .. } => {
                let wait_ms = i64::try_from(self.settings.unknown_wait.as_millis()).unwrap_or(i64::MAX);
                Some(at_ms.plus(wait_ms).max(*not_before))
            }
            other => other.due(),
        }
    }

    /// Reads the text, notes the attempt, calls, notes the outcome.
    async fn attempt(
        &self,
        file: &File,
        attempts: u32,
        former: Version,
        epoch: Epoch,
    ) -> Result<Next, StepError> {
        let note = match self.texts.read(&file.item.raw_url).await {
            Ok(text) => text,
            Err(NoText::Later(sentence)) => {
                warn!(sentence, "a file is sent later");
                return Ok(Next::Turn(Turn::Later(self.settings.retry_pause)));
            }
            Err(NoText::Never(reason)) => {
                error!(reason, "a file cannot be sent; see `tallyhook outbox`");
                let refused = SendingStep::Refused { attempt: former, reason };
                self.step(file, refused, epoch).await?;
                return Ok(Next::Again);
            }
        };
        let began =
            self.appender.step(file.stream, file.note(SendingStep::Began { after: attempts }), epoch).await?;
        if !self.is_ours(file, began.version).await? {
            // Another process was first.
            return Ok(Next::Again);
        }
        if now() > began.said.plus(ATTEMPT_LASTS_MS) {
            // Whoever finds the attempt may take it for one whose outcome is unknown by now.
            let not_sent = SendingStep::NotSent { attempt: began.version, not_before: now() };
            self.step(file, not_sent, epoch).await?;
            return Ok(Next::Again);
        }
        let activity = Activity { subject: file.item.filename.clone(), note, marker: file.marker() };
        let outcome = self.sink.send(&activity).await;
        self.ended(file, began.version, outcome, epoch).await
    }

    /// Whether the attempt that is folded is this one.
    async fn is_ours(&self, file: &File, attempt: Version) -> Result<bool, StepError> {
        let gists = self.gists(file.stream).await?;
        let items = gists.gists.get(&file.gist).map(|gist| gist.items.as_slice()).unwrap_or_default();
        let item = items.iter().find(|item| item.filename == file.item.filename);
        Ok(item.is_some_and(|item| matches!(item.sending, Sending::Attempted { at, .. } if at == attempt)))
    }

    async fn ended(
        &self,
        file: &File,
        attempt: Version,
        outcome: SendOutcome,
        epoch: Epoch,
    ) -> Result<Next, StepError> {
        let count = |outcome: &str| self.metrics.calls.with_label_values(&[outcome]).inc();
        match outcome {
            SendOutcome::Made => {
                count("made");
                self.step(file, SendingStep::Sent { attempt }, epoch).await?;
                Ok(Next::Again)
            }
            SendOutcome::NotMade { wait, sentence } => {
                count("not_made");
                warn!(wait_s = wait.as_secs(), sentence, "nothing is sent for a while");
                let not_sent = SendingStep::NotSent { attempt, not_before: after(wait) };
                self.step(file, not_sent, epoch).await?;
                Ok(Next::Turn(Turn::Closed(wait)))
            }
            SendOutcome::Unknown { sentence } => {
                count("unknown");
                warn!(sentence, "it is not known whether a file was sent; it will be looked for");
                // It waits; others are sent once the sink had a moment.
                Ok(Next::Turn(Turn::Closed(self.settings.retry_pause)))
            }
            SendOutcome::Refused { reason } => {
                count("refused");
                error!(reason, "a file is not taken; see `tallyhook outbox`");
                self.step(file, SendingStep::Refused { attempt, reason }, epoch).await?;
                Ok(Next::Again)
            }
        }
    }

    /// Looks for a file whose sending came to an unknown end.
    async fn search(
        &self,
        file: &File,
        (attempt, at_ms): (Version, Millis),
        epoch: Epoch,
    ) -> Result<Next, StepError> {
        let count = |outcome: &str| self.metrics.calls.with_label_values(&[outcome]).inc();
        match self.sink.find(&file.marker(), at_ms).await {
            Search::Found => {
                count("found");
                info!("a file whose sending came to an unknown end is there");
                self.step(file, SendingStep::Sent { attempt }, epoch).await?;
                Ok(Next::Again)
            }
            Search::NotFound => {
                count("not_found");
                let not_before = after(self.settings.unknown_wait);
                self.step(file, SendingStep::NotFound { attempt, not_before }, epoch).await?;
                Ok(Next::Again)
            }
            Search::Later { wait, sentence } => {
                warn!(wait_s = wait.as_secs(), sentence, "a file is looked for later");
                Ok(Next::Turn(Turn::Closed(wait)))
            }
        }
    }

    async fn step(&self, file: &File, step: SendingStep, epoch: Epoch) -> Result<(), StepError> {
        self.appender.step(file.stream, file.note(step), epoch).await.map(drop)
    }
}

/// A moment on our clock so much later than now.
fn after(wait: Duration) -> Millis {
    now().plus(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
}
