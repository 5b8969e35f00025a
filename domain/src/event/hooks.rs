//! What a look at the record of a webhook found, hour by hour.

use serde::{Deserialize, Serialize};

use crate::{
    id::RepoId,
    time::{Millis, Second},
};

/// What GitHub's record of a webhook says against what we hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookReading {
    /// GitHub's id of it.
    pub hook: u64,
    /// The repository that has it; `None`: the organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<RepoId>,
    /// When the look began, on our clock.
    pub looked_ms: Millis,
    /// The hours of which it says otherwise than before, each whole, the oldest first.
    pub hours: Vec<HourReading>,
}

/// One hour of GitHub's clock. What was sent was held, repaired, or is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourReading {
    /// Its first second.
    pub hour: Second,
    /// So many deliveries were sent, each GUID once.
    pub sent: u32,
    /// So many came by themselves.
    pub held: u32,
    /// So many were taken out of the record, or came when they were sent again.
    pub repaired: u32,
    /// So many we do not hold.
    pub open: u32,
    /// The record does not show the whole hour any more: what was sent in it is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unseen: bool,
    /// What those may touch, or might have touched, that were open at any look.
    #[serde(default, skip_serializing_if = "Touched::is_nothing")]
    pub touched: Touched,
}

/// What deliveries that are not held may be about. It stands in answers and in rows: every field is always written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Touched {
    /// Anything of the account: nobody knows what they were about, or they are about too many things.
    pub anything: bool,
    /// The account itself and which repositories it has.
    pub account: bool,
    /// These repositories, sorted.
    pub repos: Vec<RepoId>,
}

impl Touched {
    /// So many repositories are told one by one; where there are more, it is anything.
    pub const REPOS_MAX: usize = 32;

    /// Anything of the account.
    pub fn anything() -> Self {
        Touched { anything: true, ..Touched::default() }
    }

    /// Whether it is nothing at all.
    pub fn is_nothing(&self) -> bool {
        !self.anything && !self.account && self.repos.is_empty()
    }

    /// Whether a repository's page may be wrong.
    pub fn has(&self, repo: RepoId) -> bool {
        self.anything || self.repos.binary_search(&repo).is_ok()
    }

    /// A delivery about this repository; `None`: about none.
    pub fn add(&mut self, repo: Option<RepoId>) {
        let Some(repo) = repo else {
            self.account = true;
            return;
        };
        if let Err(place) = self.repos.binary_search(&repo) {
            self.repos.insert(place, repo);
        }
        self.bound();
    }

    /// Both of them.
    pub fn join(&mut self, other: &Touched) {
        self.anything |= other.anything;
        self.account |= other.account;
        self.repos.extend(&other.repos);
        self.repos.sort_unstable();
        self.repos.dedup();
        self.bound();
    }

    fn bound(&mut self) {
        if self.anything || self.repos.len() > Self::REPOS_MAX {
            *self = Touched::anything();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    #[test]
    fn what_is_appended_is_frozen_and_reads_back() {
        let mut touched = Touched::default();
        touched.add(Some(RepoId::github(7)));
        let whole = HourReading {
            hour: Second(3_600),
            sent: 3,
            held: 3,
            repaired: 0,
            open: 0,
            is_unseen: false,
            touched: Touched::default(),
        };
        let open = HourReading {
            hour: Second(7_200),
            held: 1,
            repaired: 1,
            open: 1,
            is_unseen: true,
            touched,
            ..whole
        };
        let hours = vec![whole, open];
        let looked = HookReading { hook: 9, repo: Some(RepoId::github(7)), looked_ms: Millis(5), hours };
        let events = [Event::HookLooked(Box::new(looked)), Event::Swept { begun_ms: Millis(6) }];
        let json = serde_json::to_string(&events).unwrap();
        assert_eq!(
            json,
            r#"[{"hook_looked":{"hook":9,"repo":"github:7","looked_ms":5,"hours":[{"hour":3600,"sent":3,"held":3,"repaired":0,"open":0},{"hour":7200,"sent":3,"held":1,"repaired":1,"open":1,"is_unseen":true,"touched":{"anything":false,"account":false,"repos":["github:7"]}}]}},{"swept":{"begun_ms":6}}]"#
        );
        assert_eq!(serde_json::from_str::<Vec<Event<'_>>>(&json).unwrap(), events);
    }

    #[test]
    fn of_too_many_repositories_it_is_anything() {
        let mut touched = Touched::default();
        assert!(touched.is_nothing());
        for repo in (1..=32).rev() {
            touched.add(Some(RepoId::github(repo)));
            touched.add(Some(RepoId::github(repo)));
        }
        assert_eq!(touched.repos.len(), 32);
        assert!(touched.has(RepoId::github(7)) && !touched.has(RepoId::github(33)));
        touched.add(None);
        assert!(touched.account && !touched.anything);
        let mut more = Touched::default();
        more.add(Some(RepoId::github(33)));
        touched.join(&more);
        assert_eq!(touched, Touched::anything());
    }
}
