//! The servers that these tests run on, and keyspaces on them.

use std::sync::OnceLock;

use bytes::Bytes;
use domain::{AccountId, MemberSet, RepoId, RowKey, ScanKey, StreamKey, Version};
use futures::TryStreamExt;
use scylla::client::session::Session;
use test_servers::Cassandra;
use tokio::sync::OnceCell;
use view_store::{
    Row, ViewStore,
    cql::{CqlAddress, CqlStore, CqlStoreSettings, MigrateSettings, connect, migrate},
};

/// The keyspace of tests that need only rows of their own; each uses accounts of its own.
const ROWS_KEYSPACE: &str = "rows";

/// Says loudly that there is no server here, where there is none.
pub(crate) fn skipped() -> bool {
    test_servers::skipped("the store on a real CQL server")
}

/// The server of all tests that kill nothing. It ends with this process.
pub(crate) fn shared() -> &'static Cassandra {
    static SERVER: OnceLock<Cassandra> = OnceLock::new();
    SERVER.get_or_init(|| Cassandra::find().unwrap())
}

pub(crate) fn address(server: &Cassandra, keyspace: &str) -> CqlAddress {
    format!("scylla://{}/{keyspace}", server.addresses().join(",")).parse().unwrap()
}

/// Makes a keyspace on a server.
pub(crate) async fn migrated(server: &Cassandra, keyspace: &str) -> CqlAddress {
    let address = address(server, keyspace);
    migrate(&address, MigrateSettings::default()).await.unwrap();
    address
}

/// A store in the keyspace that many tests share.
pub(crate) async fn store() -> CqlStore {
    static MIGRATED: OnceCell<CqlAddress> = OnceCell::const_new();
    let address = MIGRATED.get_or_init(|| migrated(shared(), ROWS_KEYSPACE)).await;
    CqlStore::open(address, CqlStoreSettings::default()).await.unwrap()
}

/// A connection to the same keyspace, for looking behind the store.
pub(crate) async fn session() -> Session {
    connect(&address(shared(), ROWS_KEYSPACE)).await.unwrap()
}

/// Numbers that a statement answers, one a row.
pub(crate) async fn numbers(session: &Session, text: &str) -> Vec<i64> {
    let rows = session.query_unpaged(text, ()).await.unwrap().into_rows_result().unwrap();
    rows.rows::<(i64,)>().unwrap().map(|row| row.unwrap().0).collect()
}

pub(crate) fn stream(account: u64) -> StreamKey {
    StreamKey::Account(AccountId::github(account))
}

/// One of many keys that lie together.
pub(crate) fn member(account: u64, bucket: u32) -> RowKey {
    let (set, parent) = (MemberSet::Pulls, RepoId::github(1));
    RowKey::Member { stream: stream(account), set, parent, wipe: 0, bucket, id: Vec::new() }
}

pub(crate) fn row(key: RowKey, version: u64, value: impl Into<Bytes>) -> Row {
    Row { key, version: Version::from_raw(version), value: value.into() }
}

/// Bytes that differ from version to version and from place to place.
pub(crate) fn pattern(bytes: usize, version: u64) -> Bytes {
    (0..bytes as u64)
        .map(|at| (at * 31 + at / 251 + version * 7).to_le_bytes()[0])
        .collect::<Vec<u8>>()
        .into()
}

pub(crate) async fn scanned(store: &dyn ViewStore, account: u64) -> Vec<Row> {
    store.scan(&ScanKey::Members(stream(account))).await.unwrap().try_collect().await.unwrap()
}
