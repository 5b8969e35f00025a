//! How much memory a process takes, as the kernel counts it.

use std::fs;

/// The memory of a process from a quiet moment on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    process: u32,
    /// When nothing was asked of it, in bytes.
    pub(crate) idle: u64,
}

impl Memory {
    /// From now on; what was taken at the start and given back does not count.
    pub(crate) fn watch(process: u32) -> Self {
        // The kernel forgets the greatest size so far.
        fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
        Memory { process, idle: read(process, "VmRSS:") }
    }

    /// The most that it took since, above what it took then, in bytes.
    pub(crate) fn most(&self) -> u64 {
        read(self.process, "VmHWM:").saturating_sub(self.idle)
    }

    /// What it takes now, above what it took then, in bytes.
    pub(crate) fn now(&self) -> u64 {
        read(self.process, "VmRSS:").saturating_sub(self.idle)
    }

    /// That it never took more than so much above what it took when idle.
    #[track_caller]
    pub(crate) fn below(&self, bytes_max: u64, what: &str) {
        let (most, now) = (self.most(), self.now());
        let mib = |bytes: u64| bytes >> 20;
        println!(
            "{what}: {} MiB when idle, {} MiB more at most, {} MiB more at the end",
            mib(self.idle),
            mib(most),
            mib(now)
        );
        assert!(most <= bytes_max, "{what}: {} MiB above idle, at most {} MiB", mib(most), mib(bytes_max));
    }
}

fn read(process: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let kib: u64 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    kib << 10
}

/// How many files and connections a process has open.
pub(crate) fn open_files(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}
