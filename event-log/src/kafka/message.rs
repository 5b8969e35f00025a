//! A record as a Kafka message, frozen: a topic of an older release is read by it.
//!
//! Key: the stream's bytes. Value: the body, untouched. Headers, in this order: `tallyhook` (the layout's tag),
//! `id`, `kind`, `received-at` (milliseconds), `dedupe` (hexadecimal, or empty), and after these five the record's
//! own. Ours are told by their place, so a header of a record may have any name. A change is a new tag.
//!
//! A message that is not such a record is not skipped: it is delivered as a record of [`UNREADABLE`] kind, so
//! that whoever folds the log keeps it as a dead letter with the reason.

use bytes::Bytes;
use domain::{Millis, StreamKey};
use rdkafka::{
    Timestamp,
    message::{Header, Headers, Message, OwnedHeaders},
};

use crate::{
    port::{Partition, Position},
    record::{DedupeKey, Record},
};

/// The kind of a record that stands for a message which is none of ours. Its body is the message's value, its
/// header `reason` says what is wrong, and its stream is the key's where that lies in this partition, else the
/// service's.
pub const UNREADABLE: &str = "kafka/unreadable";

/// The only layout so far.
const TAG: &str = "1";
/// The headers that are ours.
const OURS: [&str; 5] = ["tallyhook", "id", "kind", "received-at", "dedupe"];
/// In front of a header's name that is written as hexadecimal digits, because librdkafka ends a name at its
/// first zero byte; and of those that start with this mark themselves.
const ESCAPE: char = '%';
/// What a message takes beside key, headers and value: lengths, offsets, the head of its batch.
const OVERHEAD_BYTES: usize = 128;

/// The key of a record's message.
pub(super) fn key(record: &Record) -> Vec<u8> {
    record.stream.to_bytes()
}

/// The headers of a record's message.
pub(super) fn headers(record: &Record) -> OwnedHeaders {
    let mut digits = [0; 32];
    let dedupe = record.dedupe.map_or("", |DedupeKey(key)| {
        const_hex::encode_to_slice(key, &mut digits).expect("16 bytes are 32 digits");
        std::str::from_utf8(&digits).expect("hexadecimal digits are ASCII")
    });
    let received_at = record.received_at.0.to_string();
    let ours = OURS.into_iter().zip([TAG, &record.id, &record.kind, &received_at, dedupe]);
    let mut headers = OwnedHeaders::new_with_capacity(OURS.len() + record.headers.len());
    for (name, value) in ours {
        headers = headers.insert(Header { key: name, value: Some(value) });
    }
    for (name, value) in &record.headers {
        headers = if name.starts_with(ESCAPE) || name.contains('\0') {
            let name = format!("{ESCAPE}{}", const_hex::encode(name));
            headers.insert(Header { key: &name, value: Some(value) })
        } else {
            headers.insert(Header { key: name, value: Some(value) })
        };
    }
    headers
}

/// No less than the bytes that a record's message takes.
pub(super) fn message_bytes(record: &Record) -> usize {
    let headers: usize = record.headers.iter().map(|(name, value)| 2 * name.len() + value.len() + 12).sum();
    OVERHEAD_BYTES + record.id.len() + record.kind.len() + headers + record.body.len()
}

/// The record of a message, whatever it holds.
pub(super) fn record(message: &impl Message, position: Position, partitions: u32) -> Record {
    read(message, position.partition, partitions).unwrap_or_else(|reason| {
        let stream = stream(message)
            .filter(|stream| is_at_home(*stream, position.partition, partitions))
            .unwrap_or(StreamKey::Service);
        let received_at = match message.timestamp() {
            Timestamp::CreateTime(at) | Timestamp::LogAppendTime(at) => at,
            Timestamp::NotAvailable => 0,
        };
        Record {
            stream,
            id: format!("{}/{position}", message.topic()),
            dedupe: None,
            kind: UNREADABLE.to_owned(),
            received_at: Millis(received_at),
            headers: vec![("reason".to_owned(), reason.to_owned())],
            body: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
        }
    })
}

fn read(message: &impl Message, partition: Partition, partitions: u32) -> Result<Record, &'static str> {
    let headers = message.headers().ok_or("the message has no headers")?;
    let ours = |at: usize| {
        let header = headers.try_get(at).ok_or("the message lacks a header")?;
        if header.key != OURS[at] {
            return Err("the message's headers are not a record's");
        }
        text(header.value)
    };
    if ours(0)? != TAG {
        return Err("the message has a layout that this release does not know");
    }
    let dedupe = match ours(4)? {
        "" => None,
        digits => {
            let mut key = [0; 16];
            const_hex::decode_to_slice(digits, &mut key).map_err(|_| "the message's dedupe key is none")?;
            Some(DedupeKey(key))
        }
    };
    let stream = stream(message).ok_or("the message's key is no stream")?;
    // Folding it here would write a stream's rows from two partitions.
    if !is_at_home(stream, partition, partitions) {
        return Err("the message lies in another partition than its stream");
    }
    let mut own = Vec::with_capacity(headers.count().saturating_sub(OURS.len()));
    for at in OURS.len()..headers.count() {
        let header = headers.try_get(at).ok_or("the message lacks a header")?;
        let name = match header.key.strip_prefix(ESCAPE) {
            None => header.key.to_owned(),
            Some(digits) => const_hex::decode(digits)
                .ok()
                .and_then(|name| String::from_utf8(name).ok())
                .ok_or("a header's name is neither plain nor escaped")?,
        };
        own.push((name, text(header.value)?.to_owned()));
    }
    Ok(Record {
        stream,
        id: ours(1)?.to_owned(),
        dedupe,
        kind: ours(2)?.to_owned(),
        received_at: Millis(ours(3)?.parse().map_err(|_| "the message's time is none")?),
        headers: own,
        body: Bytes::copy_from_slice(message.payload().ok_or("the message has no value")?),
    })
}

fn text(value: Option<&[u8]>) -> Result<&str, &'static str> {
    std::str::from_utf8(value.ok_or("a header has no value")?).map_err(|_| "a header is not UTF-8")
}

fn stream(message: &impl Message) -> Option<StreamKey> {
    let (stream, rest) = StreamKey::read_key(message.key()?)?;
    rest.is_empty().then_some(stream)
}

fn is_at_home(stream: StreamKey, partition: Partition, partitions: u32) -> bool {
    stream.stable_hash() % u64::from(partitions) == u64::from(partition.0)
}

#[cfg(test)]
mod tests {
    use domain::AccountId;
    use rdkafka::message::OwnedMessage;

    use super::*;

    fn sample() -> Record {
        Record {
            stream: StreamKey::Account(AccountId::github(583_231)),
            id: "72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned(),
            dedupe: Some(DedupeKey([7; 16])),
            kind: "github/push".to_owned(),
            received_at: Millis(1_763_719_200_123),
            headers: vec![
                ("X-GitHub-Event".to_owned(), "push".to_owned()),
                ("id".to_owned(), "not ours".to_owned()),
                ("tallyhook".to_owned(), "not ours either".to_owned()),
                ("a\0b".to_owned(), "\0".to_owned()),
                ("%41".to_owned(), String::new()),
            ],
            body: Bytes::from_static(b"{}"),
        }
    }

    fn message(record: &Record) -> OwnedMessage {
        parts(Some(key(record)), Some(record.body.to_vec()), Some(headers(record)))
    }

    fn parts(key: Option<Vec<u8>>, body: Option<Vec<u8>>, headers: Option<OwnedHeaders>) -> OwnedMessage {
        OwnedMessage::new(body, key, "events".to_owned(), Timestamp::LogAppendTime(5), 0, 9, headers)
    }

    fn home(stream: StreamKey) -> Position {
        Position { partition: Partition(u32::try_from(stream.stable_hash() % 4).unwrap()), offset: 9 }
    }

    #[test]
    fn the_layout_is_frozen() {
        let message = message(&sample());
        assert_eq!(const_hex::encode(message.key().unwrap()), "01000000000008e63f");
        let headers = message.headers().unwrap();
        let found: Vec<(String, String)> = headers
            .iter()
            .map(|header| (header.key.to_owned(), String::from_utf8(header.value.unwrap().to_vec()).unwrap()))
            .collect();
        let expected = [
            ("tallyhook", "1"),
            ("id", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
            ("kind", "github/push"),
            ("received-at", "1763719200123"),
            ("dedupe", "07070707070707070707070707070707"),
            ("X-GitHub-Event", "push"),
            ("id", "not ours"),
            ("tallyhook", "not ours either"),
            ("%610062", "\0"),
            ("%253431", ""),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(message.payload(), Some(&b"{}"[..]));
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        let sample = sample();
        assert_eq!(record(&message(&sample), home(sample.stream), 4), sample);
        let bare = Record { dedupe: None, headers: Vec::new(), body: Bytes::new(), ..sample };
        assert_eq!(record(&message(&bare), home(bare.stream), 4), bare);
    }

    #[test]
    fn a_message_that_is_no_record_is_delivered_with_the_reason() {
        let sample = sample();
        let good = || headers(&sample);
        let header = |name, value: Option<&str>| OwnedHeaders::new().insert(Header { key: name, value });
        let cases = [
            (parts(Some(key(&sample)), Some(b"x".to_vec()), None), "no headers"),
            (
                parts(Some(key(&sample)), Some(b"x".to_vec()), Some(header("other", Some("1")))),
                "not a record's",
            ),
            (parts(Some(key(&sample)), Some(b"x".to_vec()), Some(header("tallyhook", Some("2")))), "layout"),
            (parts(Some(key(&sample)), Some(b"x".to_vec()), Some(header("tallyhook", None))), "no value"),
            (
                parts(Some(key(&sample)), Some(b"x".to_vec()), Some(header("tallyhook", Some("1")))),
                "lacks a header",
            ),
            (parts(Some(b"?".to_vec()), Some(b"x".to_vec()), Some(good())), "key is no stream"),
            (parts(None, Some(b"x".to_vec()), Some(good())), "key is no stream"),
            (parts(Some(key(&sample)), None, Some(good())), "no value"),
        ];
        for (message, reason) in cases {
            let found = record(&message, home(sample.stream), 4);
            assert_eq!(found.kind, UNREADABLE);
            assert!(found.header("reason").unwrap().contains(reason), "{found:?}");
            assert_eq!(found.body, message.payload().unwrap_or_default());
            assert_eq!(found.received_at, Millis(5));
            let has_key = message.key() == Some(&key(&sample)[..]);
            assert_eq!(found.stream, if has_key { sample.stream } else { StreamKey::Service });
        }
    }

    #[test]
    fn a_record_in_a_foreign_partition_is_not_taken_for_one() {
        let sample = sample();
        let home = home(sample.stream);
        let elsewhere = Position { partition: Partition((home.partition.0 + 1) % 4), ..home };
        let found = record(&message(&sample), elsewhere, 4);
        assert_eq!((found.kind.as_str(), found.stream), (UNREADABLE, StreamKey::Service));
        assert!(found.header("reason").unwrap().contains("another partition"));
    }

    #[test]
    fn the_size_told_is_no_less_than_the_message() {
        let sample = sample();
        let message = message(&sample);
        let headers: usize = message
            .headers()
            .unwrap()
            .iter()
            .map(|header| header.key.len() + header.value.unwrap().len() + 2)
            .sum();
        let bytes = message.key().unwrap().len() + message.payload().unwrap().len() + headers;
        assert!(message_bytes(&sample) >= bytes, "{} < {bytes}", message_bytes(&sample));
    }
}
