//! A disk without room, made of what the system offers: a bound on the size of files, which everybody may set,
//! or a file system in memory that only the processes of a test see.

use std::{
    fmt, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::process::{Service, Setup};

/// What is left when the room becomes narrow: some hundred deliveries.
const LEFT_BYTES: u64 = 256 << 10;

/// Where data lies, and how much of it may.
pub(crate) enum Room {
    /// Files may not grow beyond this.
    FileSizes { bytes_max: Option<u64> },
    /// A file system of its own, as long as the process that keeps it lives.
    Memory { keeper: Child, mounted: PathBuf },
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Room::FileSizes { .. } => "bound on file sizes",
            Room::Memory { .. } => "file system in memory",
        })
    }
}

impl Room {
    pub(crate) fn of_file_sizes() -> Self {
        Room::FileSizes { bytes_max: None }
    }

    /// `None` where this user may not mount anything. Nothing is mounted for others: it is gone with the keeper.
    pub(crate) async fn in_memory() -> Option<Self> {
        let mounted = PathBuf::from("/mnt");
        let script = format!(
            "mount -t tmpfs -o size=1g tmpfs {0} && echo mounted && exec sleep 3600",
            mounted.display()
        );
        let mut keeper = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "/bin/sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let mut lines = BufReader::new(keeper.stdout.take()?).lines();
        lines.next_line().await.ok()??;
        Some(Room::Memory { keeper, mounted })
    }

    /// A process whose data lies in this room.
    pub(crate) fn wrap(&self, setup: Setup) -> Setup {
        match self {
            // The signal would end the process before any write could fail.
            Room::FileSizes { .. } => setup.through(r#"trap '' XFSZ; exec "$@""#),
            Room::Memory { mounted, .. } => setup
                .with("DATA_DIR", mounted.join("data").to_str().unwrap())
                .through(&format!(r#"exec nsenter --mount --target {} -- "$@""#, self.keeper())),
        }
    }

    /// Leaves little more room than what is taken.
    pub(crate) async fn squeeze(&mut self, service: &Service, data: &Path) {
        match self {
            Room::FileSizes { bytes_max } => {
                let largest = files(data).map(|file| file.len()).max().expect("there are files");
                *bytes_max = Some(largest);
                let bound = format!("--fsize={largest}:");
                call("prlimit", &["--pid", &service.running.id().to_string(), &bound]).await;
            }
            Room::Memory { .. } => {
                // Seen from outside by way of the keeper.
                let root = format!("/proc/{}/root", self.keeper());
                let data = Path::new(&root).join(data.strip_prefix("/").unwrap());
                let taken: u64 = files(&data).map(|file| file.blocks() * 512).sum();
                self.resize(&(taken + LEFT_BYTES).to_string()).await;
            }
        }
    }

    /// How a process is started while there is no room.
    pub(crate) fn still_full(&self, setup: Setup) -> Setup {
        match self {
            Room::FileSizes { bytes_max } => {
                let bytes_max = bytes_max.expect("it is narrow");
                setup.through(&format!(r#"trap '' XFSZ; exec prlimit --fsize={bytes_max} "$@""#))
            }
            Room::Memory { .. } => setup,
        }
    }

    /// Makes room again.
    pub(crate) async fn widen(&mut self) {
        match self {
            Room::FileSizes { bytes_max } => *bytes_max = None,
            Room::Memory { .. } => self.resize("1g").await,
        }
    }

    fn keeper(&self) -> u32 {
        match self {
            Room::FileSizes { .. } => unreachable!("files need no keeper"),
            Room::Memory { keeper, .. } => keeper.id().expect("the keeper lives"),
        }
    }

    async fn resize(&self, size: &str) {
        let Room::Memory { mounted, .. } = self else { return };
        let keeper = self.keeper().to_string();
        let options = format!("remount,size={size}");
        let mounted = mounted.to_str().unwrap();
        call("nsenter", &["--mount", "--target", &keeper, "--", "mount", "-o", &options, mounted]).await;
    }
}

fn files(folder: &Path) -> impl Iterator<Item = fs::Metadata> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap())
}

async fn call(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().await.unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}
