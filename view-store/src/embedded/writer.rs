//! The one thread that changes the file, and the queue before it.
//!
//! Writing has a thread of its own because a redb transaction may have to wait for the disk (a flush, or
//! the cache making room), and because calls that wait while one transaction runs then share the next.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
};

use redb::Database;
use tokio::sync::{
    OwnedSemaphorePermit, Semaphore,
    mpsc::{self, error::TryRecvError},
    oneshot,
};

use super::{
    commit::{self, StoredRow},
    health::{Fault, Health, guarded},
    retire,
};
use crate::port::StoreError;

/// Calls that may wait for the thread; more wait to be queued. Enough that many streams' small writes
/// fill a transaction, few enough that the queue's own memory is nothing.
const QUEUE_CALLS_MAX: usize = 1024;

/// Bytes of rows that may wait for the thread. A rebuild writes faster than it could ever be committed
/// otherwise; a single larger call waits until the queue is empty.
const QUEUE_KIB_MAX: u32 = 64 * 1024;

/// Rows and bytes after which no further call joins a transaction (a call is never split): a few tens of
/// milliseconds of work, which is what a lone small write may have to wait.
const GROUP_ROWS_MAX: usize = 4096;
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

type Done = oneshot::Sender<Result<(), StoreError>>;

enum Job {
    Write { rows: Vec<StoredRow>, room: OwnedSemaphorePermit, done: Done },
    Flush { done: Done },
    Retire { generation: u32, done: Done },
}

/// The way to the writing thread.
pub(super) struct Writer {
    // `None` only after `stop`.
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    room: Arc<Semaphore>,
    health: Arc<Health>,
}

impl Writer {
    pub(super) fn start(database: Arc<Database>, health: Arc<Health>) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE_CALLS_MAX);
        let writing =
            WriteLoop { database, jobs, health: Arc::clone(&health), is_dirty: false, retired: Vec::new() };
        let thread = thread::Builder::new().name("view-store".to_owned()).spawn(|| writing.run())?;
        let room = Arc::new(Semaphore::new(QUEUE_KIB_MAX as usize));
        Ok(Writer { queue: Some(queue), thread: Some(thread), room, health })
    }

    /// Returns when the rows are visible.
    pub(super) async fn write(&self, rows: Vec<StoredRow>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return self.health.check();
        }
        let kib = rows.iter().map(StoredRow::bytes).sum::<usize>().div_ceil(1024);
        let kib = u32::try_from(kib).unwrap_or(u32::MAX).min(QUEUE_KIB_MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(kib).await.map_err(|_| self.stopped())?;
        self.ask(|done| Job::Write { rows, room, done }).await
    }

    /// Returns when everything written before is durable.
    pub(super) async fn flush(&self) -> Result<(), StoreError> {
        self.ask(|done| Job::Flush { done }).await
    }

    /// Returns when nobody will ever find the generation's rows again.
    pub(super) async fn retire(&self, generation: u32) -> Result<(), StoreError> {
        self.ask(|done| Job::Retire { generation, done }).await
    }

    async fn ask(&self, job: impl FnOnce(Done) -> Job) -> Result<(), StoreError> {
        self.health.check()?;
        let queue = self.queue.as_ref().expect("the queue is there until the last handle is dropped");
        let (done, answer) = oneshot::channel();
        queue.send(job(done)).await.map_err(|_| self.stopped())?;
        answer.await.map_err(|_| self.stopped())?
    }

    /// The thread ends by itself only if something in it panicked that must not.
    fn stopped(&self) -> StoreError {
        self.health.fail(Fault::Disk("the thread that writes it ended".to_owned()))
    }

    /// Lets the thread finish what is queued and waits for its end.
    pub(super) fn stop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was told to whoever waited; here nobody is left to be told.
            let _ = thread.join();
        }
    }
}

struct WriteLoop {
    database: Arc<Database>,
    jobs: mpsc::Receiver<Job>,
    health: Arc<Health>,
    /// Whether anything was written since the last flush.
    is_dirty: bool,
    /// Tables of retired generations, to be emptied bit by bit.
    retired: Vec<String>,
}

/// What the thread finds in its queue.
enum Waiting {
    Job(Job),
    /// Nothing at the moment.
    Nothing,
    /// The last handle is gone.
    End,
}

impl WriteLoop {
    fn run(mut self) {
        self.find_retired();
        let mut next = None;
        loop {
            let waiting = next.take().map_or_else(|| self.wait(), Waiting::Job);
            match waiting {
                Waiting::Job(Job::Write { rows, room, done }) => next = self.write_group(rows, room, done),
                Waiting::Job(Job::Flush { done }) => answer(done, self.flush()),
                Waiting::Job(Job::Retire { generation, done }) => answer(done, self.retire(generation)),
                Waiting::Nothing => {}
                Waiting::End => return,
            }
            self.empty_retired();
        }
    }

    /// Sleeps until there is a job, unless there is something else to do.
    fn wait(&mut self) -> Waiting {
        if self.retired.is_empty() {
            return self.jobs.blocking_recv().map_or(Waiting::End, Waiting::Job);
        }
        match self.jobs.try_recv() {
            Ok(job) => Waiting::Job(job),
            Err(TryRecvError::Empty) => Waiting::Nothing,
            Err(TryRecvError::Disconnected) => Waiting::End,
        }
    }

    /// Commits a call's rows together with those of the calls that wait behind it; returns the job that
    /// ended the group.
    fn write_group(&mut self, rows: Vec<StoredRow>, room: OwnedSemaphorePermit, done: Done) -> Option<Job> {
        let mut group = rows;
        let mut bytes: usize = group.iter().map(StoredRow::bytes).sum();
        let mut waiting = vec![(room, done)];
        let mut next = None;
        while group.len() < GROUP_ROWS_MAX && bytes < GROUP_BYTES_MAX {
            match self.jobs.try_recv() {
                Ok(Job::Write { rows, room, done }) => {
                    bytes += rows.iter().map(StoredRow::bytes).sum::<usize>();
                    group.extend(rows);
                    waiting.push((room, done));
                }
                Ok(other) => {
                    next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        let outcome = self.attempt(|database| commit::write(database, group));
        self.is_dirty |= matches!(outcome, Ok(true));
        for (room, done) in waiting {
            drop(room);
            answer(done, outcome.as_ref().map(|_| ()).map_err(|error| StoreError::Stop(error.to_string())));
        }
        next
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if !self.is_dirty {
            return self.health.check();
        }
        self.attempt(commit::flush)?;
        self.is_dirty = false;
        Ok(())
    }

    fn retire(&mut self, generation: u32) -> Result<(), StoreError> {
        self.attempt(|database| retire::set_aside(database, generation))?;
        self.is_dirty = true;
        self.find_retired();
        self.flush()
    }

    fn find_retired(&mut self) {
        self.retired = self.attempt(retire::set_aside_before).unwrap_or_default();
    }

    /// Does a bit of what is left of retired generations.
    fn empty_retired(&mut self) {
        let Some(name) = self.retired.last() else { return };
        match self.attempt(|database| retire::remove_some(database, name)) {
            Ok(is_gone) => {
                self.is_dirty = true;
                if is_gone {
                    self.retired.pop();
                }
            }
            // The store is broken, which everybody is told who asks for anything.
            Err(_) => self.retired.clear(),
        }
    }

    /// Changes the file, unless an earlier change failed.
    fn attempt<T>(&self, change: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, StoreError> {
        self.health.check()?;
        guarded(|| change(&self.database)).map_err(|fault| self.health.fail(fault))
    }
}

fn answer(done: Done, result: Result<(), StoreError>) {
    // Whoever asked may have stopped waiting; the change stands all the same.
    let _ = done.send(result);
}
