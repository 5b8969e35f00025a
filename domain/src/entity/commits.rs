//! Head and commit count of the default branch: the commit rule of reference A7, word for word.

use serde::{Deserialize, Serialize};

use crate::{
    commit::CommitId,
    entity::doubt::Doubt,
    event::{CommitsReading, Push, Stamp, Told},
    time::Second,
    version::Version,
};

/// A head with the number of commits reachable from it; true for ever once it was read together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The default branch.
    pub branch: String,
    /// Its head; [`CommitId::ZERO`] for an empty repository.
    pub head: CommitId,
    /// Commits reachable from it.
    pub count: u64,
}

/// What is known of a default branch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Commits {
    /// Unknown until the first answer.
    pub pair: Option<Pair>,
    /// The forge's time of the newest push inside the pair.
    pub pushed_at: Second,
    /// The last push that moved the pair or repeated its head.
    pub moved_at: Version,
    /// `asked_at` of the last answer that was taken.
    pub answered_at: Version,
    /// Raised by a push that does not follow from the pair.
    pub doubt: Option<Doubt>,
}

impl Commits {
    /// Folds a push; returns whether anything changed, the doubt included.
    pub fn push(&mut self, push: &Push<'_>, stamp: &Stamp) -> bool {
        let before = (self.moved_at, self.doubt);
        self.apply_push(push, stamp);
        before != (self.moved_at, self.doubt)
    }

    fn apply_push(&mut self, push: &Push<'_>, stamp: &Stamp) {
        let Some(pair) = &mut self.pair else {
            return self.raise(stamp);
        };
        let (Some(branch), Some(default_branch)) = (&push.branch, &push.default_branch) else {
            return self.raise(stamp);
        };
        if default_branch.as_str() != pair.branch {
            return self.raise(stamp);
        }
        if branch.as_str() != pair.branch {
            return;
        }
        let (None, Some(before), Some(after), Some(pushed_at)) =
            (self.doubt, push.before, push.after, push.pushed_at)
        else {
            return self.raise(stamp);
        };
        if pushed_at < self.pushed_at {
            // A → B, forced B → A, and now a late copy of A → B; else it is inside our pair already.
            if before == pair.head {
                self.raise(stamp);
            }
        } else if before == pair.head {
            match push.added {
                Some(added) if pushed_at > self.pushed_at => {
                    pair.head = after;
                    pair.count += u64::from(added);
                    self.pushed_at = pushed_at;
                    self.moved_at = stamp.version;
                }
                _ => self.raise(stamp),
            }
        } else if after == pair.head {
            self.pushed_at = pushed_at;
            self.moved_at = stamp.version;
        } else {
            self.raise(stamp);
        }
    }

    /// Notes which branch is the default one by any payload; another one than ours is doubt.
    pub fn default_branch(&mut self, branch: &str, stamp: &Stamp) -> bool {
        match &self.pair {
            Some(pair) if pair.branch != branch => {
                self.raise(stamp);
                true
            }
            _ => false,
        }
    }

    /// Folds an answer; returns whether it was taken or raised doubt.
    pub fn answer(&mut self, answer: &CommitsReading<'_>, stamp: &Stamp) -> bool {
        let Told::Answer(asked) = stamp.told else { return false };
        let raised_at = self.doubt.map_or(Version::NONE, |doubt| doubt.raised_at);
        let head = answer.head.unwrap_or(CommitId::ZERO);
        let is_first = self.pair.is_none();
        if asked.asked_at >= raised_at.max(self.moved_at) && (is_first || asked.asked_at > self.answered_at) {
            self.pair = Some(Pair { branch: answer.branch.to_string(), head, count: answer.count });
            if let Some(pushed_at) = answer.pushed_at {
                self.pushed_at = pushed_at;
            }
            self.answered_at = asked.asked_at;
            self.moved_at = asked.asked_at;
            self.doubt = None;
            return true;
        }
        let differs =
            self.pair.as_ref().is_some_and(|pair| pair.head != head || pair.branch != answer.branch.as_str());
        if differs && self.doubt.is_none() {
            self.raise(stamp);
            return true;
        }
        false
    }

    /// Says that the pair may no longer be true.
    pub fn raise(&mut self, stamp: &Stamp) {
        Doubt::raise(&mut self.doubt, stamp);
    }
}
