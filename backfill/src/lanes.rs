//! Two lanes of questions: what repairs a number that is shown, and all the rest. Each has places of its own, and is
//! shut by itself, so that the load of a large account holds up no repair.

use domain::{Millis, NeedKey, StreamKey, need::Need};
use github::client::Spender;
use tokio::time::Instant;

use crate::schedule::{Ended, Schedule, Task, What};

/// Which lane a question is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A number that is shown is in doubt.
    Repair,
    /// What was never asked, or is to be asked again.
    Rest,
}

#[derive(Debug, Default)]
struct Lane {
    schedule: Schedule,
    running: usize,
    /// Nothing is begun before: the forge said so.
    closed_until: Option<Instant>,
}

/// Both lanes.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    repair: Lane,
    rest: Lane,
}

impl Urgency {
    const ALL: [Urgency; 2] = [Urgency::Repair, Urgency::Rest];

    /// For what a task of this lane spends.
    pub(crate) fn spender(self, what: &What) -> Spender {
        match (self, what) {
            (Urgency::Repair, _) | (_, What::Deliveries(_) | What::Hooks) => Spender::Repair,
            (Urgency::Rest, What::Need(NeedKey::Everything)) => Spender::Backfill,
            (Urgency::Rest, What::Need(NeedKey::Gists)) => Spender::Gists,
            (
                Urgency::Rest,
                What::Need(NeedKey::Stargazers(_) | NeedKey::Starred(_) | NeedKey::OwnStars) | What::Stars,
            ) => Spender::Stars,
            (Urgency::Rest, What::Need(_)) => Spender::Load,
            (Urgency::Rest, What::Sweep) => Spender::Sweep,
            (Urgency::Rest, What::Latest) => Spender::Latest,
        }
    }
}

impl Lanes {
    /// Notes what a need row says.
    pub(crate) fn note(&mut self, stream: StreamKey, key: NeedKey, need: &Need, now: Millis) {
        let urgency = match need {
            Need::Open { is_doubt: true, .. } => Urgency::Repair,
            Need::Open { .. } | Need::Met => Urgency::Rest,
        };
        let other = if urgency == Urgency::Repair { Urgency::Rest } else { Urgency::Repair };
        self.lane(other).schedule.remove(stream, &What::Need(key.clone()), now);
        self.lane(urgency).schedule.note(stream, key, need, now);
    }

    /// Adds what no need row names.
    pub(crate) fn add(&mut self, stream: StreamKey, what: What, not_before: Millis, now: Millis) {
        let urgency = match what {
            // What webhooks sent in vain is shown as if it had not happened.
            What::Deliveries(_) | What::Hooks => Urgency::Repair,
            _ => Urgency::Rest,
        };
        self.lane(urgency).schedule.add(stream, what, not_before, now);
    }

    /// The next task that may be begun now, where each lane has so many places; it counts as running.
    pub(crate) fn next(&mut self, now: Millis, places: usize) -> Option<(Urgency, Task)> {
        Urgency::ALL.into_iter().find_map(|urgency| {
            let lane = self.lane(urgency);
            if lane.running >= places || lane.is_closed() {
                return None;
            }
            let task = lane.schedule.next(now)?;
            lane.running += 1;
            Some((urgency, task))
        })
    }

    /// When to look again, where each lane has so many places: what time there is until a task may run, on our clock,
    /// and when a lane opens. `None` while nothing waits.
    pub(crate) fn next_at(&self, now: Millis, places: usize) -> Option<Instant> {
        let open = [&self.repair, &self.rest].into_iter().filter(|lane| lane.running < places);
        let at = open.filter_map(|lane| {
            let rest_ms = u64::try_from(lane.schedule.next_at()?.0.saturating_sub(now.0)).unwrap_or(0);
            let at = Instant::now() + std::time::Duration::from_millis(rest_ms);
            Some(lane.closed_until.map_or(at, |until| at.max(until)))
        });
        at.min()
    }

    /// A task is no longer running, whatever came of it.
    pub(crate) fn left(&mut self, urgency: Urgency) {
        let lane = self.lane(urgency);
        lane.running = lane.running.saturating_sub(1);
    }

    /// Notes how a task ended.
    pub(crate) fn ended(&mut self, urgency: Urgency, task: &Task, ended: Ended, now: Millis) {
        self.lane(urgency).schedule.ended(task, ended, now);
    }

    /// Nothing is begun before this.
    pub(crate) fn close(&mut self, until: Instant) {
        for urgency in Urgency::ALL {
            self.close_lane(urgency, until);
        }
    }

    /// Only repair is begun before this.
    pub(crate) fn close_rest(&mut self, until: Instant) {
        self.close_lane(Urgency::Rest, until);
    }

    /// What shut them may be over.
    pub(crate) fn open(&mut self) {
        (self.repair.closed_until, self.rest.closed_until) = (None, None);
    }

    /// How many tasks there are, the running ones included.
    pub(crate) fn len(&self) -> usize {
        self.repair.schedule.len() + self.rest.schedule.len()
    }

    /// Forgets what rows told, before they are read again.
    pub(crate) fn forget_needs(&mut self, now: Millis) {
        self.repair.schedule.forget_needs(now);
        self.rest.schedule.forget_needs(now);
    }

    /// Forgets the tasks of streams that are for another process to ask about.
    pub(crate) fn let_go(&mut self, is_held: impl Fn(StreamKey) -> bool) {
        self.repair.schedule.let_go(&is_held);
        self.rest.schedule.let_go(&is_held);
    }

    fn close_lane(&mut self, urgency: Urgency, until: Instant) {
        let lane = self.lane(urgency);
        lane.closed_until = lane.closed_until.max(Some(until));
    }

    fn lane(&mut self, urgency: Urgency) -> &mut Lane {
        match urgency {
            Urgency::Repair => &mut self.repair,
            Urgency::Rest => &mut self.rest,
        }
    }
}

impl Lane {
    fn is_closed(&self) -> bool {
        self.closed_until.is_some_and(|until| until > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::{AccountId, RepoId, Version};

    use super::*;

    const NOW: Millis = Millis(1_000);

    fn stream() -> StreamKey {
        StreamKey::Account(AccountId::github(1))
    }

    fn open(is_doubt: bool) -> Need {
        Need::Open { is_doubt, raised_at: Version::LEAST, not_before: Millis(0) }
    }

    fn commits(repo: u64) -> NeedKey {
        NeedKey::Commits(RepoId::github(repo))
    }

    #[test]
    fn a_doubt_is_asked_although_a_load_fills_every_place_and_may_spend_no_more() {
        let mut lanes = Lanes::default();
        for repo in 1..=50 {
            lanes.note(stream(), commits(repo), &open(false), NOW);
        }
        let begun = std::iter::from_fn(|| lanes.next(NOW, 8)).count();
        assert_eq!(begun, 8);
        lanes.close_rest(Instant::now() + Duration::from_secs(3_600));
        lanes.note(stream(), commits(99), &open(true), NOW);
        let (urgency, task) = lanes.next(NOW, 8).unwrap();
        assert_eq!((urgency, &task.what), (Urgency::Repair, &What::Need(commits(99))));
        assert_eq!(urgency.spender(&task.what), Spender::Repair);
        lanes.left(urgency);
        lanes.close(Instant::now() + Duration::from_secs(3_600));
        lanes.note(stream(), commits(98), &open(true), NOW);
        assert_eq!(lanes.next(NOW, 8), None, "nothing may be asked at all");
        lanes.open();
        assert!(lanes.next(NOW, 8).is_some());
    }

    #[test]
    fn a_need_is_in_one_lane_at_a_time() {
        let mut lanes = Lanes::default();
        for is_doubt in [false, true, false, true] {
            lanes.note(stream(), commits(1), &open(is_doubt), NOW);
            assert_eq!(lanes.len(), 1);
        }
        lanes.note(stream(), commits(1), &Need::Met, NOW);
        assert_eq!((lanes.len(), lanes.next(NOW, 8)), (0, None));
    }

    #[test]
    fn who_spends_is_told_by_what_is_asked() {
        for (what, spender) in [
            (What::Need(commits(1)), Spender::Load),
            (What::Need(NeedKey::Everything), Spender::Backfill),
            (What::Sweep, Spender::Sweep),
            (What::Latest, Spender::Latest),
        ] {
            assert_eq!(Urgency::Rest.spender(&what), spender);
        }
    }
}
