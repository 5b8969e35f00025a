//! A disk in memory whose power can be cut: what was synced is kept, what was not may be lost in parts.
//!
//! For crash tests of anything on redb. It stands in for one file; a process has it open through a
//! [`PowerLossBackend`], and after a cut the next process gets a new one on what was kept.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redb::StorageBackend;

/// What a disk writes as a whole or not at all.
const SECTOR_BYTES: usize = 512;

/// What a cut keeps of writes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// Nothing.
    Lost,
    /// Everything, as when a process is killed and its machine lives on.
    Kept,
    /// Of each sector, independently, any of the states it had since the last sync; the number chooses.
    Mixed(u64),
}

/// The disk; clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct PowerLossDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// What the sectors held that were written since the last sync, before each write, oldest first: the
    /// number of the first one and the bytes of all.
    unsynced: Vec<(usize, Vec<u8>)>,
    /// Lengths that the file had since the last sync, before its present one.
    lengths: Vec<usize>,
    /// How often the power was cut: a backend of an earlier time is dead.
    cuts: u64,
    /// Operations until the power goes by itself.
    operations_left: Option<u64>,
    syncs: u64,
}

impl PowerLossDisk {
    /// An empty file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the file, for as long as the power stays on.
    pub fn open(&self) -> PowerLossBackend {
        let cuts = self.lock().cuts;
        PowerLossBackend { disk: self.clone(), cuts }
    }

    /// Cuts the power and brings it back: open backends fail from now on.
    pub fn cut_power(&self, unsynced: Unsynced) {
        let mut state = self.lock();
        state.cuts += 1;
        state.operations_left = None;
        match unsynced {
            Unsynced::Kept => {}
            Unsynced::Lost => state.keep(|_| 0),
            Unsynced::Mixed(seed) => {
                let mut chance = Chance(seed);
                state.keep(|choices| chance.below(choices));
            }
        }
        state.unsynced.clear();
        state.lengths.clear();
    }

    /// Makes the power go after so many more writes, changes of length and syncs, in the middle of
    /// whatever is done then. [`Self::cut_power`] decides what is kept.
    pub fn cut_power_after(&self, operations: u64) {
        self.lock().operations_left = Some(operations);
    }

    /// How often the file was synced.
    pub fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sets every sector, and the length, to one of the states it had; `choose` is asked with how many
    /// there are, and zero is the synced one.
    fn keep(&mut self, mut choose: impl FnMut(usize) -> usize) {
        let present = self.bytes.len();
        let mut states: BTreeMap<usize, Vec<&[u8]>> = BTreeMap::new();
        let unsynced = std::mem::take(&mut self.unsynced);
        for (first, before) in &unsynced {
            for (number, sector) in before.chunks(SECTOR_BYTES).enumerate() {
                states.entry(first + number).or_default().push(sector);
            }
        }
        for (sector, before) in states {
            if let Some(kept) = before.get(choose(before.len() + 1)) {
                let start = sector * SECTOR_BYTES;
                let needed = self.bytes.len().max(start + SECTOR_BYTES);
                set_length(&mut self.bytes, needed);
                self.bytes[start..start + SECTOR_BYTES].copy_from_slice(kept);
            }
        }
        let length = self.lengths.get(choose(self.lengths.len() + 1)).copied().unwrap_or(present);
        set_length(&mut self.bytes, length);
    }

    /// Remembers what the sectors of this range hold now; zeros where the file has none yet.
    fn remember(&mut self, start: usize, end: usize) {
        let first = start / SECTOR_BYTES;
        let (from, to) = (first * SECTOR_BYTES, end.div_ceil(SECTOR_BYTES) * SECTOR_BYTES);
        let length = self.bytes.len();
        let mut before = self.bytes[from.min(length)..to.min(length)].to_vec();
        set_length(&mut before, to - from);
        self.unsynced.push((first, before));
    }

    /// Counts an operation that changes the file; fails once the power is gone.
    fn spend(&mut self) -> io::Result<()> {
        match &mut self.operations_left {
            None => Ok(()),
            Some(0) => Err(power_is_off()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

/// The file as one process has it open.
#[derive(Debug)]
pub struct PowerLossBackend {
    disk: PowerLossDisk,
    cuts: u64,
}

impl PowerLossBackend {
    fn powered(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.lock();
        if state.cuts == self.cuts && state.operations_left != Some(0) {
            Ok(state)
        } else {
            Err(power_is_off())
        }
    }
}

impl StorageBackend for PowerLossBackend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.powered()?.bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.powered()?;
        let start = place(offset)?;
        let bytes = state.bytes.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.powered()?;
        state.spend()?;
        let (before, after) = (state.bytes.len(), place(len)?);
        state.lengths.push(before);
        // What a shorter file loses is gone only when that is synced.
        state.remember(after.min(before), before);
        set_length(&mut state.bytes, after);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.powered()?;
        state.spend()?;
        state.unsynced.clear();
        state.lengths.clear();
        state.syncs += 1;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.powered()?;
        state.spend()?;
        let start = place(offset)?;
        let end = start + data.len();
        state.remember(start, end);
        if state.bytes.len() < end {
            let before = state.bytes.len();
            state.lengths.push(before);
            set_length(&mut state.bytes, end);
        }
        state.bytes[start..end].copy_from_slice(data);
        Ok(())
    }
}

/// Cuts off, or adds zeros. (`Vec::resize` goes byte by byte in a build that is not optimised.)
fn set_length(bytes: &mut Vec<u8>, length: usize) {
    bytes.truncate(length);
    bytes.extend_from_slice(&vec![0; length - bytes.len()]);
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

fn place(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(io::Error::other)
}

/// Numbers that look random and are the same for the same seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, choices: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % choices as u64).expect("less than a usize")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(disk: &PowerLossDisk) -> Vec<u8> {
        let backend = disk.open();
        let mut bytes = vec![0; usize::try_from(backend.len().unwrap()).unwrap()];
        backend.read(0, &mut bytes).unwrap();
        bytes
    }

    /// Two synced sectors of `s`, then three written ones, of which the first twice.
    fn written() -> PowerLossDisk {
        let disk = PowerLossDisk::new();
        let backend = disk.open();
        backend.set_len(2 * SECTOR_BYTES as u64).unwrap();
        backend.write(0, &[b's'; 2 * SECTOR_BYTES]).unwrap();
        backend.sync_data().unwrap();
        backend.write(0, &[b'a'; SECTOR_BYTES]).unwrap();
        backend.write(0, &[b'b'; 3 * SECTOR_BYTES]).unwrap();
        disk
    }

    #[test]
    fn a_cut_keeps_what_was_synced_and_of_the_rest_what_is_said() {
        let disk = written();
        disk.cut_power(Unsynced::Lost);
        assert_eq!(contents(&disk), [b's'; 2 * SECTOR_BYTES]);

        let disk = written();
        disk.cut_power(Unsynced::Kept);
        assert_eq!(contents(&disk), [b'b'; 3 * SECTOR_BYTES]);
    }

    #[test]
    fn mixed_cuts_reach_every_state_and_no_other() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..500 {
            let disk = written();
            disk.cut_power(Unsynced::Mixed(seed));
            let bytes = contents(&disk);
            assert!(bytes.chunks(SECTOR_BYTES).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
            seen.insert(bytes.chunks(SECTOR_BYTES).map(|sector| char::from(sector[0])).collect::<String>());
        }
        // First sector s, a or b; second s or b; a third one that is there, is zero, or is not.
        assert_eq!(seen.len(), 3 * 2 * 3, "{seen:?}");
    }

    #[test]
    fn what_a_shorter_file_lost_may_come_back() {
        let disk = written();
        let backend = disk.open();
        backend.sync_data().unwrap();
        backend.set_len(10).unwrap();
        backend.set_len(2 * SECTOR_BYTES as u64).unwrap();
        assert_eq!(contents(&disk)[10], 0);
        disk.cut_power(Unsynced::Lost);
        assert_eq!(contents(&disk), [b'b'; 3 * SECTOR_BYTES]);
    }

    #[test]
    fn a_backend_is_dead_after_a_cut_and_after_its_last_operation() {
        let disk = written();
        let old = disk.open();
        disk.cut_power(Unsynced::Kept);
        assert!(old.len().is_err() && old.write(0, b"x").is_err() && old.sync_data().is_err());

        let new = disk.open();
        disk.cut_power_after(1);
        new.write(0, b"x").unwrap();
        assert!(new.write(0, b"y").is_err() && new.read(0, &mut [0]).is_err());
        disk.cut_power(Unsynced::Kept);
        assert_eq!(contents(&disk)[0], b'x');
    }
}
