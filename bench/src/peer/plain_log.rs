//! A plain file to append to: whatever waits is written at once, followed by one fdatasync.

use std::{fs::File, io::Write as _, path::Path, sync::mpsc, thread};

use bytes::Bytes;
use tokio::sync::oneshot;

/// Appends that share a sync at most, as in our own log.
const GROUP_MAX: usize = 1024;

type Waiting = (Bytes, oneshot::Sender<()>);

/// A plain file to append to.
#[derive(Clone)]
pub(super) struct PlainLog(mpsc::Sender<Waiting>);

impl PlainLog {
    pub(super) fn create(folder: &Path) -> anyhow::Result<Self> {
        let file = File::create(folder.join("plain-log"))?;
        let (sender, receiver) = mpsc::channel();
        thread::Builder::new().name("plain-log".to_owned()).spawn(move || write(file, &receiver))?;
        Ok(PlainLog(sender))
    }

    /// Returns once it is durable.
    pub(super) async fn append(&self, bytes: Bytes) -> bool {
        let (reply, done) = oneshot::channel();
        self.0.send((bytes, reply)).is_ok() && done.await.is_ok()
    }
}

fn write(mut file: File, waiting: &mpsc::Receiver<Waiting>) {
    let mut together = Vec::new();
    while let Ok(first) = waiting.recv() {
        let rest = std::iter::from_fn(|| waiting.try_recv().ok()).take(GROUP_MAX - 1);
        let group: Vec<Waiting> = std::iter::once(first).chain(rest).collect();
        together.clear();
        for (bytes, _) in &group {
            together.extend_from_slice(bytes);
        }
        if file.write_all(&together).and_then(|()| file.sync_data()).is_err() {
            return;
        }
        for (_, reply) in group {
            // Whoever stopped waiting needs no answer.
            let _ = reply.send(());
        }
    }
}
