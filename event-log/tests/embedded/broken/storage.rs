//! A disk that says "synced" and does nothing.

use std::io;

use event_log::{
    EmbeddedLog, EmbeddedLogSettings, OpenError,
    contract::power_loss::{PowerLossBackend, PowerLossDisk},
};
use redb::StorageBackend;

use crate::harness::open;

#[derive(Debug)]
struct NeverSynced(PowerLossBackend);

/// Opens a log whose acknowledgements come before anything is on the disk. Its making is synced: a log that is
/// not there at all would be noticed too easily.
pub(crate) fn open_without_syncing(disk: &PowerLossDisk) -> Result<EmbeddedLog, OpenError> {
    drop(open(disk)?);
    EmbeddedLog::with_backend(NeverSynced(disk.backend()), "the disk", EmbeddedLogSettings::default())
}

impl StorageBackend for NeverSynced {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}
