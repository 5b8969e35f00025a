//! The disks of a stage whose power can be cut.

use event_log::{EmbeddedLog, EmbeddedLogSettings, contract::power_loss as of_log};
use view_store::{EmbeddedStore, EmbeddedStoreSettings, contract::power_loss as of_store};

use super::Stage;

/// Two files in memory, the log's and the store's, that forget what was not synced when the power goes.
#[derive(Clone)]
pub struct Disks {
    log: of_log::PowerLossDisk,
    store: of_store::PowerLossDisk,
}

/// What a cut leaves of writes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Everything: only the process died.
    Kept,
    /// Nothing.
    Lost,
    /// Each sector by chance, which begins here.
    Torn(u64),
}

impl Disks {
    /// Empty ones.
    #[expect(clippy::new_without_default, reason = "disks are made by tests only")]
    pub fn new() -> Self {
        Disks { log: of_log::PowerLossDisk::in_memory(), store: of_store::PowerLossDisk::new() }
    }

    /// The log and the store on them, until the next cut.
    ///
    /// # Panics
    /// When one of them refuses to open: whatever a cut leaves must be opened again.
    pub fn open(&self) -> (EmbeddedLog, EmbeddedStore) {
        let log = EmbeddedLog::with_backend(self.log.backend(), "the log", EmbeddedLogSettings::default());
        let settings = EmbeddedStoreSettings::default();
        let store = EmbeddedStore::open_backend(self.store.open(), "the store", &settings);
        (log.expect("a log opens after a cut"), store.expect("a store opens after a cut"))
    }

    /// Ends everything at this very moment, and starts it again on what is left.
    pub async fn cut(&self, stage: &Stage, cut: Cut) {
        let (log, store) = match cut {
            Cut::Kept => (of_log::Unsynced::Kept, of_store::Unsynced::Kept),
            Cut::Lost => (of_log::Unsynced::Lost, of_store::Unsynced::Lost),
            Cut::Torn(seed) => (of_log::Unsynced::Torn { seed }, of_store::Unsynced::Mixed(seed)),
        };
        self.log.crash(log).expect("memory can be read and written");
        self.store.cut_power(store);
        stage.reopen(|| self.open()).await;
    }
}
