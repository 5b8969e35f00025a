//! What a forge tells: accounts and repositories of which everything is known, and changes to them.

use domain::{
    AccountId, CommitId, Event, RepoId, Second, StreamKey, Version,
    event::{
        CommitsReading, HiddenWhy, OwnerReading, ProfileReading, PullState, RepositoryReading, TrackedBy,
    },
};

use crate::bench::{Bench, start};

/// An account of the forge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    pub(crate) number: u64,
    pub(crate) login: &'static str,
}

pub(crate) const OCTO: Account = Account { number: 9, login: "Octo" };
pub(crate) const HUBOT: Account = Account { number: 77, login: "hubot" };

/// One second before the bench's clock.
pub(crate) fn just_now() -> Second {
    Second(start().0 - 1)
}

impl Account {
    pub(crate) fn id(self) -> AccountId {
        AccountId::github(self.number)
    }

    pub(crate) fn stream(self) -> StreamKey {
        StreamKey::Account(self.id())
    }

    pub(crate) fn owner(self) -> OwnerReading<'static> {
        let login = self.login;
        OwnerReading {
            id: self.id(),
            login: login.into(),
            kind: Some("User".into()),
            url: Some(format!("https://forge.test/{login}").into()),
            avatar_url: Some(format!("https://forge.test/{login}.png").into()),
        }
    }

    pub(crate) fn profile(self) -> Event<'static> {
        Event::Profile(ProfileReading {
            owner: self.owner(),
            name: Some("A name".into()),
            email: None,
            followers: Some(2),
            public_gists: Some(0),
            public_repos: Some(1),
            as_of: Some(Second(50)),
        })
    }

    /// A repository as an answer about it alone shows it.
    pub(crate) fn repository(self, number: u64, name: &'static str) -> RepositoryReading<'static> {
        let login = self.login;
        RepositoryReading {
            owner: Some(self.owner()),
            name: Some(name.into()),
            url: Some(format!("https://forge.test/{login}/{name}").into()),
            private: Some(false),
            fork: Some(false),
            archived: Some(false),
            default_branch: Some("main".into()),
            description: Some(None),
            license: Some(Some("MIT".into())),
            topics: Some(vec!["web".into()]),
            created_at: Some(Second(1)),
            updated_at: Some(just_now()),
            pushed_at: Some(just_now()),
            stars: Some(3),
            forks: Some(1),
            open_issues: Some(0),
            watchers: Some(4),
            counted_at: Some(just_now()),
            as_of: Some(just_now()),
            is_whole: true,
            ..RepositoryReading::of(RepoId::github(number))
        }
    }

    /// Everything about a repository: `commits` commits, two pull requests.
    pub(crate) fn everything_about(
        self,
        number: u64,
        name: &'static str,
        commits: u64,
    ) -> Vec<Event<'static>> {
        let repo = RepoId::github(number);
        let pulls = vec![(1, PullState::Open, Second(90)), (2, PullState::Merged, Second(91))];
        vec![
            Event::Repository(Box::new(self.repository(number, name))),
            commits_of(number, commits),
            Event::PullCount { repo, total: 2, newest: 2 },
            Event::Pulls { repo, pulls },
            Event::PullsListed { repo, since: Version::LEAST },
            Event::Languages { repo, bytes: vec![("Rust".into(), 300), ("C".into(), 100)] },
        ]
    }

    /// The account is kept and its list is known.
    pub(crate) fn listed(self, by: TrackedBy) -> Vec<Event<'static>> {
        vec![Event::Tracked(by), self.profile(), Event::RepositoriesListed { since: Version::LEAST }]
    }

    /// The account is kept, and everything about it and these repositories is known.
    pub(crate) async fn settle(self, bench: &Bench, repositories: &[(u64, &'static str)]) {
        self.settle_by(bench, repositories, TrackedBy::Person).await;
    }

    pub(crate) async fn settle_by(self, bench: &Bench, repositories: &[(u64, &'static str)], by: TrackedBy) {
        let mut events = self.listed(by);
        for (number, name) in repositories {
            events.extend(self.everything_about(*number, name, 10));
        }
        bench.answer(self.stream(), events).await;
    }

    /// A repository goes private.
    pub(crate) async fn hide(self, bench: &Bench, number: u64) {
        let hidden =
            Event::RepositoryHidden { repo: RepoId::github(number), at: start(), why: HiddenWhy::Private };
        bench.deliver(self.stream(), vec![hidden]).await;
    }

    /// It is published again, a second later.
    pub(crate) async fn publicize(self, bench: &Bench, number: u64) {
        let published =
            Event::RepositoryPublished { repo: RepoId::github(number), at: Second(start().0 + 1) };
        bench.deliver(self.stream(), vec![published]).await;
    }

    /// The forge counts commits anew.
    pub(crate) async fn commit(self, bench: &Bench, number: u64, commits: u64) {
        bench.answer(self.stream(), vec![commits_of(number, commits)]).await;
    }
}

pub(crate) fn commits_of(number: u64, commits: u64) -> Event<'static> {
    Event::Commits(CommitsReading {
        repo: RepoId::github(number),
        branch: "main".into(),
        head: Some(sha(commits)),
        count: commits,
        pushed_at: Some(just_now()),
    })
}

fn sha(number: u64) -> CommitId {
    format!("{:040x}", number + 1).parse().unwrap()
}
