//! Records for tests.

use bytes::Bytes;
use domain::{AccountId, Millis, StreamKey};
use event_log::{Appended, DedupeKey, EventLog, Limit, Position, Record};

/// Everything at once.
pub(crate) const ALL: Limit = Limit { records_max: usize::MAX, bytes_max: usize::MAX };

/// A record of an account, whose number makes it unique.
pub(crate) fn record(account: u64, number: u64) -> Record {
    Record {
        stream: StreamKey::Account(AccountId::github(account)),
        id: format!("delivery-{number}"),
        dedupe: None,
        kind: "test".to_owned(),
        received_at: Millis(1_763_719_200_000),
        headers: Vec::new(),
        body: Bytes::from(format!("{{\"number\":{number}}}")),
    }
}

/// The same with a body of so many bytes.
pub(crate) fn sized(account: u64, number: u64, body_bytes: usize) -> Record {
    let mut body = format!("{{\"number\":{number}}}").into_bytes();
    body.resize(body_bytes.max(body.len()), b' ');
    Record { body: Bytes::from(body), ..record(account, number) }
}

/// The same with a key, received at so many milliseconds.
pub(crate) fn keyed(account: u64, number: u64, received_at: i64) -> Record {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.to_be_bytes());
    Record { dedupe: Some(DedupeKey(key)), received_at: Millis(received_at), ..record(account, number) }
}

/// Appends a record that must be new.
pub(crate) async fn append_new(log: &dyn EventLog, record: Record) -> Position {
    match log.append(vec![record]).await.unwrap() {
        Appended::New(positions) => positions[0],
        Appended::Duplicate => panic!("a new record was taken for a duplicate"),
    }
}

/// Every record of the log.
pub(crate) async fn read_all(log: &dyn EventLog) -> Vec<(Position, Record)> {
    let mut all = Vec::new();
    for bounds in log.bounds().await.unwrap() {
        let from = Position { partition: bounds.partition, offset: bounds.start };
        all.extend(log.read(from, ALL).await.unwrap());
    }
    all
}
