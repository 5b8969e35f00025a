//! Random life: what happens next, chosen so that it could. The same seed and weights on the same world
//! give the same history.

use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::{
    account::AccountKind,
    act::{NewCommits, NewRepository},
    action::Action,
    id::{AccountId, RepoId},
    license::LICENSES,
    repository::{Repository, Visibility},
    words,
    world::World,
};

/// Kinds that a step tries before it gives up.
const KINDS_TRIED_MAX: usize = 50;
/// Repositories that are tried for a kind: most have nothing that it could happen to.
const TRIES_PER_KIND: usize = 8;
/// Branches, tags and repositories (per account) that random life keeps at most.
const KEPT_MAX: usize = 6;

macro_rules! kinds {
    ($($kind:ident = $weight:literal,)*) => {
        /// A kind of happening.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the variants are those of `Action`, some split by how they look")]
        pub enum Kind { $($kind,)* }

        /// How often each kind happens, relative to the others.
        #[derive(Debug, Clone)]
        pub struct Weights(Vec<(Kind, u32)>);

        impl Default for Weights {
            /// A busy forge: mostly pushes, stars and pull requests, and now and then one of everything.
            fn default() -> Self {
                Weights(vec![$((Kind::$kind, $weight),)*])
            }
        }
    };
}

kinds! {
    Push = 120,
    Burst = 20,
    ForcePush = 15,
    Rewind = 8,
    ForceThereAndBack = 10,
    PushMerge = 20,
    PushRoot = 4,
    FastForward = 10,
    CreateBranch = 25,
    PushSide = 30,
    DeleteBranch = 10,
    RenameBranch = 4,
    SetDefaultBranch = 8,
    CreateTag = 8,
    DeleteTag = 3,
    OpenPull = 40,
    OpenForkPull = 8,
    ClosePull = 12,
    ReopenPull = 8,
    MergePull = 20,
    OpenIssue = 20,
    CloseIssue = 10,
    ReopenIssue = 4,
    Star = 50,
    StarBurst = 10,
    Unstar = 20,
    Fork = 10,
    CreateRepository = 8,
    RenameRepository = 8,
    TransferRepository = 4,
    DeleteRepository = 3,
    RecreateRepository = 2,
    Privatize = 4,
    Publicize = 4,
    Archive = 3,
    Unarchive = 3,
    Describe = 6,
    SetTopics = 6,
    SetLicense = 3,
    SetSubscribers = 8,
    SetLanguages = 20,
    SetFollowers = 6,
    SetProfile = 3,
    RenameAccount = 2,
    PurgeStars = 1,
}

impl Weights {
    /// With another weight for one kind; 0 is never.
    #[must_use]
    pub fn with(mut self, kind: Kind, weight: u32) -> Self {
        for entry in &mut self.0 {
            if entry.0 == kind {
                entry.1 = weight;
            }
        }
        self
    }

    /// Only these kinds, at their usual weights.
    pub fn only(kinds: &[Kind]) -> Self {
        let mut weights = Weights::default();
        weights.0.retain(|(kind, _)| kinds.contains(kind));
        weights
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub struct Step {
    /// The action, done already.
    pub action: Action,
    /// A short sentence for people.
    pub text: String,
}

/// A source of random history.
#[derive(Debug)]
pub struct Life {
    rng: ChaCha8Rng,
    weights: Weights,
    /// Whose repositories live; none means everybody's.
    owners: Option<Vec<AccountId>>,
}

impl Life {
    /// Life from a seed.
    pub fn new(seed: u64, weights: Weights) -> Self {
        Life { rng: ChaCha8Rng::seed_from_u64(seed), weights, owners: None }
    }

    /// Only the repositories of these accounts live; anybody may star and fork them.
    #[must_use]
    pub fn within(mut self, owners: Vec<AccountId>) -> Self {
        self.owners = Some(owners);
        self
    }

    /// Lets one thing happen. `None` when nothing of the wanted kinds can.
    pub fn step(&mut self, world: &mut World) -> Option<Step> {
        for _ in 0..KINDS_TRIED_MAX {
            let (kind, _) = *self.weights.0.choose_weighted(&mut self.rng, |(_, weight)| *weight).ok()?;
            // A kind is given several chances, else the kinds that are seldom possible would hardly happen.
            for _ in 0..TRIES_PER_KIND {
                let Some(action) = self.propose(kind, world) else { continue };
                let text = action.describe(world);
                if world.apply(&action).is_ok() {
                    return Some(Step { action, text });
                }
            }
        }
        None
    }

    /// How long until the next thing happens: often within the same second, seldom minutes.
    pub fn pause_ms(&mut self) -> i64 {
        match self.rng.random_range(0..20) {
            0..9 => 0,
            9..15 => self.rng.random_range(50..900),
            15..19 => self.rng.random_range(1_000..5_000),
            _ => self.rng.random_range(5_000..300_000),
        }
    }

    fn propose(&mut self, kind: Kind, world: &World) -> Option<Action> {
        match kind {
            Kind::CreateRepository => return self.new_repository(world),
            Kind::RecreateRepository => return self.recreated_repository(world),
            Kind::SetFollowers => {
                let account = self.owner(world)?;
                return Some(Action::SetFollowers { account, count: self.rng.random_range(0..5_000) });
            }
            Kind::SetProfile => {
                let account = self.owner(world)?;
                let name = Some(words::person(&mut self.rng));
                let email =
                    self.rng.random_bool(0.7).then(|| format!("{}@example.com", words::name(&mut self.rng)));
                return Some(Action::SetProfile { account, name, email });
            }
            Kind::RenameAccount => {
                let account = self.owner(world)?;
                return Some(Action::RenameAccount { account, login: words::name(&mut self.rng) });
            }
            Kind::PurgeStars => {
                return Some(Action::PurgeStars { account: self.user(world)? });
            }
            _ => {}
        }
        let repo = self.some_repository(world)?;
        let id = repo.id;
        let by = self.someone_of(world, repo);
        let default = repo.default_branch.clone();
        let side = self.side_branch(repo);
        let new = |back, count| NewCommits { back, count };
        let length = self.rng.random_range(1..4);
        Some(match kind {
            Kind::Push => Action::Push { repo: id, branch: default, new: new(0, length), by },
            Kind::Burst => {
                let count = self.rng.random_range(5..40);
                Action::Push { repo: id, branch: default, new: new(0, count), by }
            }
            Kind::ForcePush => {
                Action::Push { repo: id, branch: default, new: new(self.rng.random_range(1..4), length), by }
            }
            Kind::Rewind => Action::Push { repo: id, branch: default, new: new(length, 0), by },
            Kind::ForceThereAndBack => Action::ForceThereAndBack { repo: id, branch: default, by },
            Kind::PushSide => {
                let back = usize::from(self.rng.random_bool(0.2));
                Action::Push { repo: id, branch: side?, new: new(back, length), by }
            }
            Kind::PushMerge => Action::PushMerge { repo: id, from: side?, into: default, by },
            Kind::PushRoot => Action::PushRoot { repo: id, branch: default, by },
            Kind::FastForward => Action::FastForward { repo: id, from: side?, into: default, by },
            Kind::CreateBranch if repo.branches.len() < KEPT_MAX => {
                let branch = words::branch(&mut self.rng);
                Action::CreateBranch { repo: id, branch, from: default, by }
            }
            Kind::DeleteBranch => Action::DeleteBranch { repo: id, branch: side?, by },
            Kind::RenameBranch => {
                let from = if self.rng.random_bool(0.5) { default } else { side? };
                Action::RenameBranch { repo: id, from, to: words::branch(&mut self.rng), by }
            }
            Kind::SetDefaultBranch => Action::SetDefaultBranch { repo: id, branch: side? },
            Kind::CreateTag if repo.tags.len() < KEPT_MAX => {
                Action::CreateTag { repo: id, tag: words::tag(&mut self.rng), at: default, by }
            }
            Kind::DeleteTag => {
                let tags: Vec<&String> = repo.tags.keys().collect();
                let tag = (*tags.choose(&mut self.rng)?).clone();
                Action::DeleteTag { repo: id, tag, by }
            }
            Kind::OpenPull => {
                let title = words::line(&mut self.rng);
                Action::OpenPull { repo: id, head: (id, side?), base: default, title, by }
            }
            Kind::OpenForkPull => {
                let forks: Vec<RepoId> = repo.forks.iter().copied().collect();
                let fork = world.repository(*forks.choose(&mut self.rng)?).ok()?;
                let head = (fork.id, fork.default_branch.clone());
                let title = words::line(&mut self.rng);
                let by = world.view().actor(fork.owner);
                Action::OpenPull { repo: id, head, base: default, title, by }
            }
            Kind::ClosePull => Action::ClosePull { repo: id, number: self.pull(repo, true)?, by },
            Kind::ReopenPull => Action::ReopenPull { repo: id, number: self.pull(repo, false)?, by },
            Kind::MergePull => {
                let squash = self.rng.random_bool(0.3);
                Action::MergePull { repo: id, number: self.pull(repo, true)?, squash, by }
            }
            Kind::OpenIssue => {
                let by = self.user(world)?;
                Action::OpenIssue { repo: id, title: words::line(&mut self.rng), by }
            }
            Kind::CloseIssue => Action::CloseIssue { repo: id, number: self.issue(repo, true)?, by },
            Kind::ReopenIssue => Action::ReopenIssue { repo: id, number: self.issue(repo, false)?, by },
            Kind::Star => Action::Star { repo: id, by: vec![self.starrer(world, repo)?] },
            Kind::StarBurst => {
                let mut by: Vec<AccountId> =
                    (0..self.rng.random_range(2..6)).filter_map(|_| self.starrer(world, repo)).collect();
                by.sort_unstable();
                by.dedup();
                if by.is_empty() || !repo.is_public() {
                    return None;
                }
                Action::Star { repo: id, by }
            }
            Kind::Unstar => {
                let starrers: Vec<AccountId> = repo.stars.keys().copied().collect();
                Action::Unstar { repo: id, by: *starrers.choose(&mut self.rng)? }
            }
            Kind::Fork => {
                let all = world.accounts();
                let into = *all.choose(&mut self.rng)?;
                if world.view().repositories_of(into).len() >= KEPT_MAX {
                    return None;
                }
                Action::Fork { repo: id, into }
            }
            Kind::RenameRepository => Action::RenameRepository { repo: id, name: words::name(&mut self.rng) },
            Kind::TransferRepository => Action::TransferRepository { repo: id, to: self.owner(world)? },
            Kind::DeleteRepository => Action::DeleteRepository { repo: id },
            Kind::Privatize => Action::Privatize { repo: id },
            Kind::Publicize => Action::Publicize { repo: id },
            Kind::Archive => Action::Archive { repo: id, archived: true },
            Kind::Unarchive => Action::Archive { repo: id, archived: false },
            Kind::Describe => {
                let description = self.rng.random_bool(0.8).then(|| words::line(&mut self.rng));
                Action::Describe { repo: id, description }
            }
            Kind::SetTopics => {
                let topics = words::topics(&mut self.rng).into_iter().map(str::to_owned).collect();
                Action::SetTopics { repo: id, topics }
            }
            Kind::SetLicense => {
                Action::SetLicense { repo: id, license: LICENSES.choose(&mut self.rng).copied() }
            }
            Kind::SetSubscribers => Action::SetSubscribers { repo: id, count: self.rng.random_range(0..200) },
            Kind::SetLanguages if repo.languages_due => {
                let languages = words::languages(&mut self.rng);
                let languages = languages.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
                Action::SetLanguages { repo: id, languages }
            }
            _ => return None,
        })
    }

    fn new_repository(&mut self, world: &World) -> Option<Action> {
        let owner = self.owner(world)?;
        if world.view().repositories_of(owner).len() >= KEPT_MAX {
            return None;
        }
        let mut new = NewRepository::public(words::name(&mut self.rng));
        new.description = self.rng.random_bool(0.7).then(|| words::line(&mut self.rng));
        if self.rng.random_bool(0.1) {
            new.visibility = Visibility::Private;
        }
        if self.rng.random_bool(0.2) {
            new.default_branch = "master".into();
        }
        Some(Action::CreateRepository { owner, new })
    }

    /// A repository under the name of one that has moved away: the old name leads to the new one then.
    fn recreated_repository(&mut self, world: &World) -> Option<Action> {
        let former: Vec<(&String, &String)> =
            world.state.former_names.keys().map(|(login, name)| (login, name)).collect();
        let (login, name) = *former.choose(&mut self.rng)?;
        let owner = world.account_id(login)?;
        let lives = self.owners.as_ref().is_none_or(|owners| owners.contains(&owner));
        lives.then(|| Action::CreateRepository { owner, new: NewRepository::public(name.clone()) })
    }

    fn owner(&mut self, world: &World) -> Option<AccountId> {
        match &self.owners {
            Some(owners) => owners.choose(&mut self.rng).copied(),
            None => world.accounts().choose(&mut self.rng).copied(),
        }
    }

    fn user(&mut self, world: &World) -> Option<AccountId> {
        let users: Vec<AccountId> = (world.state.accounts.values())
            .filter(|account| account.kind == AccountKind::User)
            .map(|account| account.id)
            .collect();
        users.choose(&mut self.rng).copied()
    }

    fn starrer(&mut self, world: &World, repo: &Repository) -> Option<AccountId> {
        self.user(world).filter(|user| !repo.stars.contains_key(user))
    }

    fn some_repository<'w>(&mut self, world: &'w World) -> Option<&'w Repository> {
        let owners = self.owners.as_ref();
        let lives = |repo: &&Repository| owners.is_none_or(|owners| owners.contains(&repo.owner));
        let list: Vec<&Repository> =
            world.state.repositories.values().map(AsRef::as_ref).filter(lives).collect();
        list.choose(&mut self.rng).copied()
    }

    /// Its owner, one of the organisation's members, or now and then somebody who contributes.
    fn someone_of(&mut self, world: &World, repo: &Repository) -> AccountId {
        let owner = world.view().actor(repo.owner);
        if self.rng.random_bool(0.7) { owner } else { self.user(world).unwrap_or(owner) }
    }

    fn side_branch(&mut self, repo: &Repository) -> Option<String> {
        let sides: Vec<&String> = repo.branches.keys().filter(|name| **name != repo.default_branch).collect();
        sides.choose(&mut self.rng).map(|name| (*name).clone())
    }

    fn pull(&mut self, repo: &Repository, open: bool) -> Option<u64> {
        let numbers: Vec<u64> = (repo.pulls.values())
            .filter(|pull| pull.is_open() == open && pull.merged.is_none())
            .map(|pull| pull.number)
            .collect();
        numbers.choose(&mut self.rng).copied()
    }

    fn issue(&mut self, repo: &Repository, open: bool) -> Option<u64> {
        let numbers: Vec<u64> = (repo.issues.values())
            .filter(|issue| issue.closed_at.is_none() == open)
            .map(|issue| issue.number)
            .collect();
        numbers.choose(&mut self.rng).copied()
    }
}
