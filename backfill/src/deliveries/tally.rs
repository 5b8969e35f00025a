//! What a hook has sent, counted by the hour of GitHub's clock: pure.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasher as _, RandomState},
};

use domain::{
    RepoId, Second,
    entity::hook::Hook,
    event::{HourReading, Touched},
};
use github::client::ListedDelivery;

use super::groups::PING;

/// Of hours that the record does not show any more so many are told: those of thirty days.
const UNSEEN_HOURS_MAX: i64 = 30 * 24;
const HOUR_S: i64 = 60 * 60;

/// The first second of the hour in which this is.
pub(super) fn hour_of(at: Second) -> Second {
    Second(at.0 - at.0.rem_euclid(HOUR_S))
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It came by itself, or we had it all the same.
    Held,
    /// It was taken out of the record, or came when it was sent again.
    Repaired,
    /// It has to be taken.
    Open,
    /// It cannot be had.
    Lost,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    hour: Second,
    fate: Fate,
}

/// What was told of an hour before this process looked at it.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    repaired: u32,
    lost: u32,
}

/// The hours of which anything may still change.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Hours from this one on are counted; of earlier ones everything is told. `None` before the first look.
    begins: Option<Second>,
    hasher: RandomState,
    /// By a hash of the GUID.
    sent: HashMap<u64, Sent>,
    touched: BTreeMap<Second, Touched>,
    unseen: BTreeSet<Second>,
    before: BTreeMap<Second, Before>,
    told: BTreeMap<Second, HourReading>,
}

impl Tally {
    /// Whether it counts already.
    pub(super) fn is_begun(&self) -> bool {
        self.begins.is_some()
    }

    /// From when on a list must be read: the first time whole hours, then what is new.
    pub(super) fn reads_from(&self, since: Second) -> Second {
        if self.begins.is_some() { since } else { hour_of(since) }
    }

    /// Begins to count at the hour of this second; `known`: what was told before.
    pub(super) fn begin(&mut self, since: Second, known: &Hook) {
        let begins = hour_of(since);
        self.begins = Some(begins);
        for (at, hour) in known.hours.range(begins..) {
            let touched = hour.touched.clone();
            self.before.insert(*at, Before { repaired: hour.repaired, lost: hour.missed });
            self.touched.insert(*at, touched.clone());
            let (sent, held, repaired, open) = (hour.sent, hour.held, hour.repaired, hour.missed);
            self.told.insert(
                *at,
                HourReading { hour: *at, sent, held, repaired, open, is_unseen: false, touched },
            );
        }
    }

    /// Counts what a list shows. What was sent before `settled` and is new here was settled by a process before
    /// this one.
    pub(super) fn note(&mut self, listed: &[ListedDelivery], settled: Second) {
        let Some(begins) = self.begins else { return };
        /// All attempts at one delivery that the list shows.
        struct Group {
            first_at: Second,
            is_held: bool,
            is_first_listed: bool,
            repo: Option<RepoId>,
        }
        let mut groups: HashMap<u64, Group> = HashMap::new();
        for attempt in listed.iter().filter(|attempt| attempt.event != PING) {
            let group = groups.entry(self.hasher.hash_one(attempt.guid.as_str())).or_insert(Group {
                first_at: attempt.delivered_at,
                is_held: false,
                is_first_listed: false,
                repo: attempt.repo,
            });
            group.first_at = group.first_at.min(attempt.delivered_at);
            group.is_held |= attempt.is_success;
            group.is_first_listed |= !attempt.is_redelivery;
            group.repo = group.repo.or(attempt.repo);
        }
        let mut fresh: Vec<(u64, Group)> = Vec::new();
        for (guid, group) in groups {
            match self.sent.get_mut(&guid) {
                Some(sent) if group.is_held && matches!(sent.fate, Fate::Open | Fate::Lost) => {
                    sent.fate = Fate::Repaired;
                }
                Some(_) => {}
                // Of what is only sent again it was told when it was sent first.
                None if group.is_first_listed && group.first_at >= begins => fresh.push((guid, group)),
                None => {}
            }
        }
        fresh.sort_by_key(|(guid, group)| (group.first_at, *guid));
        for (guid, group) in fresh {
            let hour = hour_of(group.first_at);
            let fate = match group.is_held {
                true => Fate::Held,
                false if group.first_at < settled => self.fate_before(hour),
                false => Fate::Open,
            };
            if !group.is_held {
                self.touched.entry(hour).or_default().add(group.repo);
            }
            self.sent.insert(guid, Sent { hour, fate });
        }
    }

    /// Notes what became of a delivery.
    pub(super) fn settle(&mut self, guid: &str, fate: Fate) {
        let Some(mut sent) = self.sent.get(&self.hasher.hash_one(guid)).copied() else { return };
        sent.fate = match fate {
            // What a process before this one took is there already.
            Fate::Held => self.repaired_before(sent.hour).unwrap_or(Fate::Held),
            fate => fate,
        };
        self.sent.insert(self.hasher.hash_one(guid), sent);
    }

    /// The record does not show what was sent from `from` until `until`.
    pub(super) fn unsee(&mut self, from: Second, until: Second) {
        let oldest = Second(until.0 - UNSEEN_HOURS_MAX * HOUR_S);
        let mut hour = hour_of(from.max(oldest));
        while hour < until {
            self.unseen.insert(hour);
            self.touched.insert(hour, Touched::anything());
            hour = Second(hour.0 + HOUR_S);
        }
    }

    /// The hours of which anything is to be told.
    pub(super) fn changes(&self) -> Vec<HourReading> {
        let hours = self.hours().into_values();
        hours.filter(|hour| self.told.get(&hour.hour) != Some(hour)).collect()
    }

    /// Whether something was opened or closed that was not told.
    pub(super) fn is_urgent(&self) -> bool {
        let is_open = |hour: &HourReading| (hour.open, hour.is_unseen);
        self.changes().iter().any(|hour| {
            let told = self.told.get(&hour.hour).map_or((0, false), is_open);
            is_open(hour) != told
        })
    }

    /// These were told.
    pub(super) fn told(&mut self, hours: Vec<HourReading>) {
        for hour in hours {
            self.told.insert(hour.hour, hour);
        }
        // Once told, it is the fold's to remember.
        self.unseen.clear();
        for hour in self.told.values_mut() {
            hour.is_unseen = false;
        }
    }

    /// What was sent before is not looked at any more.
    pub(super) fn forget_before(&mut self, at: Second) {
        let floor = hour_of(at);
        if self.begins.is_some_and(|begins| begins < floor) {
            self.begins = Some(floor);
            self.sent.retain(|_, sent| sent.hour >= floor);
            self.touched.retain(|hour, _| *hour >= floor);
            self.before.retain(|hour, _| *hour >= floor);
            self.told.retain(|hour, _| *hour >= floor);
        }
    }

    fn hours(&self) -> BTreeMap<Second, HourReading> {
        let mut hours: BTreeMap<Second, HourReading> = BTreeMap::new();
        let empty = |hour: Second| HourReading {
            hour,
            sent: 0,
            held: 0,
            repaired: 0,
            open: 0,
            is_unseen: self.unseen.contains(&hour),
            touched: self.touched.get(&hour).cloned().unwrap_or_default(),
        };
        for sent in self.sent.values() {
            let hour = hours.entry(sent.hour).or_insert_with(|| empty(sent.hour));
            hour.sent += 1;
            match sent.fate {
                Fate::Held => hour.held += 1,
                Fate::Repaired => hour.repaired += 1,
                Fate::Open | Fate::Lost => hour.open += 1,
            }
        }
        for hour in &self.unseen {
            hours.entry(*hour).or_insert_with(|| empty(*hour));
        }
        hours
    }

    /// What became of something that was settled before this process: nobody knows of which of an hour's deliveries
    /// it was told, but of how many.
    fn fate_before(&mut self, hour: Second) -> Fate {
        if let Some(before) = self.before.get_mut(&hour).filter(|before| before.lost > 0) {
            before.lost -= 1;
            return Fate::Lost;
        }
        self.repaired_before(hour).unwrap_or(Fate::Held)
    }

    fn repaired_before(&mut self, hour: Second) -> Option<Fate> {
        let before = self.before.get_mut(&hour).filter(|before| before.repaired > 0)?;
        before.repaired -= 1;
        Some(Fate::Repaired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = HOUR_S;

    fn attempt(guid: &str, at: i64, is_success: bool) -> ListedDelivery {
        ListedDelivery {
            id: 1,
            guid: guid.to_owned(),
            delivered_at: Second(at),
            is_success,
            is_redelivery: false,
            event: "push".to_owned(),
            repo: Some(RepoId::github(7)),
        }
    }

    fn again(guid: &str, at: i64, is_success: bool) -> ListedDelivery {
        ListedDelivery { is_redelivery: true, ..attempt(guid, at, is_success) }
    }

    /// Hour, sent, held, repaired, open.
    fn numbers(hours: &[HourReading]) -> Vec<(i64, u32, u32, u32, u32)> {
        hours.iter().map(|it| (it.hour.0 / HOUR, it.sent, it.held, it.repaired, it.open)).collect()
    }

    fn begun() -> Tally {
        let mut tally = Tally::default();
        assert_eq!(tally.reads_from(Second(HOUR + 5)), Second(HOUR), "hours are counted whole");
        tally.begin(Second(HOUR + 5), &Hook::default());
        assert_eq!(tally.reads_from(Second(HOUR + 5)), Second(HOUR + 5));
        tally
    }

    #[test]
    fn each_delivery_counts_once_in_the_hour_in_which_it_was_sent() {
        let mut tally = begun();
        let list = [
            again("c", 3 * HOUR, true),
            attempt("d", 2 * HOUR + 1, true),
            attempt("a", 2 * HOUR, true),
            attempt("b", 2 * HOUR - 1, false),
            again("long ago", HOUR + 9, true),
            ListedDelivery { event: PING.to_owned(), ..attempt("e", HOUR + 1, true) },
            attempt("c", HOUR, false),
            attempt("before", HOUR - 1, true),
        ];
        for _ in 0..2 {
            tally.note(&list, Second(0));
            assert_eq!(numbers(&tally.changes()), [(1, 2, 1, 0, 1), (2, 2, 2, 0, 0)]);
        }
        assert_eq!(tally.changes()[0].touched.repos, [RepoId::github(7)]);
        assert!(tally.is_urgent());
        tally.told(tally.changes());
        assert!(tally.changes().is_empty() && !tally.is_urgent());
        tally.settle("b", Fate::Repaired);
        assert!(tally.is_urgent(), "that it closed is to be told");
        assert_eq!(numbers(&tally.changes()), [(1, 2, 1, 1, 0)]);
    }

    #[test]
    fn what_is_lost_may_come_when_somebody_sends_it_again() {
        let mut tally = begun();
        tally.note(&[attempt("a", HOUR, false)], Second(0));
        tally.settle("a", Fate::Lost);
        assert_eq!(numbers(&tally.changes()), [(1, 1, 0, 0, 1)]);
        tally.note(&[again("a", 2 * HOUR, true)], Second(0));
        assert_eq!(numbers(&tally.changes()), [(1, 1, 0, 1, 0)]);
    }

    #[test]
    fn hours_that_the_record_does_not_show_are_told_once() {
        let mut tally = begun();
        tally.unsee(Second(2 * HOUR + 9), Second(4 * HOUR));
        let hours = tally.changes();
        assert_eq!(numbers(&hours), [(2, 0, 0, 0, 0), (3, 0, 0, 0, 0)]);
        assert!(hours.iter().all(|hour| hour.is_unseen && hour.touched.anything) && tally.is_urgent());
        tally.told(hours);
        assert!(tally.changes().is_empty());
        tally.unsee(Second(0), Second(5_000 * HOUR));
        assert_eq!(tally.changes().len(), 30 * 24);
    }

    #[test]
    fn the_next_process_counts_as_the_one_before_it_told() {
        let list = [
            attempt("a", HOUR, true),
            attempt("taken", HOUR + 1, false),
            attempt("lost", HOUR + 2, false),
            attempt("overlap", HOUR + 50, false),
        ];
        let mut tally = begun();
        tally.note(&list, Second(0));
        tally.settle("taken", Fate::Repaired);
        tally.settle("lost", Fate::Lost);
        tally.settle("overlap", Fate::Repaired);
        let told = tally.changes();
        let mut known = Hook::default();
        let stamp = domain::Stamp {
            version: domain::Version::LEAST,
            received_at: domain::Millis(0),
            told: domain::Told::Command,
        };
        let reading = domain::event::HookReading {
            hook: 1,
            repo: None,
            looked_ms: domain::Millis(0),
            hours: told.clone(),
        };
        known.read(&reading, &stamp);

        let mut next = Tally::default();
        next.begin(Second(HOUR + 40), &known);
        next.note(&list, Second(HOUR + 40));
        // It is looked at again, and we have it.
        next.settle("overlap", Fate::Held);
        assert_eq!(next.hours().into_values().collect::<Vec<_>>(), told);
        assert!(next.changes().is_empty());
    }

    #[test]
    fn hours_that_are_over_take_no_memory() {
        let mut tally = begun();
        for hour in 1..50 {
            tally.note(&[attempt(&hour.to_string(), hour * HOUR, true)], Second(0));
            tally.told(tally.changes());
            tally.forget_before(Second(hour * HOUR));
        }
        assert_eq!((tally.sent.len(), tally.told.len()), (1, 1));
        tally.note(&[attempt("1", HOUR, true)], Second(0));
        assert!(tally.changes().is_empty(), "it was told");
    }
}
