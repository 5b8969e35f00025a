//! The fake GitHub's world with its past kept: a question is answered from the moment at which it was read,
//! which may be long gone when the answer arrives.
//!
//! A world's truth leaves two things out that answers need: the state and time of each pull request, and
//! when a profile changed. They are kept here from what the world said and was told to do.

use std::{collections::BTreeMap, rc::Rc};

use domain::{
    AccountId, RepoId, Second,
    event::{CommitsReading, OwnerReading, ProfileReading, PullState, RepositoryReading},
};
use fake_github::{
    AccountKind, AccountTruth, Action, Clock, Emitted, Life, RepoTruth, Sha, Step, Urls, Visibility, World,
};
use serde::Deserialize;

/// States of pull requests with the time of each, by number.
pub type Pulls = BTreeMap<u64, (PullState, Second)>;

/// A world whose time is a script's.
pub struct Forge {
    /// The world. Whoever changes it by hand calls [`Forge::heard`] with what it emitted.
    pub world: World,
    clock: Clock,
    now_ms: i64,
    pulls: BTreeMap<fake_github::RepoId, Pulls>,
    profiles: BTreeMap<fake_github::AccountId, Second>,
}

/// The world at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since 1970, on the forge's clock.
    pub at_ms: i64,
    /// Every account.
    pub accounts: BTreeMap<AccountId, AccountMoment>,
    /// Every repository, private ones too.
    pub repositories: BTreeMap<RepoId, Rc<RepositoryMoment>>,
}

/// An account at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountMoment {
    /// What is true of it, and of its public repositories.
    pub truth: AccountTruth,
    /// The profile's `updated_at`.
    pub updated_at: Second,
}

/// A repository at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryMoment {
    /// What is true of it.
    pub truth: RepoTruth,
    /// Its pull requests.
    pub pulls: Pulls,
    /// Heads of its branches, and how many commits each reaches.
    pub branches: BTreeMap<String, (Sha, u64)>,
}

impl Forge {
    /// An empty world whose clock stands at `start`.
    pub fn new(seed: u64, start: fake_github::Second) -> Self {
        let clock = Clock::scripted(start);
        Forge {
            world: World::new(seed, clock.clone(), Urls::default()),
            clock,
            now_ms: start.0 * 1000,
            pulls: BTreeMap::new(),
            profiles: BTreeMap::new(),
        }
    }

    /// The time, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Lets time pass.
    pub fn pass(&mut self, milliseconds: i64) {
        self.clock.advance_ms(milliseconds);
        self.now_ms += milliseconds;
    }

    /// Lets one random thing happen; `None` when nothing of the wanted kinds can.
    pub fn live(&mut self, life: &mut Life) -> Option<Step> {
        let step = life.step(&mut self.world)?;
        self.done(&step.action);
        Some(step)
    }

    /// Lets this happen.
    ///
    /// # Errors
    /// When GitHub would not.
    pub fn act(&mut self, action: &Action) -> Result<(), fake_github::Refused> {
        self.world.apply(action)?;
        self.done(action);
        Ok(())
    }

    /// What the world has said since the last call.
    pub fn heard(&mut self) -> Vec<Emitted> {
        let emitted = self.world.take_events();
        for event in emitted.iter().filter(|event| event.event == "pull_request") {
            self.note_pull(event);
        }
        emitted
    }

    /// The world as it is now.
    pub fn moment(&mut self) -> Moment {
        let now = second(self.world.now());
        let mut accounts = BTreeMap::new();
        for id in self.world.accounts() {
            let login = self.world.login(id).expect("an account has a login").to_owned();
            let truth = self.world.account_truth(&login).expect("a present login leads to its account");
            let updated_at = *self.profiles.entry(id).or_insert(now);
            accounts.insert(AccountId::github(id.0), AccountMoment { truth, updated_at });
        }
        let repositories = self.world.repositories().into_iter().map(|id| self.repository(id));
        Moment { at_ms: self.now_ms, repositories: repositories.collect(), accounts }
    }

    fn repository(&self, id: fake_github::RepoId) -> (RepoId, Rc<RepositoryMoment>) {
        let world = &self.world;
        let truth = world.truth(id).expect("a listed repository is there");
        let branches = world.branches(id).into_iter().filter_map(|branch| {
            let head = world.branch_head(id, &branch)?;
            Some((branch, (head, world.commit_count(head)?)))
        });
        let branches = branches.collect();
        let pulls = self.pulls.get(&id).cloned().unwrap_or_default();
        debug_assert_eq!(pulls.len() as u64, truth.pulls.total, "every pull request was heard of");
        (RepoId::github(id.0), Rc::new(RepositoryMoment { truth, pulls, branches }))
    }

    fn done(&mut self, action: &Action) {
        if let Action::SetProfile { account, .. } | Action::RenameAccount { account, .. } = action {
            self.profiles.insert(*account, second(self.world.now()));
        }
    }

    fn note_pull(&mut self, event: &Emitted) {
        #[derive(Deserialize)]
        struct Body {
            pull_request: Pull,
        }
        #[derive(Deserialize)]
        struct Pull {
            number: u64,
            state: String,
            merged: bool,
            updated_at: String,
        }
        let body: Body = serde_json::from_slice(&event.body).expect("a payload has its pull request");
        let Pull { number, state, merged, updated_at } = body.pull_request;
        let state = match (merged, state.as_str()) {
            (true, _) => PullState::Merged,
            (false, "open") => PullState::Open,
            (false, _) => PullState::Closed,
        };
        let at = Second::parse(&updated_at).expect("GitHub's times are RFC 3339");
        let repo = event.repository.expect("a pull request is in a repository");
        self.pulls.entry(repo).or_default().insert(number, (state, at));
    }
}

impl Moment {
    /// A repository that answers: public, and not taken down.
    pub fn public(&self, repo: RepoId) -> Option<&RepositoryMoment> {
        let moment = self.repositories.get(&repo)?;
        let answers = moment.truth.visibility == Visibility::Public && !moment.truth.blocked;
        answers.then_some(&**moment)
    }

    /// The account that has this login.
    pub fn account_named(&self, login: &str) -> Option<(AccountId, &AccountMoment)> {
        let mut accounts = self.accounts.iter();
        accounts
            .find(|(_, account)| account.truth.login.eq_ignore_ascii_case(login))
            .map(|(id, account)| (*id, account))
    }

    /// A repository as the forge answers it: alone (`whole`) or in a list, which leaves the subscribers out.
    pub fn reading(&self, repo: &RepositoryMoment, whole: bool) -> RepositoryReading<'static> {
        let truth = &repo.truth;
        let owner = &self.accounts[&AccountId::github(truth.owner.0)].truth;
        let times = [truth.created_at, truth.updated_at, truth.pushed_at];
        RepositoryReading {
            id: RepoId::github(truth.id.0),
            owner: Some(owner_reading(owner)),
            name: Some(truth.name.clone().into()),
            url: Some(truth.html_url.clone().into()),
            private: Some(truth.visibility != Visibility::Public),
            fork: Some(truth.fork),
            archived: Some(truth.archived),
            default_branch: Some(truth.default_branch.clone().into()),
            description: Some(truth.description.clone().map(Into::into)),
            license: Some(truth.license.clone().map(Into::into)),
            topics: Some(truth.topics.iter().map(|topic| topic.clone().into()).collect()),
            created_at: Some(second(truth.created_at)),
            updated_at: Some(second(truth.updated_at)),
            pushed_at: Some(second(truth.pushed_at)),
            stars: Some(truth.stars),
            forks: Some(truth.forks),
            open_issues: Some(truth.open_issues),
            watchers: whole.then_some(truth.watchers),
            counted_at: None,
            as_of: times.into_iter().max().map(second),
            is_whole: whole,
        }
    }

    /// An account's public repositories, by name: what its list shows.
    pub fn list(&self, account: AccountId) -> Vec<RepositoryReading<'static>> {
        let mut repos: Vec<&RepositoryMoment> = (self.repositories.keys())
            .filter_map(|repo| self.public(*repo))
            .filter(|repo| AccountId::github(repo.truth.owner.0) == account)
            .collect();
        repos.sort_by_key(|repo| repo.truth.name.to_lowercase());
        repos.into_iter().map(|repo| self.reading(repo, false)).collect()
    }
}

impl AccountMoment {
    /// The profile as the forge answers it.
    pub fn reading(&self) -> ProfileReading<'static> {
        let truth = &self.truth;
        ProfileReading {
            owner: owner_reading(truth),
            name: truth.name.clone().map(Into::into),
            email: truth.email.clone().map(Into::into),
            followers: Some(truth.followers),
            public_gists: Some(truth.public_gists),
            public_repos: Some(truth.repositories.len() as u64),
            as_of: Some(self.updated_at),
        }
    }
}

impl RepositoryMoment {
    /// Head and count of a branch; `None` when it is not there.
    pub fn pair(&self, branch: &str, pushed_at: Second) -> Option<CommitsReading<'static>> {
        let (head, count) = match self.branches.get(branch) {
            Some((head, count)) => (Some(head.to_string().parse().expect("a head is a commit")), *count),
            None if self.branches.is_empty() => (None, 0),
            None => return None,
        };
        let repo = RepoId::github(self.truth.id.0);
        Some(CommitsReading {
            repo,
            branch: branch.to_owned().into(),
            head,
            count,
            pushed_at: Some(pushed_at),
        })
    }
}

/// The fake's seconds are ours by another name.
pub fn second(second: fake_github::Second) -> Second {
    Second(second.0)
}

fn owner_reading(truth: &AccountTruth) -> OwnerReading<'static> {
    let kind = match truth.kind {
        AccountKind::User => "User",
        AccountKind::Organization => "Organization",
    };
    OwnerReading {
        id: AccountId::github(truth.id.0),
        login: truth.login.clone().into(),
        kind: Some(kind.into()),
        url: Some(truth.html_url.clone().into()),
        avatar_url: Some(truth.avatar_url.clone().into()),
    }
}
