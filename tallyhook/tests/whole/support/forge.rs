//! A fake GitHub with a past, and an App's webhook on it.

use fake_github::{
    AccountId, AccountTruth, FakeConfig, FakeGithub, HookTarget, Kind, Life, NewHook, NewRepository, RepoId,
    RepoTruth, Weights,
};

use super::{SECRET, process::Service, sender::Delivery};

/// A token that the forge accepts; it acts for the first owner.
pub(crate) const TOKEN: &str = "whole-process-token";

/// Sweeps every two seconds cost more than GitHub's five thousand an hour.
const REQUESTS_AN_HOUR: u64 = 100_000_000;

/// What happens without GitHub sending a word: only a reading tells. Deleting is among it, because an App does
/// not hear of it; so is going private, of which the forks hear nothing that lose their parent by it.
pub(crate) const SILENT: &[Kind] = &[
    Kind::SetSubscribers,
    Kind::SetLanguages,
    Kind::SetFollowers,
    Kind::SetProfile,
    Kind::SetLicense,
    Kind::PurgeStars,
    Kind::DeleteRepository,
    Kind::RecreateRepository,
];

/// A running fake, and the accounts whose numbers are watched.
pub(crate) struct Forge {
    pub(crate) fake: FakeGithub,
    pub(crate) owners: Vec<AccountId>,
}

impl Forge {
    /// An empty world.
    pub(crate) async fn empty(config: FakeConfig) -> Self {
        let fake = FakeGithub::start(config).await.unwrap();
        Forge { fake, owners: Vec::new() }
    }

    /// So many accounts with some months behind them.
    pub(crate) async fn with_past(seed: u64, accounts: usize) -> Self {
        let config = FakeConfig { seed, limit_authorised: REQUESTS_AN_HOUR, ..FakeConfig::default() };
        Self::with_past_of(config, accounts).await
    }

    pub(crate) async fn with_past_of(config: FakeConfig, accounts: usize) -> Self {
        let mut forge = Forge::empty(config).await;
        forge.owners = forge.fake.world(|world| {
            let owners = world.populate(accounts).unwrap();
            world.accept_token(TOKEN, owners[0]);
            owners
        });
        forge
    }

    /// The logins of the owners, as they are now.
    pub(crate) fn logins(&self) -> Vec<String> {
        let login = |world: &fake_github::World, id: &AccountId| world.login(*id).unwrap().to_owned();
        self.fake.world(|world| self.owners.iter().map(|id| login(world, id)).collect())
    }

    /// `TALLYHOOK_TRACK` for all owners.
    pub(crate) fn track(&self) -> String {
        self.logins().join(",")
    }

    /// Sends everything to the service, as a GitHub App's webhook does.
    pub(crate) fn hook(&self, service: &Service) {
        let hook = NewHook::new(HookTarget::App, service.hook_url(), SECRET);
        self.fake.world(|world| world.create_hook(hook)).unwrap();
    }

    /// What is true of the owners now.
    pub(crate) fn truths(&self) -> Vec<AccountTruth> {
        let logins = self.logins();
        self.fake.world(|world| logins.iter().map(|login| world.account_truth(login).unwrap()).collect())
    }

    /// What is true of every repository of the owners now, private ones too.
    pub(crate) fn repositories(&self) -> Vec<RepoTruth> {
        self.fake.world(|world| {
            let all = world.repositories().into_iter().filter_map(|id| world.truth(id));
            all.filter(|truth| self.owners.contains(&truth.owner)).collect()
        })
    }

    /// One of them.
    pub(crate) fn truth(&self, id: RepoId) -> RepoTruth {
        self.fake.world(|world| world.truth(id)).unwrap()
    }

    /// A public repository of an owner that takes pushes, whatever was done to it in the past.
    pub(crate) fn open_repository(&self, owner: usize) -> RepoTruth {
        let first = self.truths().remove(owner).repositories.into_iter().next();
        let id = self.fake.world(|world| match first {
            Some(truth) if truth.archived => {
                world.archive_repository(truth.id, false).map(|()| truth.id).unwrap()
            }
            Some(truth) => truth.id,
            None => {
                let id =
                    world.create_repository(self.owners[owner], NewRepository::public("the-first")).unwrap();
                world.push_commits(id, "main", 3).unwrap();
                id
            }
        });
        self.truth(id)
    }

    /// Returns when the forge's clock, which has a grain of a second, shows another one.
    pub(crate) async fn next_second(&self) {
        let now = || self.fake.world(|world| world.now());
        let begun = now();
        super::until(super::seconds(10), "the next second", async || {
            if now() > begun { Ok(()) } else { Err("the clock stands still") }
        })
        .await;
    }

    /// Pushes to a repository's default branch.
    pub(crate) fn push(&self, id: RepoId, commits: usize) {
        let branch = self.truth(id).default_branch;
        self.fake.world(|world| world.push_commits(id, &branch, commits)).unwrap();
    }

    /// A push that the forge tells nobody: the delivery that it would have sent.
    pub(crate) fn untold_push(&self, id: RepoId) -> Delivery {
        let event = self.fake.world(|world| {
            let branch = world.truth(id).unwrap().default_branch;
            world.push_commits(id, &branch, 1).unwrap();
            // Where a pull request is open from this branch, it is told too.
            let mut events = world.take_events().into_iter();
            events.find(|event| event.event == "push").unwrap()
        });
        Delivery::of(&event)
    }

    /// Random life of the owners.
    pub(crate) fn life(&self, seed: u64, weights: Weights) -> Life {
        Life::new(seed, weights).within(self.owners.clone())
    }
}

/// Life of which GitHub tells everything.
pub(crate) fn told() -> Weights {
    SILENT.iter().fold(Weights::default(), |weights, kind| weights.with(*kind, 0))
}
