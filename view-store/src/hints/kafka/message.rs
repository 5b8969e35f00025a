//! What one message says, in bytes.
//!
//! A tag, then hints one after the other. Releases that run at the same time read each other's: a change is a new
//! tag, and a message of an unknown one counts as missed.

use domain::{Family, RowKey, Version};

use crate::Hint;

/// Hints follow.
const HINTS: u8 = 1;
/// Hints before this message may not have arrived.
const MISSED: u8 = 2;

const ROW: u8 = 1;
const FOLDED: u8 = 2;

/// A message as it is read.
#[derive(Debug)]
pub(super) enum Message {
    Hints(Vec<Hint>),
    Missed,
}

/// A message that says that others may be lost.
pub(super) fn missed() -> Vec<u8> {
    vec![MISSED]
}

/// Hints in as many messages as their bytes need.
pub(super) fn encode(
    rows: impl IntoIterator<Item = (RowKey, Version)>,
    folded: impl IntoIterator<Item = (u32, Version)>,
    bytes_max: usize,
) -> Vec<Vec<u8>> {
    let rows = rows.into_iter().map(|(key, version)| {
        let key = key.encode();
        let length = u16::try_from(key.bytes.len()).expect("a key has some hundred bytes");
        let mut hint = vec![ROW, family_tag(key.family)];
        hint.extend(version.as_raw().to_be_bytes());
        hint.extend(length.to_be_bytes());
        hint.extend(key.bytes);
        hint
    });
    let folded = folded.into_iter().map(|(partition, version)| {
        let mut hint = vec![FOLDED];
        hint.extend(partition.to_be_bytes());
        hint.extend(version.as_raw().to_be_bytes());
        hint
    });
    let mut messages: Vec<Vec<u8>> = Vec::new();
    for hint in rows.chain(folded) {
        match messages.last_mut() {
            Some(message) if message.len() + hint.len() <= bytes_max => message.extend(hint),
            _ => {
                let mut message = vec![HINTS];
                message.extend(hint);
                messages.push(message);
            }
        }
    }
    messages
}

/// Reads a message. One that this release does not know may have said anything.
pub(super) fn decode(bytes: &[u8]) -> Message {
    match bytes.split_first() {
        Some((&HINTS, rest)) => hints(rest).map_or(Message::Missed, Message::Hints),
        _ => Message::Missed,
    }
}

fn hints(mut bytes: &[u8]) -> Option<Vec<Hint>> {
    let mut hints = Vec::new();
    while let Some((&tag, rest)) = bytes.split_first() {
        bytes = match tag {
            ROW => {
                let (&family, rest) = rest.split_first()?;
                let (version, rest) = rest.split_first_chunk()?;
                let (length, rest) = rest.split_first_chunk()?;
                let (key, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
                let family = Family::ALL.into_iter().find(|known| family_tag(*known) == family)?;
                let version = Version::from_raw(u64::from_be_bytes(*version));
                hints.push(Hint::Row { key: RowKey::decode(family, key)?, version, value: None });
                rest
            }
            FOLDED => {
                let (partition, rest) = rest.split_first_chunk()?;
                let (version, rest) = rest.split_first_chunk()?;
                let version = Version::from_raw(u64::from_be_bytes(*version));
                hints.push(Hint::Folded { partition: u32::from_be_bytes(*partition), version });
                rest
            }
            _ => return None,
        };
    }
    Some(hints)
}

/// The place in the list of all families, which only grows at its end.
fn family_tag(family: Family) -> u8 {
    let place = Family::ALL.iter().position(|known| *known == family).expect("a list of all");
    u8::try_from(place).expect("a dozen families")
}

#[cfg(test)]
mod tests {
    use domain::{AccountId, Epoch, Forge};

    use super::*;

    fn rows() -> Vec<(RowKey, Version)> {
        let version = |offset| Version::new(Epoch(2), offset);
        vec![
            (RowKey::Alias(Forge::GitHub, "octo".to_owned()), version(1)),
            (RowKey::Directory(AccountId::github(7)), version(2)),
            (RowKey::Active(3), version(3)),
        ]
    }

    type Rows = Vec<(RowKey, Version)>;
    type Positions = Vec<(u32, Version)>;

    fn read(messages: &[Vec<u8>]) -> (Rows, Positions) {
        let (mut rows, mut folded) = (Vec::new(), Vec::new());
        for message in messages {
            let Message::Hints(hints) = decode(message) else { panic!("hints were sent") };
            for hint in hints {
                match hint {
                    Hint::Row { key, version, value: None } => rows.push((key, version)),
                    Hint::Folded { partition, version } => folded.push((partition, version)),
                    Hint::Row { .. } => panic!("no values are sent"),
                }
            }
        }
        (rows, folded)
    }

    #[test]
    fn what_is_sent_is_heard_in_its_order_however_it_is_divided() {
        let folded = vec![(0, Version::new(Epoch(2), 9)), (11, Version::new(Epoch(2), 4))];
        for bytes_max in [1, 40, 1_000] {
            let messages = encode(rows(), folded.clone(), bytes_max);
            assert_eq!(read(&messages), (rows(), folded.clone()), "at most {bytes_max} bytes");
        }
        assert_eq!(encode(rows(), folded, 1_000).len(), 1);
    }

    #[test]
    fn what_cannot_be_read_counts_as_missed() {
        let whole = encode(rows(), [], 1_000).remove(0);
        for length in 0..whole.len() {
            // Cut between two hints it is a whole message with fewer of them.
            if let Message::Hints(hints) = decode(&whole[..length]) {
                assert!(hints.len() < rows().len());
            }
        }
        assert!(matches!(decode(&missed()), Message::Missed));
        assert!(matches!(decode(&[9, 1, 2]), Message::Missed));
        assert!(matches!(decode(&whole[..whole.len() - 1]), Message::Missed));
    }
}
