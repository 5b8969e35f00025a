//! The row that says which life of the log the rows belong to (design §4). No running process writes it.

use domain::{Epoch, Row, RowKey, Version};

use super::{CqlAddress, CqlStore, CqlStoreSettings, OpenError};
use crate::port::{StoreError, ViewStore};

/// Versions of later epochs would pass for times in the future, which servers refuse.
const EPOCH_MAX: u16 = 1023;

/// Begins a new epoch: every record of the log from now on beats every row that is there. For a log that was
/// lost, replaced or made anew; no process of this store may be running.
///
/// # Errors
/// See [`OpenError`].
pub async fn epoch_open(address: &CqlAddress, generation: u32) -> Result<Epoch, OpenError> {
    let settings = CqlStoreSettings { generation, ..CqlStoreSettings::default() };
    let store = CqlStore::open(address, settings).await?;
    let failed = |error: StoreError| failed(address, error);
    let Some(current) = read(&store).await.map_err(failed)? else {
        return Err(OpenError::not_migrated(address, "epoch"));
    };
    if current.0 >= EPOCH_MAX {
        let cause = format!("epoch {EPOCH_MAX} is the last that there is; rebuild into an empty keyspace");
        return Err(OpenError::Failed { address: address.to_string(), cause });
    }
    let next = Epoch(current.0 + 1);
    write(&store, next, Version::new(next, 0)).await.map_err(failed)?;
    Ok(next)
}

/// Writes the first epoch, unless there is one. Says whether there was none.
pub(super) async fn begin(store: &CqlStore) -> Result<bool, StoreError> {
    if read(store).await?.is_some() {
        return Ok(false);
    }
    // Loses against every later epoch, should two migrations overlap with an opening.
    write(store, Epoch::FIRST, Version::LEAST).await.map(|()| true)
}

pub(super) fn failed(address: &CqlAddress, error: StoreError) -> OpenError {
    let address = address.to_string();
    match error {
        StoreError::Retry(cause) => OpenError::Unreachable { address, cause },
        StoreError::Stop(cause) => OpenError::Failed { address, cause },
    }
}

async fn read(store: &CqlStore) -> Result<Option<Epoch>, StoreError> {
    let Some(row) = store.get(&RowKey::Epoch).await? else { return Ok(None) };
    let epoch = Epoch::decode(&row.value)
        .map_err(|error| StoreError::Stop(format!("the epoch cannot be read: {error}")))?;
    Ok(Some(epoch))
}

async fn write(store: &CqlStore, epoch: Epoch, version: Version) -> Result<(), StoreError> {
    store.write(vec![Row { key: RowKey::Epoch, version, value: epoch.encode().into() }]).await
}
