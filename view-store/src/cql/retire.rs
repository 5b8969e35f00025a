//! Dropping a generation: its tables go, and with them all their rows at once.

use domain::Family;
use scylla::client::session::Session;

use super::{Base, CqlAddress, OpenError, session, statements::CHUNKS};
use crate::{
    port::StoreError,
    table::{Table, generation_name},
};

/// The tables of the keyspace.
pub(super) async fn tables(session: &Session, address: &CqlAddress) -> Result<Vec<String>, OpenError> {
    let text = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?";
    let found = session.query_unpaged(text, (address.keyspace(),)).await;
    let found = found.map_err(|error| OpenError::executing(address, &error))?;
    let failed = |cause: String| OpenError::Failed { address: address.to_string(), cause };
    let rows = found.into_rows_result().map_err(|error| failed(error.to_string()))?;
    let names = rows.rows::<(String,)>().map_err(|error| failed(error.to_string()))?;
    names.map(|name| name.map(|(name,)| name).map_err(|error| failed(error.to_string()))).collect()
}

/// The generations that have tables.
pub(super) async fn generations(base: &Base) -> Result<Vec<u32>, StoreError> {
    let tables = tables(&base.session, &base.address).await.map_err(retry_or_stop)?;
    let generations = tables.iter().filter_map(|name| Table::from_name(name)?.generation);
    let mut generations: Vec<u32> = generations.collect();
    generations.sort_unstable();
    generations.dedup();
    Ok(generations)
}

/// Drops the tables of a generation.
pub(super) async fn retire(base: &Base, generation: u32) -> Result<(), StoreError> {
    if generation >= base.settings.generation {
        return Err(StoreError::Stop(format!(
            "generation {generation} cannot be retired by generation {}: only older ones can",
            base.settings.generation
        )));
    }
    let session = session::connect_for_schema(&base.address).await.map_err(retry_or_stop)?;
    let families = Family::ALL.into_iter().filter(|family| family.is_generational());
    let tables = families.map(|family| Table::of(family, generation).name());
    for table in tables.chain([generation_name(CHUNKS, generation)]) {
        let text = format!("DROP TABLE IF EXISTS {}.{table}", base.address.keyspace());
        let dropped = session.query_unpaged(text, ()).await;
        dropped.map_err(|error| retry_or_stop(OpenError::executing(&base.address, &error)))?;
    }
    Ok(())
}

fn retry_or_stop(error: OpenError) -> StoreError {
    match error {
        OpenError::Unreachable { .. } => StoreError::Retry(error.to_string()),
        other => StoreError::Stop(other.to_string()),
    }
}
