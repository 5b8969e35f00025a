//! A store in which the last write to arrive wins, whatever its version: what faults are built on.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use domain::{RowKey, ScanKey, Version};
use futures::{StreamExt, TryStreamExt};
use view_store::{Row, RowStream, StoreError, ViewStore};

pub(crate) struct ByArrival {
    pub(crate) inner: Arc<dyn ViewStore>,
    pub(crate) clock: Arc<AtomicU64>,
}

impl ByArrival {
    /// The stored version is the time of arrival, and the row's own goes in front of the value.
    fn disguise(&self, row: Row) -> Row {
        let mut value = row.version.as_raw().to_be_bytes().to_vec();
        value.extend_from_slice(&row.value);
        let arrival = self.clock.fetch_add(1, Ordering::SeqCst) + 1;
        Row { key: row.key, version: Version::from_raw(arrival), value: value.into() }
    }
}

fn reveal(mut row: Row) -> Row {
    let version = row.value.split_to(8);
    row.version = Version::from_raw(u64::from_be_bytes(version.as_ref().try_into().unwrap()));
    row
}

#[async_trait]
impl ViewStore for ByArrival {
    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        Ok(self.inner.get(key).await?.map(reveal))
    }

    async fn scan(&self, range: &ScanKey) -> Result<RowStream, StoreError> {
        Ok(self.inner.scan(range).await?.map_ok(reveal).boxed())
    }

    async fn write(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.inner.write(rows.into_iter().map(|row| self.disguise(row)).collect()).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.inner.flush().await
    }
}
