//! What the program is measured against, each the least that could do its job, on the same crates: a server that
//! answers constant bytes, a door that only checks the signature, one that also appends to a plain file.

mod append;
mod constant;
mod door;
mod plain_log;

use std::{net::SocketAddr, path::PathBuf};

use clap::Subcommand;
use tokio::net::TcpListener;

pub(crate) use append::Appended;

/// A peer to run until it is killed. It writes its address in one line when it is ready.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Peer {
    /// Constant bytes on hyper: `plain`, `gzip` and `304`, from the files of a folder.
    Hyper { folder: PathBuf },
    /// The same as routes of axum.
    Axum { folder: PathBuf },
    /// Checks the signature of what is posted, and keeps nothing.
    Hmac,
    /// Checks the signature, and appends to a plain file with grouped fdatasync.
    HmacLog { folder: PathBuf },
    /// Our own door on our own log, without anything behind it.
    Door { folder: PathBuf },
    /// Appends to a plain file with fdatasync, in groups, for so many milliseconds; prints what came of it.
    Append { folder: PathBuf, group: usize, bytes: usize, milliseconds: u64 },
    /// The same on our own log.
    Log { folder: PathBuf, group: usize, bytes: usize, milliseconds: u64 },
}

impl Peer {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        // The same runtime as the program has: as many threads as there are cores to run on.
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        match self {
            Peer::Hyper { folder } => runtime.block_on(constant::hyper(&folder)),
            Peer::Axum { folder } => runtime.block_on(constant::axum(&folder)),
            Peer::Hmac => runtime.block_on(door::hmac(None)),
            Peer::HmacLog { folder } => {
                let log = plain_log::PlainLog::create(&folder)?;
                runtime.block_on(door::hmac(Some(log)))
            }
            Peer::Door { folder } => runtime.block_on(door::ours(&folder)),
            Peer::Append { folder, group, bytes, milliseconds } => {
                append::plain(&folder, group, bytes, milliseconds)
            }
            Peer::Log { folder, group, bytes, milliseconds } => {
                runtime.block_on(append::ours(&folder, group, bytes, milliseconds))
            }
        }
    }
}

/// Listens anywhere, and tells where.
async fn listen() -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    println!("{}", listener.local_addr()?);
    Ok(listener)
}
