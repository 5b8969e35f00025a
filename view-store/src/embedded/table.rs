//! How redb's tables of rows are opened; their names are in [`crate::table`].

use redb::{ReadOnlyTable, ReadTransaction, TableDefinition, TableError};

pub(super) use crate::table::Table;

/// Rows by key, each a version and a value (see `commit`).
type Definition<'a> = TableDefinition<'a, &'static [u8], &'static [u8]>;
/// A table that is being read.
pub(super) type StoredRows = ReadOnlyTable<&'static [u8], &'static [u8]>;

impl Table {
    /// Opens the table; `None` if nothing was ever written to it.
    pub(super) fn read(self, transaction: &ReadTransaction) -> Result<Option<StoredRows>, redb::Error> {
        match transaction.open_table(definition(&self.name())) {
            Ok(rows) => Ok(Some(rows)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }
}

/// What redb is told about a table of this name.
pub(super) fn definition(name: &str) -> Definition<'_> {
    TableDefinition::new(name)
}
