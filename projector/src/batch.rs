//! One batch of records on its way through the working set.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    AccountId, Epoch, Event, Row, RowKey, Stamp, StreamKey, Version,
    codec::DecodeError,
    delivery::Outcome,
    record::{BASE, BITBUCKET_DELIVERY, COPIED_VERSION, ERASED, GITHUB_DELIVERY},
    service::{self, LatestFold},
    trail::Source,
};
use event_log::{Position, Record};
use github::headers;
use tokio_util::sync::CancellationToken;
use tracing::error;
use view_store::ViewStore;

use crate::{
    Stopped,
    dead_letters::DeadLetters,
    fold::{self, Said, Unfoldable},
    metrics::Metrics,
    retry::until_done,
    working_set::WorkingSet,
};

/// What the fold works with.
pub(crate) struct Folder<'a> {
    pub(crate) store: &'a dyn ViewStore,
    pub(crate) working_set: &'a mut WorkingSet,
    pub(crate) dead_letters: &'a mut DeadLetters,
    pub(crate) metrics: &'a Metrics,
    pub(crate) epoch: Epoch,
    pub(crate) shutdown: &'a CancellationToken,
}

/// What came of a batch.
#[derive(Default)]
pub(crate) struct Folded {
    /// Accounts whose ledgers may have something to write.
    pub(crate) accounts: BTreeSet<AccountId>,
    /// Rows that belong to no ledger.
    pub(crate) rows: Vec<Row>,
    /// The version of the last record of each partition.
    pub(crate) last: BTreeMap<u32, Version>,
    /// What came of each delivery: its place among the records, its version and the outcome.
    pub(crate) deliveries: Vec<(usize, Version, Outcome)>,
}

/// The record during which the fold panicked; the ledgers of the batch are not to be trusted.
struct Poisoned(Position, Unfoldable);

impl Folder<'_> {
    /// Folds all records, in order. A record that cannot be folded becomes a dead letter.
    pub(crate) async fn fold(&mut self, records: &[(Position, Record)]) -> Result<Folded, Stopped> {
        let mut poisoned: BTreeMap<Position, Unfoldable> = BTreeMap::new();
        loop {
            match self.attempt(records, &mut poisoned).await? {
                Ok(folded) => return Ok(folded),
                Err(Poisoned(position, reason)) => {
                    poisoned.insert(position, reason);
                    self.forget_batch(records);
                }
            }
        }
    }

    /// Nothing of this batch is written yet: its ledgers are loaded again. Views that an earlier batch had
    /// put off are touched again when the batch is folded anew, because its records touch their accounts.
    fn forget_batch(&mut self, records: &[(Position, Record)]) {
        let accounts: BTreeSet<AccountId> =
            records.iter().filter_map(|(_, record)| record.stream.account()).collect();
        for account in accounts {
            self.working_set.forget(account);
        }
    }

    async fn attempt(
        &mut self,
        records: &[(Position, Record)],
        poisoned: &mut BTreeMap<Position, Unfoldable>,
    ) -> Result<Result<Folded, Poisoned>, Stopped> {
        let mut folded = Folded::default();
        let mut service_rows = HashMap::new();
        let mut latest = None;
        for (place, (position, record)) in records.iter().enumerate() {
            let is_delivery = [GITHUB_DELIVERY, BITBUCKET_DELIVERY].contains(&record.kind.as_str());
            let version = version_of(record, *position, self.epoch);
            folded.last.insert(position.partition.0, version);
            if record.kind == BASE {
                // Of what is in the rows already.
                self.metrics.projected.with_label_values(&["base"]).inc();
                continue;
            }
            let said = match poisoned.get(position) {
                Some(Unfoldable(reason)) => Err(Unfoldable(reason.clone())),
                None => fold::read(record, version),
            };
            let said = match said {
                Ok(said) => said,
                Err(Unfoldable(reason)) => {
                    self.bury(record, *position, version, reason, &mut folded).await?;
                    if is_delivery {
                        folded.deliveries.push((place, version, Outcome::Dead));
                    }
                    continue;
                }
            };
            if record.kind == ERASED {
                self.metrics.projected.with_label_values(&[said.result]).inc();
                continue;
            }
            match record.stream {
                StreamKey::Account(account) if said.events == [Event::Forgotten] => {
                    self.forget(account, &said.stamp, &mut folded).await?;
                }
                StreamKey::Service => {
                    self.keep_notes(record.stream, &said, &mut folded);
                    self.fold_service(&said, &mut service_rows, &mut folded).await?;
                    if let Err(reason) = self.fold_latest(&said, &mut latest).await? {
                        return Ok(Err(Poisoned(*position, reason)));
                    }
                }
                StreamKey::Account(account) => {
                    self.working_set.load(account, self.store, self.shutdown).await?;
                    let Some(ledger) = self.working_set.get(account) else { continue };
                    if let Err(reason) =
                        fold::guarded(|| ledger.evolve_from(&said.stamp, source_of(record), &said.events))
                    {
                        return Ok(Err(Poisoned(*position, reason)));
                    }
                    // How far work for an account got is not kept of one that is forgotten.
                    let has_notes = said.cursors.is_empty() || !ledger.account().is_forgotten();
                    folded.accounts.insert(account);
                    if has_notes {
                        self.keep_notes(record.stream, &said, &mut folded);
                    }
                }
            }
            self.metrics.projected.with_label_values(&[said.result]).inc();
            if is_delivery && let Some(outcome) = Outcome::named(said.result) {
                folded.deliveries.push((place, version, outcome));
            }
        }
        // Once for all records of the batch: rendering takes longer than folding.
        folded.rows.extend(latest.iter().flat_map(LatestFold::rows));
        Ok(Ok(folded))
    }

    /// Cursors and the ends of dead letters: rows that stand alone.
    fn keep_notes(&mut self, stream: StreamKey, said: &Said<'_>, folded: &mut Folded) {
        let version = said.stamp.version;
        folded.rows.extend(said.cursors.iter().map(|note| Row {
            key: RowKey::Cursor(stream, note.kind.to_string()),
            version,
            value: note.value.as_bytes().to_vec().into(),
        }));
        for event in &said.events {
            if let Event::DeadLetterEnded { version: ended } = event {
                folded.rows.push(self.dead_letters.end(stream, *ended, version));
            }
        }
    }

    async fn fold_service(
        &mut self,
        said: &Said<'_>,
        known: &mut HashMap<RowKey, Row>,
        folded: &mut Folded,
    ) -> Result<(), Stopped> {
        for event in &said.events {
            match event {
                Event::LoginsForgotten(forgotten) => {
                    self.forget_logins(forgotten, &said.stamp, known, folded).await?;
                }
                Event::LoginRemembered(login) => {
                    let row = Row::erased(service::forgotten_login(*login), said.stamp.version);
                    known.insert(row.key.clone(), row.clone());
                    folded.rows.push(row);
                }
                _ => {}
            }
            let Some(key) = service::touched(event) else { continue };
            if let Some(forgotten) = service::is_unheard(event)
                && self.row(&forgotten, known).await?.is_some_and(|row| row.version <= said.stamp.version)
            {
                continue;
            }
            let row = self.row(&key, known).await?;
            let rows =
                service::evolve(row.as_ref(), &said.stamp, event).map_err(|error| unreadable(&error))?;
            for row in rows {
                if row.key == key {
                    known.insert(key.clone(), row.clone());
                }
                folded.rows.push(row);
            }
        }
        Ok(())
    }

    /// A row as this batch has left it.
    async fn row(&self, key: &RowKey, known: &HashMap<RowKey, Row>) -> Result<Option<Row>, Stopped> {
        let row = match known.get(key) {
            Some(row) => Some(row.clone()),
            None => until_done("reading a row", self.shutdown, || self.store.get(key)).await?,
        };
        Ok(row.filter(|row| !row.is_erased()))
    }

    /// The newest public repositories, which are read once for a batch.
    async fn fold_latest(
        &mut self,
        said: &Said<'_>,
        fold: &mut Option<LatestFold>,
    ) -> Result<Result<(), Unfoldable>, Stopped> {
        for event in &said.events {
            let Event::Latest(reading) = event else { continue };
            let mut latest = match fold.take() {
                Some(latest) => latest,
                None => {
                    let key = LatestFold::key();
                    let row = until_done("reading a row", self.shutdown, || self.store.get(&key)).await?;
                    LatestFold::load(row.as_ref()).map_err(|error| unreadable(&error))?
                }
            };
            if let Err(reason) = fold::guarded(|| latest.evolve(reading, &said.stamp)) {
                return Ok(Err(reason));
            }
            *fold = Some(latest);
        }
        Ok(Ok(()))
    }

    /// Keeps the reason; the body stays in the log, and the account is asked about as a whole.
    async fn bury(
        &mut self,
        record: &Record,
        position: Position,
        version: Version,
        reason: String,
        folded: &mut Folded,
    ) -> Result<(), Stopped> {
        error!(
            github_delivery_id = record.id,
            position = %position,
            reason,
            "a record could not be folded; see `tallyhook dead-letters`"
        );
        self.metrics.projected.with_label_values(&["dead"]).inc();
        folded.rows.push(self.dead_letters.add(record, position, version, reason));
        if let StreamKey::Account(account) = record.stream {
            self.working_set.load(account, self.store, self.shutdown).await?;
            if let Some(ledger) = self.working_set.get(account) {
                let told = domain::Told::Delivery;
                ledger.unreadable(&Stamp { version, received_at: record.received_at, told });
            }
            folded.accounts.insert(account);
        }
        Ok(())
    }
}

pub(crate) fn unreadable(error: &DecodeError) -> Stopped {
    Stopped(format!("a row of the service cannot be read: {error}"))
}

/// What the steps that a delivery makes say of it.
fn source_of(record: &Record) -> Source<'_> {
    Source { id: &record.id, event: record.header(headers::EVENT).unwrap_or_default() }
}

/// The version under which a record is folded.
fn version_of(record: &Record, position: Position, epoch: Epoch) -> Version {
    let copied = record.header(COPIED_VERSION).and_then(|version| version.parse().ok());
    copied.map_or_else(|| Version::new(epoch, position.offset), Version::from_raw)
}
