//! A disk that forgets what was not synced: the crash that kill -9 cannot show.
//!
//! [`PowerLossDisk`] keeps two images, what the operating system would answer reads from and what the platter
//! holds. `sync_data` brings the second up to the first; [`PowerLossDisk::crash`] does it in part, and ends
//! everything that was opened before.

use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard},
};

use redb::{StorageBackend, backends::InMemoryBackend};

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// What happens at a crash to writes that were not synced.
#[derive(Debug, Clone, Copy)]
pub enum Unsynced {
    /// They are all there: only the process died, the operating system lives.
    Kept,
    /// None of them is there.
    Lost,
    /// Each sector, and the length of the file, is there or not by chance; the same seed loses the same.
    Torn {
        /// Where chance starts.
        seed: u64,
    },
}

/// A disk whose supply can fail. Clones are the same disk.
#[derive(Clone)]
pub struct PowerLossDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    platter: Box<dyn StorageBackend>,
    /// What reads see.
    image: Vec<u8>,
    /// Where `image` differs from the platter, in the order of the writes: offset and length.
    unsynced: Vec<(usize, usize)>,
    /// Counts crashes; what was opened before the last one is dead.
    boot: u64,
    operations: u64,
    failing: Option<Failing>,
}

struct Failing {
    after_operations: u64,
    kind: io::ErrorKind,
}

impl PowerLossDisk {
    /// A disk in memory.
    pub fn in_memory() -> Self {
        Self::over(InMemoryBackend::new()).expect("memory cannot fail to be read")
    }

    /// A disk whose platter is `platter`, which holds what is durable at any time.
    ///
    /// # Errors
    /// When the platter cannot be read.
    pub fn over(platter: impl StorageBackend) -> io::Result<Self> {
        let mut state = State {
            platter: Box::new(platter),
            image: Vec::new(),
            unsynced: Vec::new(),
            boot: 0,
            operations: 0,
            failing: None,
        };
        state.load()?;
        Ok(PowerLossDisk { state: Arc::new(Mutex::new(state)) })
    }

    /// The file on this disk, until the next crash.
    pub fn backend(&self) -> PowerLossBackend {
        PowerLossBackend { boot: self.state().boot, disk: self.clone() }
    }

    /// Ends everything that was opened, and loses what is not synced. [`Self::backend`] then opens what is
    /// left, on a disk without faults.
    ///
    /// # Errors
    /// When the platter cannot be read or written.
    pub fn crash(&self, unsynced: Unsynced) -> io::Result<()> {
        let mut state = self.state();
        match unsynced {
            Unsynced::Lost => {}
            Unsynced::Kept => state.sync()?,
            Unsynced::Torn { seed } => state.tear(seed)?,
        }
        state.boot += 1;
        state.failing = None;
        state.unsynced.clear();
        state.load()
    }

    /// From so many operations (writes, changes of length, syncs) on, each of them fails with `kind`, and a
    /// write leaves its first half behind. [`io::ErrorKind::StorageFull`] is a full disk.
    pub fn fail_after(&self, operations: u64, kind: io::ErrorKind) {
        let mut state = self.state();
        let after_operations = state.operations + operations;
        state.failing = Some(Failing { after_operations, kind });
    }

    /// How many operations there were so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// What reads would see now: what kill -9 leaves.
    pub fn image(&self) -> Vec<u8> {
        self.state().image.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the disk")
    }
}

impl State {
    fn load(&mut self) -> io::Result<()> {
        let bytes = usize::try_from(self.platter.len()?).map_err(io::Error::other)?;
        self.image = vec![0; bytes];
        if bytes > 0 {
            self.platter.read(0, &mut self.image)?;
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.platter.set_len(self.image.len() as u64)?;
        for (offset, bytes) in std::mem::take(&mut self.unsynced) {
            let end = (offset + bytes).min(self.image.len());
            if offset < end {
                self.platter.write(offset as u64, &self.image[offset..end])?;
            }
        }
        self.platter.sync_data()
    }

    fn tear(&mut self, seed: u64) -> io::Result<()> {
        let mut chance = Chance(seed);
        if chance.coin() {
            self.platter.set_len(self.image.len() as u64)?;
        }
        let bytes = usize::try_from(self.platter.len()?).map_err(io::Error::other)?.min(self.image.len());
        for (offset, length) in std::mem::take(&mut self.unsynced) {
            let mut at = offset;
            while at < (offset + length).min(bytes) {
                let sector_end = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
                let end = sector_end.min(offset + length).min(bytes);
                if chance.coin() {
                    self.platter.write(at as u64, &self.image[at..end])?;
                }
                at = end;
            }
        }
        self.platter.sync_data()
    }

    /// Counts an operation; an error if it is one that fails.
    fn operate(&mut self) -> io::Result<()> {
        self.operations += 1;
        match &self.failing {
            Some(failing) if self.operations > failing.after_operations => Err(failing.kind.into()),
            _ => Ok(()),
        }
    }

    fn put(&mut self, offset: usize, data: &[u8]) {
        let end = offset + data.len();
        if end > self.image.len() {
            self.image.resize(end, 0);
        }
        self.image[offset..end].copy_from_slice(data);
        self.unsynced.push((offset, data.len()));
    }
}

/// A file on a [`PowerLossDisk`]; after a crash of the disk every call is an error.
pub struct PowerLossBackend {
    disk: PowerLossDisk,
    boot: u64,
}

impl PowerLossBackend {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.boot == self.boot { Ok(state) } else { Err(io::Error::other("the power is off")) }
    }
}

impl fmt::Debug for PowerLossBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PowerLossBackend").field("boot", &self.boot).finish_non_exhaustive()
    }
}

impl StorageBackend for PowerLossBackend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state()?.image.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state()?;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let from = state.image.get(offset..offset + out.len());
        out.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state()?;
        state.operate()?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let before = state.image.len();
        state.image.resize(len, 0);
        if len > before {
            // What is cut off and grown again is zero, also on the platter.
            state.unsynced.push((before, len - before));
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state()?;
        state.operate()?;
        state.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state()?;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        if let Err(error) = state.operate() {
            let half = data.len() / 2;
            state.put(offset, &data[..half]);
            return Err(error);
        }
        state.put(offset, data);
        Ok(())
    }
}

/// A sequence of coins that a seed decides (splitmix64).
struct Chance(u64);

impl Chance {
    fn coin(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_synced_and_not() -> PowerLossDisk {
        let disk = PowerLossDisk::in_memory();
        let backend = disk.backend();
        backend.set_len(4096).unwrap();
        backend.write(0, &[1; 4096]).unwrap();
        backend.sync_data().unwrap();
        backend.write(0, &[2; 2048]).unwrap();
        disk
    }

    #[test]
    fn a_crash_loses_what_was_not_synced_and_nothing_else() {
        let disk = write_synced_and_not();
        let before = disk.backend();
        disk.crash(Unsynced::Lost).unwrap();
        assert_eq!(disk.image(), vec![1; 4096]);
        assert!(before.len().is_err(), "what was opened before is dead");
        assert_eq!(disk.backend().len().unwrap(), 4096);
    }

    #[test]
    fn a_killed_process_loses_nothing() {
        let disk = write_synced_and_not();
        disk.crash(Unsynced::Kept).unwrap();
        assert_eq!(disk.image(), [vec![2; 2048], vec![1; 2048]].concat());
    }

    #[test]
    fn a_torn_write_is_there_in_whole_sectors() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let disk = write_synced_and_not();
            disk.crash(Unsynced::Torn { seed }).unwrap();
            let image = disk.image();
            assert!(image.chunks(SECTOR_BYTES).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
            assert_eq!(image[2048..], [1; 2048]);
            seen.insert(image);
        }
        assert!(seen.len() > 8, "chance tears in {} ways only", seen.len());
    }

    #[test]
    fn a_failing_disk_fails_until_the_crash() {
        let disk = write_synced_and_not();
        let backend = disk.backend();
        disk.fail_after(1, io::ErrorKind::StorageFull);
        backend.write(0, &[3; 512]).unwrap();
        for outcome in [backend.write(512, &[3; 512]), backend.sync_data(), backend.set_len(0)] {
            assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::StorageFull);
        }
        disk.crash(Unsynced::Lost).unwrap();
        disk.backend().sync_data().unwrap();
    }
}
