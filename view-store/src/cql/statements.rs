//! Every statement that the store sends, prepared once.

use std::collections::BTreeMap;

use domain::Family;
use futures::future::try_join_all;
use scylla::{client::session::Session, statement::prepared::PreparedStatement};

use super::{address::CqlAddress, open_error::OpenError, place, retry};
use crate::table::{Table, generation_name};

/// The table of chunks of families without generations; the others' has the generation as a suffix.
pub(super) const CHUNKS: &str = "chunks";

/// The statements of one generation.
pub(super) struct Statements {
    rows: BTreeMap<Family, RowStatements>,
    chunks_shared: ChunkStatements,
    chunks_of_generation: ChunkStatements,
}

/// The statements of one table of rows.
pub(super) struct RowStatements {
    /// Partition key, row key → value, write time.
    pub(super) get: PreparedStatement,
    /// Partition key, row key, value, write time.
    pub(super) write: PreparedStatement,
    /// Partition key, first row key, end of row keys, number of rows → row key, value, write time.
    pub(super) scan: Option<PreparedStatement>,
}

/// The statements of one table of chunks.
pub(super) struct ChunkStatements {
    /// Set, number → piece.
    pub(super) get: PreparedStatement,
    /// Set, number, piece, write time.
    pub(super) write: PreparedStatement,
    /// Write time of the set, set.
    pub(super) remove: PreparedStatement,
}

impl Statements {
    /// # Errors
    /// [`OpenError::NotMigrated`] when a table is missing.
    pub(super) async fn prepare(
        session: &Session,
        address: &CqlAddress,
        generation: u32,
    ) -> Result<Self, OpenError> {
        let preparing = Preparing { session, address };
        let families = Family::ALL.map(|family| preparing.rows(Table::of(family, generation)));
        let shared = preparing.chunks(CHUNKS.to_owned());
        let of_generation = preparing.chunks(generation_name(CHUNKS, generation));
        let (rows, chunks_shared, chunks_of_generation) =
            futures::try_join!(try_join_all(families), shared, of_generation)?;
        Ok(Statements { rows: rows.into_iter().collect(), chunks_shared, chunks_of_generation })
    }

    pub(super) fn rows(&self, family: Family) -> &RowStatements {
        self.rows.get(&family).expect("statements of all families are prepared")
    }

    pub(super) fn chunks(&self, family: Family) -> &ChunkStatements {
        if family.is_generational() { &self.chunks_of_generation } else { &self.chunks_shared }
    }
}

struct Preparing<'a> {
    session: &'a Session,
    address: &'a CqlAddress,
}

impl Preparing<'_> {
    async fn rows(&self, table: Table) -> Result<(Family, RowStatements), OpenError> {
        let name = table.name();
        let qualified = format!("{}.{name}", self.address.keyspace());
        let get = self.statement(
            &name,
            format!(
                "SELECT value, WRITETIME(value) FROM {qualified} WHERE partition_key = ? AND row_key = ?"
            ),
        );
        let write = self.statement(
            &name,
            format!(
                "INSERT INTO {qualified} (partition_key, row_key, value) VALUES (?, ?, ?) USING TIMESTAMP ?"
            ),
        );
        let scan = self.statement(
            &name,
            format!(
                "SELECT row_key, value, WRITETIME(value) FROM {qualified} \
                 WHERE partition_key = ? AND row_key >= ? AND row_key < ? LIMIT ?"
            ),
        );
        let (get, write) = futures::try_join!(get, write)?;
        let scan = if place::is_scanned(table.family) { Some(scan.await?) } else { None };
        Ok((table.family, RowStatements { get, write, scan }))
    }

    async fn chunks(&self, name: String) -> Result<ChunkStatements, OpenError> {
        let qualified = format!("{}.{name}", self.address.keyspace());
        let get = self
            .statement(&name, format!("SELECT piece FROM {qualified} WHERE chunk_set = ? AND number = ?"));
        let write = self.statement(
            &name,
            format!("INSERT INTO {qualified} (chunk_set, number, piece) VALUES (?, ?, ?) USING TIMESTAMP ?"),
        );
        let remove =
            self.statement(&name, format!("DELETE FROM {qualified} USING TIMESTAMP ? WHERE chunk_set = ?"));
        let (get, write, remove) = futures::try_join!(get, write, remove)?;
        Ok(ChunkStatements { get, write, remove })
    }

    async fn statement(&self, table: &str, text: String) -> Result<PreparedStatement, OpenError> {
        let mut statement = self.session.prepare(text).await.map_err(|error| {
            // The only thing that can be wrong with these texts is that the table is not there.
            match retry::Kind::of_prepare(&error) {
                retry::Kind::Final => OpenError::not_migrated(self.address, format!("table {table}")),
                _ => OpenError::preparing(self.address, &error),
            }
        })?;
        // Every write carries its own time, so that writing it twice is writing it once.
        statement.set_is_idempotent(true);
        // The columns of a table never change, and half of an answer would be their names.
        statement.set_use_cached_result_metadata(true);
        Ok(statement)
    }
}
