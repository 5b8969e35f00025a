//! Erasing what records say: something else is put in their place. The only change that a record ever sees.
//!
//! Offsets, order and what is known of duplicates stay. It runs beside the writing thread, in transactions of its own,
//! which the storage engine lets through one at a time.

use std::sync::Arc;

use redb::ReadableTable;

use super::{
    EmbeddedLog, encoding,
    fault::Fault,
    shared::Shared,
    tables::{Records, records_name},
};
use crate::{
    port::{EventLog, LogError, Position},
    record::Record,
};

impl EmbeddedLog {
    /// Puts records in the place of those that stand at these positions, in one durable step: all of them or none.
    /// From then on every reader gets these, whoever read the others before. What is not there any more, because the
    /// log begins after it, is left out. Appends wait meanwhile, so few are given at once. Returns by how many bytes
    /// the stored records became shorter.
    ///
    /// Pages of the file that are in use no more keep their bytes until they are used again.
    ///
    /// # Errors
    /// [`LogError::Stop`] when a record is of another stream's partition or was never appended, or when the log can no
    /// longer be used.
    pub async fn replace(&self, records: Vec<(Position, Record)>) -> Result<u64, LogError> {
        for (position, record) in &records {
            self.shared.check_partition(position.partition)?;
            let end = self.shared.published.borrow().ends[position.partition.0 as usize];
            if position.offset >= end || self.partition_of(record.stream) != position.partition {
                return Err(LogError::Stop(format!("no such record can stand at {position}")));
            }
        }
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.replace(records))
            .await
            .map_err(|error| LogError::Retry(format!("erasing was interrupted: {error}")))?
    }
}

impl Shared {
    fn replace(&self, records: Vec<(Position, Record)>) -> Result<u64, LogError> {
        let written = self.file.write(|transaction| {
            let mut shorter = 0;
            let mut replaced = Vec::with_capacity(records.len());
            for (position, record) in &records {
                let name = records_name(position.partition.0);
                let mut table = transaction.open_table(Records::new(&name))?;
                let Some(before) = table.get(position.offset)?.map(|stored| stored.value().len()) else {
                    continue;
                };
                let stored = encoding::encode(record);
                table.insert(position.offset, stored.as_slice())?;
                shorter += before.saturating_sub(stored.len());
                replaced.push(*position);
            }
            Ok::<_, Fault>((shorter, replaced))
        });
        let (shorter, replaced) = written.map_err(|fault| {
            let reason = self.write_failure(&fault);
            if !matches!(fault, Fault::Closed) {
                self.fail(&reason);
            }
            LogError::Stop(reason)
        })?;
        for (position, record) in records {
            if replaced.contains(&position) {
                self.tail.replace(position.partition.0, position.offset, Arc::new(record));
            }
        }
        Ok(shorter as u64)
    }
}
