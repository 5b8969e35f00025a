//! What to ask next: pure, with the time as an argument.
//!
//! Accounts take turns, so that a new account with thousands of repositories does not hold up a doubt of
//! another one. Within an account the order is by what readers see first: who it is, which repositories,
//! commits, pull requests, the rest.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use domain::{Millis, NeedKey, StreamKey, need::Need};

/// First pause after a question that came to nothing; a record on its way needs about as long.
const PAUSE_MIN_MS: i64 = 1_000;
/// Longest pause; a number in doubt is settled within 45 s (contract §4).
const PAUSE_MAX_MS: i64 = 5_000;

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Task {
    pub(crate) stream: StreamKey,
    pub(crate) what: What,
}

/// What to do about a stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum What {
    /// Ask what a need row names.
    Need(NeedKey),
    /// Ask about everything, because it was long ago.
    Sweep,
    /// Ask again what stargazers starred, because it was long ago.
    Stars,
    /// Look through what one of the account's webhooks has sent.
    Deliveries(u64),
    /// Look for webhooks.
    Hooks,
    /// Ask which public repositories are the newest.
    Latest,
}

impl What {
    /// The order within an account.
    fn class(&self) -> u8 {
        match self {
            What::Need(NeedKey::Login(..) | NeedKey::GistUser(_)) => 0,
            What::Need(NeedKey::Profile) => 1,
            What::Need(NeedKey::Repositories | NeedKey::Gists) => 2,
            What::Need(NeedKey::Commits(_) | NeedKey::Pull(..)) => 3,
            What::Need(NeedKey::Pulls(_)) => 4,
            What::Deliveries(_) => 5,
            What::Need(NeedKey::Repository(_)) => 6,
            What::Need(NeedKey::Languages(_)) => 7,
            // What is sent is not asked here.
            What::Need(NeedKey::Everything | NeedKey::Outbox) => 8,
            What::Hooks => 9,
            What::Sweep => 10,
            What::Latest => 11,
            // Hundreds of requests, which put off nothing else.
            What::Need(NeedKey::Stargazers(_) | NeedKey::Starred(_) | NeedKey::OwnStars) => 12,
            What::Stars => 13,
        }
    }
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// An answer was appended. Its fold ends the need; if it does not, the task is done again.
    Answered,
    /// A first part was appended and the rest may follow at once.
    Part,
    /// Nothing came of it.
    Failed,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// What its row says; zero for a sweep.
    not_before: Millis,
    /// The end of the pause after it came to nothing. It runs from the attempt: a row that is written again
    /// and again puts off nothing.
    paused_until: Millis,
    attempts: u32,
}

impl Entry {
    /// When it may run.
    fn at(&self) -> Millis {
        self.not_before.max(self.paused_until)
    }
}

#[derive(Debug, Default)]
struct Queue {
    entries: HashMap<What, Entry, foldhash::fast::RandomState>,
    /// Waiting entries by the time from which they may run.
    waiting: BTreeSet<(Millis, What)>,
    /// Entries that may run, in the order in which they should.
    ready: BTreeSet<(u8, What)>,
    /// Where the account stands in [`Schedule::turns`].
    turn: Option<(Millis, u64)>,
}

/// Everything that is to be asked.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    queues: HashMap<StreamKey, Queue, foldhash::fast::RandomState>,
    /// Accounts by when they may run next; those that were served last come last.
    turns: BTreeMap<(Millis, u64), StreamKey>,
    running: HashSet<Task, foldhash::fast::RandomState>,
    served: u64,
    size: usize,
}

impl Schedule {
    /// Notes what a need row says.
    pub(crate) fn note(&mut self, stream: StreamKey, key: NeedKey, need: &Need, now: Millis) {
        let what = What::Need(key);
        match need {
            Need::Open { not_before, .. } => self.add(stream, what, *not_before, now),
            Need::Met => self.remove(stream, &what, now),
        }
    }

    /// Adds a task, or moves it to another time.
    pub(crate) fn add(&mut self, stream: StreamKey, what: What, not_before: Millis, now: Millis) {
        let queue = self.queues.entry(stream).or_default();
        // What came to nothing a moment ago is not asked at once only because its row was written again.
        let entry = queue.take(&what).unwrap_or_else(|| {
            self.size += 1;
            Entry { not_before, paused_until: Millis(0), attempts: 0 }
        });
        let is_running = self.running.contains(&Task { stream, what: what.clone() });
        queue.put(what, Entry { not_before, ..entry }, is_running);
        self.take_turn(stream, now);
    }

    /// Removes a task; one that is running ends by itself.
    pub(crate) fn remove(&mut self, stream: StreamKey, what: &What, now: Millis) {
        if let Some(queue) = self.queues.get_mut(&stream)
            && queue.take(what).is_some()
        {
            self.size -= 1;
            self.take_turn(stream, now);
        }
    }

    /// The next task that may run now.
    pub(crate) fn next(&mut self, now: Millis) -> Option<Task> {
        loop {
            let (&turn, &stream) = self.turns.first_key_value()?;
            if turn.0 > now {
                return None;
            }
            self.turns.remove(&turn);
            let queue = self.queues.get_mut(&stream)?;
            queue.turn = None;
            queue.wake(now);
            let next = queue.ready.pop_first();
            if next.is_some() {
                self.served += 1;
            }
            let task = next.map(|(_, what)| Task { stream, what });
            if let Some(task) = &task {
                self.running.insert(task.clone());
            }
            self.take_turn(stream, now);
            if task.is_some() {
                return task;
            }
        }
    }

    /// Notes how a task ended.
    pub(crate) fn ended(&mut self, task: &Task, ended: Ended, now: Millis) {
        self.running.remove(task);
        let Some(queue) = self.queues.get_mut(&task.stream) else { return };
        let Some(entry) = queue.take(&task.what) else { return };
        if !matches!(task.what, What::Need(_)) && ended == Ended::Answered {
            self.size -= 1;
            self.take_turn(task.stream, now);
            return;
        }
        let (attempts, paused_until) = match ended {
            Ended::Part => (0, Millis(0)),
            Ended::Answered | Ended::Failed => (entry.attempts + 1, now.plus(pause_ms(entry.attempts + 1))),
        };
        queue.put(task.what.clone(), Entry { paused_until, attempts, ..entry }, false);
        self.take_turn(task.stream, now);
    }

    /// When to look again; `None` while nothing waits.
    pub(crate) fn next_at(&self) -> Option<Millis> {
        self.turns.first_key_value().map(|(turn, _)| turn.0)
    }

    /// How many tasks there are, the running ones included.
    pub(crate) fn len(&self) -> usize {
        self.size
    }

    /// Forgets what rows told, before they are read again. Of sweeps no row tells: they stay.
    pub(crate) fn forget_needs(&mut self, now: Millis) {
        let mut swept: Vec<(StreamKey, What)> = Vec::new();
        for what in [What::Sweep, What::Stars] {
            let queues = self.queues.iter().filter(|(_, queue)| queue.entries.contains_key(&what));
            swept.extend(queues.map(|(stream, _)| (*stream, what.clone())));
        }
        self.queues.clear();
        self.turns.clear();
        self.size = 0;
        for (stream, what) in swept {
            self.add(stream, what, now, now);
        }
    }

    /// Forgets the tasks of streams that are for another process to ask about.
    pub(crate) fn let_go(&mut self, is_held: impl Fn(StreamKey) -> bool) {
        let gone: Vec<StreamKey> = self.queues.keys().copied().filter(|stream| !is_held(*stream)).collect();
        for stream in gone {
            let Some(queue) = self.queues.remove(&stream) else { continue };
            self.size -= queue.entries.len();
            if let Some(turn) = queue.turn {
                self.turns.remove(&turn);
            }
        }
        self.running.retain(|task| is_held(task.stream));
    }

    /// Puts an account where its next task belongs, behind those that were served before.
    fn take_turn(&mut self, stream: StreamKey, now: Millis) {
        let Some(queue) = self.queues.get_mut(&stream) else { return };
        if let Some(turn) = queue.turn.take() {
            self.turns.remove(&turn);
        }
        if let Some(at) = queue.next_at(now) {
            let turn = (at, self.served);
            let turn = self.free_turn(turn);
            self.turns.insert(turn, stream);
            if let Some(queue) = self.queues.get_mut(&stream) {
                queue.turn = Some(turn);
            }
        } else if queue.entries.is_empty() {
            self.queues.remove(&stream);
        }
    }

    fn free_turn(&self, mut turn: (Millis, u64)) -> (Millis, u64) {
        while self.turns.contains_key(&turn) {
            turn.1 += 1;
        }
        turn
    }
}

impl Queue {
    fn take(&mut self, what: &What) -> Option<Entry> {
        let entry = self.entries.remove(what)?;
        self.waiting.remove(&(entry.at(), what.clone()));
        self.ready.remove(&(what.class(), what.clone()));
        Some(entry)
    }

    fn put(&mut self, what: What, entry: Entry, is_running: bool) {
        if !is_running {
            self.waiting.insert((entry.at(), what.clone()));
        }
        self.entries.insert(what, entry);
    }

    fn wake(&mut self, now: Millis) {
        while let Some((at, _)) = self.waiting.first()
            && *at <= now
            && let Some((_, what)) = self.waiting.pop_first()
        {
            self.ready.insert((what.class(), what));
        }
    }

    /// `now` if something may run already.
    fn next_at(&self, now: Millis) -> Option<Millis> {
        if !self.ready.is_empty() {
            return Some(now);
        }
        self.waiting.first().map(|(at, _)| (*at).max(now))
    }
}

fn pause_ms(attempts: u32) -> i64 {
    (PAUSE_MIN_MS << attempts.saturating_sub(1).min(8)).min(PAUSE_MAX_MS)
}

#[cfg(test)]
mod tests {
    use domain::{AccountId, RepoId, Version};

    use super::*;

    fn stream(id: u64) -> StreamKey {
        StreamKey::Account(AccountId::github(id))
    }

    fn open(not_before: i64) -> Need {
        Need::Open { is_doubt: true, raised_at: Version::NONE, not_before: Millis(not_before) }
    }

    fn commits(id: u64) -> NeedKey {
        NeedKey::Commits(RepoId::github(id))
    }

    #[test]
    fn what_readers_see_first_comes_first() {
        let mut schedule = Schedule::default();
        let now = Millis(100);
        let languages = NeedKey::Languages(RepoId::github(1));
        for key in [languages.clone(), commits(1), NeedKey::Repositories, NeedKey::Profile] {
            schedule.note(stream(1), key, &open(0), now);
        }
        let order: Vec<What> = std::iter::from_fn(|| schedule.next(now)).map(|task| task.what).collect();
        let expected = [NeedKey::Profile, NeedKey::Repositories, commits(1), languages];
        assert_eq!(order, expected.map(What::Need));
    }

    #[test]
    fn what_another_process_asks_is_let_go_and_comes_back_with_its_rows() {
        let mut schedule = Schedule::default();
        let now = Millis(10);
        for id in [1, 2] {
            schedule.note(stream(id), commits(id), &open(0), Millis(0));
        }
        let running = schedule.next(now).map(|task| task.stream);
        assert_eq!(running, Some(stream(1)));
        schedule.let_go(|held| held == stream(2));
        assert_eq!(schedule.len(), 1);
        assert_eq!(schedule.next(now).map(|task| task.stream), Some(stream(2)));
        schedule.note(stream(1), commits(1), &open(0), now);
        assert_eq!(schedule.next(now).map(|task| task.stream), Some(stream(1)), "it is asked again at once");
    }

    #[test]
    fn accounts_take_turns() {
        let mut schedule = Schedule::default();
        for id in 0..100 {
            schedule.note(stream(1), commits(id), &open(0), Millis(0));
        }
        let now = Millis(10);
        schedule.next(now);
        schedule.note(stream(2), commits(500), &open(0), now);
        let next: Vec<StreamKey> =
            (0..3).filter_map(|_| schedule.next(now)).map(|task| task.stream).collect();
        assert!(next.contains(&stream(2)), "{next:?}");
    }

    #[test]
    fn nothing_runs_before_its_time_or_twice_at_once() {
        let mut schedule = Schedule::default();
        schedule.note(stream(1), commits(1), &open(50), Millis(0));
        assert_eq!(schedule.next(Millis(49)), None);
        assert_eq!(schedule.next_at(), Some(Millis(50)));
        let task = schedule.next(Millis(50)).unwrap();
        schedule.note(stream(1), commits(1), &open(60), Millis(55));
        assert_eq!(schedule.next(Millis(70)), None, "it is running");
        schedule.ended(&task, Ended::Answered, Millis(70));
        assert_eq!(schedule.next(Millis(70)), None, "its answer is being folded");
        assert_eq!(schedule.next(Millis(70 + PAUSE_MIN_MS)), Some(task.clone()));
        schedule.ended(&task, Ended::Answered, Millis(70 + PAUSE_MIN_MS));
        schedule.note(stream(1), commits(1), &Need::Met, Millis(3_000));
        assert_eq!((schedule.next(Millis(99_000)), schedule.len()), (None, 0));
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        let mut schedule = Schedule::default();
        schedule.note(stream(1), commits(1), &open(0), Millis(0));
        let mut now = Millis(0);
        let mut pauses = Vec::new();
        for _ in 0..5 {
            let task = schedule.next(now).unwrap();
            schedule.ended(&task, Ended::Failed, now);
            let at = schedule.next_at().unwrap();
            pauses.push(at.0 - now.0);
            now = at;
        }
        assert_eq!(pauses, [1_000, 2_000, 4_000, 5_000, 5_000]);
    }

    #[test]
    fn a_row_that_is_written_again_and_again_puts_nothing_off() {
        let mut schedule = Schedule::default();
        schedule.note(stream(1), commits(1), &open(0), Millis(0));
        let mut now = Millis(0);
        for _ in 0..5 {
            let task = schedule.next(now).unwrap();
            schedule.ended(&task, Ended::Failed, now);
            let at = schedule.next_at().unwrap();
            while now < at {
                assert_eq!(schedule.next(now), None, "nor does it hurry anything");
                schedule.note(stream(1), commits(1), &open(now.0), now);
                now = now.plus(500);
            }
            assert_eq!(schedule.next_at(), Some(at));
        }
    }

    #[test]
    fn a_sweep_outlives_a_new_look_at_the_rows() {
        let mut schedule = Schedule::default();
        let now = Millis(5);
        schedule.note(stream(1), commits(1), &open(0), now);
        schedule.add(stream(1), What::Sweep, now, now);
        schedule.forget_needs(now);
        assert_eq!(schedule.len(), 1);
        assert_eq!(schedule.next(now), Some(Task { stream: stream(1), what: What::Sweep }));
    }

    #[test]
    fn a_part_goes_on_at_once() {
        let mut schedule = Schedule::default();
        let now = Millis(5);
        schedule.note(stream(1), NeedKey::Pulls(RepoId::github(1)), &open(0), now);
        let task = schedule.next(now).unwrap();
        schedule.ended(&task, Ended::Part, now);
        assert_eq!(schedule.next(now), Some(task));
    }
}
