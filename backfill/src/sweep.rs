//! When each account was checked last, and when it is due: the one checked longest ago first.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use domain::{
    AccountId, Millis,
    directory::{Directory, DirectoryState},
    event::TrackedBy,
};

/// What the opened door made due is planned again after this, unless it was checked by then: until it is,
/// everything about the account is called incomplete.
const DOOR_PAUSE_MS: i64 = 60_000;

/// What to do about an account that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Ask about everything.
    Sweep(AccountId),
    /// Nobody has read it for long: let it go.
    Drop(AccountId),
}

#[derive(Debug, Clone, Copy)]
struct Known {
    checked_ms: Option<Millis>,
    since_ms: Millis,
    /// When a sweep of it began last, whatever came of it.
    swept_ms: Millis,
    drop_at: Option<Millis>,
    due: Millis,
}

/// All kept accounts, by when they are due.
#[derive(Debug)]
pub(crate) struct Sweep {
    interval_ms: Option<i64>,
    unread_ms: i64,
    door_ms: Millis,
    known: HashMap<AccountId, Known>,
    due: BTreeSet<(Millis, AccountId)>,
}

impl Sweep {
    pub(crate) fn new(interval: Option<Duration>, unread_max: Duration) -> Self {
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Sweep {
            interval_ms: interval.map(millis),
            unread_ms: millis(unread_max),
            door_ms: Millis(0),
            known: HashMap::new(),
            due: BTreeSet::new(),
        }
    }

    /// Whether accounts are swept at all.
    pub(crate) fn is_on(&self) -> bool {
        self.interval_ms.is_some()
    }

    /// Our door opened: what was checked before is due at once.
    pub(crate) fn door_opened(&mut self, at: Millis) {
        self.door_ms = self.door_ms.max(at);
        for account in self.known.keys().copied().collect::<Vec<_>>() {
            self.plan(account);
        }
    }

    /// Notes how an account is doing.
    pub(crate) fn note(&mut self, account: AccountId, directory: &Directory) {
        let swept_ms = self.known.get(&account).map_or(Millis(0), |known| known.swept_ms);
        self.forget(account);
        if !matches!(directory.state, DirectoryState::Kept | DirectoryState::Hidden) {
            return;
        }
        let read_only = directory.by == Some(TrackedBy::Read);
        self.known.insert(
            account,
            Known {
                checked_ms: directory.checked_ms,
                since_ms: directory.since_ms,
                swept_ms,
                drop_at: read_only.then(|| directory.read_ms.plus(self.unread_ms)),
                due: Millis(i64::MAX),
            },
        );
        self.plan(account);
    }

    /// Forgets accounts that are for another process to ask about.
    pub(crate) fn let_go(&mut self, is_held: impl Fn(AccountId) -> bool) {
        let gone: Vec<AccountId> = self.known.keys().copied().filter(|account| !is_held(*account)).collect();
        for account in gone {
            self.forget(account);
        }
    }

    /// The next account that is due.
    pub(crate) fn next(&mut self, now: Millis) -> Option<Due> {
        let &(due, account) = self.due.first()?;
        if due > now {
            return None;
        }
        let known = self.known.get_mut(&account)?;
        known.swept_ms = now;
        let drop_due = known.drop_at.is_some_and(|at| at <= now);
        self.plan(account);
        Some(if drop_due { Due::Drop(account) } else { Due::Sweep(account) })
    }

    /// When to look again.
    pub(crate) fn next_at(&self) -> Option<Millis> {
        self.due.first().map(|(due, _)| *due)
    }

    fn forget(&mut self, account: AccountId) {
        if let Some(known) = self.known.remove(&account) {
            self.due.remove(&(known.due, account));
        }
    }

    fn plan(&mut self, account: AccountId) {
        let (interval, door) = (self.interval_ms, self.door_ms);
        let Some(known) = self.known.get_mut(&account) else { return };
        self.due.remove(&(known.due, account));
        // When, and how long after the last one began: one that came to nothing is not begun again at once.
        let sweep = match (known.checked_ms, interval) {
            // Deliveries may have been refused since: at once, even where there is no sweep.
            (Some(checked), _) if checked < door => {
                Some((Millis(0), interval.unwrap_or(DOOR_PAUSE_MS).min(DOOR_PAUSE_MS)))
            }
            (Some(checked), Some(interval)) => Some((checked.plus(interval), interval)),
            // Still being loaded for the first time.
            (None, Some(interval)) => Some((known.since_ms.plus(interval), interval)),
            (_, None) => None,
        };
        let sweep =
            sweep.map(
                |(due, pause)| {
                    if known.swept_ms > Millis(0) { due.max(known.swept_ms.plus(pause)) } else { due }
                },
            );
        let due = sweep.into_iter().chain(known.drop_at.filter(|at| known.swept_ms < *at)).min();
        known.due = due.unwrap_or(Millis(i64::MAX));
        self.due.insert((known.due, account));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    const HOUR_MS: i64 = 3_600_000;

    fn directory(checked: Option<i64>, by: TrackedBy) -> Directory {
        Directory {
            state: DirectoryState::Kept,
            login: None,
            by: Some(by),
            since_ms: Millis(0),
            read_ms: Millis(0),
            listed: true,
            complete: true,
            checked_ms: checked.map(Millis),
            repositories: 1,
        }
    }

    fn sweep() -> Sweep {
        Sweep::new(Some(Duration::from_secs(3600)), DAY * 30)
    }

    #[test]
    fn the_one_checked_longest_ago_comes_first() {
        let mut sweep = sweep();
        let [old, new] = [AccountId::github(1), AccountId::github(2)];
        sweep.note(new, &directory(Some(500), TrackedBy::Person));
        sweep.note(old, &directory(Some(400), TrackedBy::Person));
        assert_eq!(sweep.next(Millis(HOUR_MS)), None);
        assert_eq!(sweep.next(Millis(HOUR_MS + 1_000)), Some(Due::Sweep(old)));
        assert_eq!(sweep.next(Millis(HOUR_MS + 1_000)), Some(Due::Sweep(new)));
        assert_eq!(sweep.next(Millis(HOUR_MS + 1_000)), None, "both have begun");
    }

    #[test]
    fn an_opened_door_makes_everything_due_once() {
        let mut sweep = sweep();
        let account = AccountId::github(1);
        sweep.note(account, &directory(Some(400), TrackedBy::Person));
        sweep.door_opened(Millis(401));
        assert_eq!(sweep.next(Millis(402)), Some(Due::Sweep(account)));
        sweep.note(account, &directory(Some(400), TrackedBy::Person));
        assert_eq!(sweep.next(Millis(403)), None, "it is under way");
        assert_eq!(sweep.next(Millis(402 + DOOR_PAUSE_MS)), Some(Due::Sweep(account)), "it came to nothing");
        sweep.note(account, &directory(Some(402), TrackedBy::Person));
        assert_eq!(sweep.next_at(), Some(Millis(402 + DOOR_PAUSE_MS + HOUR_MS)));
    }

    #[test]
    fn an_opened_door_counts_where_there_is_no_sweep() {
        let mut sweep = Sweep::new(None, DAY * 30);
        let account = AccountId::github(1);
        sweep.note(account, &directory(Some(400), TrackedBy::Person));
        assert_eq!(sweep.next(Millis(99 * HOUR_MS)), None);
        sweep.door_opened(Millis(401));
        assert_eq!(sweep.next(Millis(402)), Some(Due::Sweep(account)));
        assert_eq!(sweep.next(Millis(403)), None, "it is under way");
        sweep.note(account, &directory(Some(410), TrackedBy::Person));
        assert_eq!(sweep.next(Millis(99 * HOUR_MS)), None);
    }

    #[test]
    fn what_nobody_reads_is_let_go() {
        let mut sweep = Sweep::new(None, DAY * 30);
        let account = AccountId::github(1);
        sweep.note(account, &directory(Some(1), TrackedBy::Read));
        assert_eq!(sweep.next(Millis(29 * 24 * HOUR_MS)), None);
        assert_eq!(sweep.next(Millis(31 * 24 * HOUR_MS)), Some(Due::Drop(account)));
        sweep.note(AccountId::github(2), &directory(Some(1), TrackedBy::Delivery));
        assert_eq!(sweep.next(Millis(31 * 24 * HOUR_MS)), None);
    }
}
