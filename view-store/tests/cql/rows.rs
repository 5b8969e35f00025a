//! Versions as write times.

use domain::{EntityKey, RowKey, Version};
use scylla::client::session::Session;
use view_store::ViewStore;

use crate::server::{self, numbers, row, session, store, stream};

fn key(account: u64) -> RowKey {
    RowKey::Entity(stream(account), EntityKey::Account)
}

/// A write of the same row by somebody who names no version.
async fn write_without_version(session: &Session, account: u64) {
    let encoded = key(account).encode();
    let (partition_key, row_key) = encoded.bytes.split_at(encoded.split);
    let value = b"\0forgotten, and greater than any other value";
    let text = "INSERT INTO rows.entities_g1 (partition_key, row_key, value) VALUES (?, ?, ?)";
    session.query_unpaged(text, (partition_key, row_key, value.as_slice())).await.unwrap();
}

#[tokio::test]
async fn a_forgotten_version_loses_against_every_version() {
    if server::skipped() {
        return;
    }
    let (store, session) = (store().await, session().await);
    for (account, version) in
        [(1_000, Version::NONE), (1_001, Version::LEAST), (1_002, Version::from_raw(1 << 40))]
    {
        let written = row(key(account), version.as_raw(), "versioned");
        write_without_version(&session, account).await;
        store.write(vec![written.clone()]).await.unwrap();
        assert_eq!(
            store.get(&key(account)).await.unwrap(),
            Some(written.clone()),
            "it came before {version}"
        );

        write_without_version(&session, account).await;
        assert_eq!(store.get(&key(account)).await.unwrap(), Some(written), "it came after {version}");
    }
}

/// An operator reads a row's version with `WRITETIME(value)`, and so do the tests that make late writers.
#[tokio::test]
async fn the_write_time_of_a_row_is_its_version() {
    if server::skipped() {
        return;
    }
    let (store, session) = (store().await, session().await);
    let version = Version::new(domain::Epoch(3), 77);
    store.write(vec![row(key(1_010), version.as_raw(), "value")]).await.unwrap();
    let partition =
        key(1_010).encode().bytes[..9].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let text = format!("SELECT WRITETIME(value) FROM rows.entities_g1 WHERE partition_key = 0x{partition}");
    assert_eq!(numbers(&session, &text).await, [i64::try_from(version.as_raw()).unwrap()]);
}

#[tokio::test]
async fn a_version_beyond_all_logs_is_refused_and_not_written() {
    if server::skipped() {
        return;
    }
    let store = store().await;
    let refused = store.write(vec![row(key(1_020), u64::MAX, "value")]).await;
    assert!(matches!(refused, Err(view_store::StoreError::Stop(_))), "{refused:?}");
    assert_eq!(store.get(&key(1_020)).await.unwrap(), None);
}
