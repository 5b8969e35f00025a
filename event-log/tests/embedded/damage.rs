//! Files that were cut or overwritten: they are refused with a sentence, or what is read is what was written.

use std::{collections::BTreeMap, sync::Arc};

use event_log::{
    EmbeddedLog, EmbeddedLogSettings, EventLog, Limit, LogError, Position, Record,
    contract::power_loss::{PowerLossDisk, Unsynced},
};
use redb::{StorageBackend, backends::InMemoryBackend};

use crate::{
    harness::open,
    sample::{append_new, read_all, sized},
};

/// A file with records of several sizes, and what was acknowledged.
struct Sample {
    image: Vec<u8>,
    acked: BTreeMap<Position, Record>,
}

async fn sample(is_closed: bool) -> Sample {
    let disk = PowerLossDisk::in_memory();
    let log = Arc::new(open(&disk).unwrap());
    let mut acked = BTreeMap::new();
    for number in 0..150 {
        let body_bytes = [10, 1000, 3000, 9000, 40_000][usize::try_from(number % 5).unwrap()];
        let record = sized(number % 9, number, body_bytes);
        acked.insert(append_new(&*log, record.clone()).await, record);
    }
    if is_closed {
        drop(log);
        return Sample { image: disk.image(), acked };
    }
    disk.crash(Unsynced::Kept).unwrap();
    Sample { image: disk.image(), acked }
}

fn reopen(image: &[u8]) -> Result<EmbeddedLog, String> {
    let backend = InMemoryBackend::new();
    backend.set_len(image.len() as u64).unwrap();
    backend.write(0, image).unwrap();
    EmbeddedLog::with_backend(backend, "the damaged file", EmbeddedLogSettings::default())
        .map_err(|refusal| refusal.to_string())
}

/// How a damaged file was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Met {
    RefusedAtOpen,
    RefusedWhileReading,
    Recovered,
}

/// Opens a damaged file and reads all of it. Whatever is given must be right, and if no error tells of the
/// damage, all that was acknowledged must be there.
async fn meet(sample: &Sample, image: &[u8], damage: &str) -> Met {
    let log = match reopen(image) {
        Ok(log) => log,
        Err(sentence) => {
            assert!(
                sentence.starts_with("the damaged file ") && !sentence.contains('\n'),
                "{damage}: {sentence}"
            );
            return Met::RefusedAtOpen;
        }
    };
    let mut found = BTreeMap::new();
    for bounds in log.bounds().await.unwrap() {
        let mut from = Position { partition: bounds.partition, offset: 0 };
        while from.offset < bounds.end {
            match log.read(from, Limit { records_max: 3, bytes_max: 1 << 20 }).await {
                Ok(records) => {
                    from.offset += records.len() as u64;
                    found.extend(records);
                }
                Err(LogError::Stop(sentence)) => {
                    assert!(
                        sentence.starts_with("the damaged file ") && !sentence.contains('\n'),
                        "{sentence}"
                    );
                    return Met::RefusedWhileReading;
                }
                Err(other) => panic!("{damage}: {other} is no reason to try again"),
            }
        }
    }
    for (position, record) in &found {
        assert_eq!(sample.acked.get(position), Some(record), "{damage}: {position} is something else");
    }
    assert_eq!(found.len(), sample.acked.len(), "{damage}: records are missing and nobody says so");
    Met::Recovered
}

/// A sequence of numbers that a seed decides (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }
}

#[tokio::test]
async fn a_file_cut_at_any_length_is_refused_or_whole() {
    for is_closed in [true, false] {
        let sample = sample(is_closed).await;
        let mut met = BTreeMap::<Met, usize>::new();
        let mut numbers = Numbers(1);
        for round in 0..200 {
            let length = match round % 4 {
                // Cuts at page bounds are the ones that look most like a file.
                0 => numbers.below(sample.image.len() / 4096) * 4096,
                // A header and little more.
                1 => numbers.below(8192),
                // The very end.
                2 => sample.image.len() - 1 - numbers.below(16_384),
                _ => numbers.below(sample.image.len()),
            };
            if length == 0 {
                // An empty backend is a new log; an empty file is refused (see `opening`).
                continue;
            }
            let damage = format!("cut at {length} of {}, closed {is_closed}", sample.image.len());
            *met.entry(meet(&sample, &sample.image[..length], &damage).await).or_default() += 1;
        }
        println!("closed {is_closed}: {met:?}");
        assert!(met.contains_key(&Met::RefusedAtOpen), "{met:?}");
    }
}

#[tokio::test]
async fn an_overwritten_file_never_gives_another_record() {
    for is_closed in [true, false] {
        let sample = sample(is_closed).await;
        let mut met = BTreeMap::<Met, usize>::new();
        let mut numbers = Numbers(2);
        for round in 0..300 {
            let mut image = sample.image.clone();
            let (at, length) = match round % 3 {
                0 => (numbers.below(image.len() / 4096) * 4096, 4096),
                1 => (numbers.below(image.len() / 512) * 512, 512),
                _ => (numbers.below(image.len()), 1),
            };
            let end = (at + length).min(image.len());
            match round % 2 {
                0 => image[at..end].fill(0),
                _ => image[at..end].iter_mut().for_each(|byte| *byte ^= 0x55),
            }
            let damage = format!("{length} bytes changed at {at}, closed {is_closed}");
            *met.entry(meet(&sample, &image, &damage).await).or_default() += 1;
        }
        println!("closed {is_closed}: {met:?}");
        assert!(met.contains_key(&Met::Recovered), "most of a file is free space: {met:?}");
        assert!(met.len() > 1, "no damage was met: {met:?}");
    }
}

#[tokio::test]
async fn an_undamaged_file_is_whole() {
    for is_closed in [true, false] {
        let sample = sample(is_closed).await;
        assert_eq!(meet(&sample, &sample.image, "none").await, Met::Recovered);
        let log = reopen(&sample.image).unwrap();
        assert_eq!(read_all(&log).await.len(), sample.acked.len());
    }
}
