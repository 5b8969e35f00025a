//! A random coherent history: what happened at a forge, what it said, and which changes it said nothing of.

use std::{collections::BTreeSet, fmt, rc::Rc};

use domain::{AccountId, RepoId};
use fake_github::{Emitted, Kind, Life, NewRepository, Visibility, Weights};
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use testkit::{
    deliveries::Ear,
    forge::{Forge, Moment, RepositoryMoment},
};

/// The first second of every history.
const START: fake_github::Second = fake_github::Second(1_780_000_000);
/// People without repositories of their own, who star, fork and contribute.
const CROWD: usize = 4;
/// Things that happened before anybody listened.
const PAST_STEPS: usize = 12;

/// What kinds of things happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// Only what GitHub tells, but for [`UNTOLD`].
    Told,
    /// Also what no event tells.
    Silent,
}

/// What a history is made from: the same gives the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe {
    pub(crate) seed: u64,
    pub(crate) steps: usize,
    pub(crate) course: Course,
}

/// What happened.
pub(crate) struct History {
    /// The world before, and after each step.
    pub(crate) moments: Vec<Rc<Moment>>,
    /// What was emitted, with the forge's milliseconds.
    pub(crate) emitted: Vec<(i64, Emitted)>,
    /// Each step, told for people.
    pub(crate) steps: Vec<String>,
    /// Whose repositories live.
    pub(crate) owners: Vec<AccountId>,
    /// Who listens.
    pub(crate) ears: Vec<Ear>,
    /// What kinds of things happened.
    pub(crate) course: Course,
    /// Changes that nobody who listens is told of, since when.
    pub(crate) untold: Vec<(i64, Untold)>,
    organizations: BTreeSet<AccountId>,
}

/// Something that changes without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Untold {
    /// Of which repository; `None`: of the account itself.
    pub(crate) repo: Option<RepoId>,
    /// What.
    pub(crate) field: Field,
}

/// A part of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    Existence,
    Fork,
    Forks,
    License,
    Stars,
    Watchers,
    Languages,
    Profile,
}

/// What GitHub does not tell even in a course of things that it tells of, and why: when a repository is deleted
/// or goes private, its forks go on without it. The oldest becomes the root of the others, is no fork any
/// more, and has forks; and whose fork was deleted has one less. No event about any of them is sent.
///
/// Such a course leaves out, because no event exists: subscribers, languages, followers and profile, licences
/// (a later event about the repository shows them), and stars of removed accounts. It deletes repositories
/// only where an organisation's hook hears of it: "GitHub Apps and repository webhooks will not receive this
/// event". A transfer is told once, to the App; the door appends it to both owners' streams.
pub(crate) const UNTOLD: [Field; 2] = [Field::Fork, Field::Forks];

impl History {
    /// Lets it happen.
    pub(crate) fn of(recipe: Recipe) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
        let mut forge = Forge::new(recipe.seed, START);
        let cast = Cast::enter(&mut forge, &mut rng);
        let mut past = Life::new(rng.random(), Weights::default()).within(cast.owners.clone());
        for _ in 0..PAST_STEPS {
            forge.pass(past.pause_ms().max(1));
            forge.live(&mut past);
        }
        forge.pass(10_000);
        forge.heard();

        let account = |id: &fake_github::AccountId| AccountId::github(id.0);
        let mut history = History {
            moments: vec![Rc::new(forge.moment())],
            emitted: Vec::new(),
            steps: Vec::new(),
            owners: cast.owners.iter().map(account).collect(),
            ears: cast.ears(&mut rng),
            course: recipe.course,
            untold: Vec::new(),
            organizations: cast.organizations.iter().map(account).collect(),
        };
        let weights = weights(recipe.course, history.hears_deletions(), &mut rng);
        let mut life = Life::new(rng.random(), weights).within(cast.owners);
        for _ in 0..recipe.steps {
            history.go_on(&mut forge, &mut life);
        }
        assert!(
            recipe.course == Course::Silent
                || history.untold.iter().all(|(_, untold)| UNTOLD.contains(&untold.field)),
            "a course of told things has untold ones: {:?}",
            history.untold
        );
        history
    }

    /// Whether this event is told to this listener.
    pub(crate) fn hears(&self, ear: Ear, event: &Emitted) -> bool {
        ear.hears(event, self.organizations.contains(&AccountId::github(event.account.0)))
    }

    /// The world at the end.
    pub(crate) fn end(&self) -> &Moment {
        self.moments.last().expect("a history has a first moment")
    }

    fn hears_deletions(&self) -> bool {
        self.ears.contains(&Ear::Organization)
            && self.owners.iter().all(|owner| self.organizations.contains(owner))
    }

    fn go_on(&mut self, forge: &mut Forge, life: &mut Life) {
        // Every moment has a millisecond of its own, so that a question can fall between any two.
        forge.pass(life.pause_ms().max(1));
        let Some(step) = forge.live(life) else { return };
        let at_ms = forge.now_ms();
        let emitted = forge.heard();
        let moment = Rc::new(forge.moment());
        self.note_untold(at_ms, &moment, &emitted);
        let second = at_ms.div_euclid(1000) - START.0;
        self.steps.push(format!("{second:>4}.{:03} {}", at_ms.rem_euclid(1000), step.text));
        let is_private = |event: &Emitted| {
            let repo = event.repository.and_then(|id| moment.repositories.get(&RepoId::github(id.0)));
            repo.is_some_and(|repo| repo.truth.visibility != Visibility::Public)
        };
        if emitted.iter().any(is_private) {
            // Whatever says private beats what says public in the same second, for good: that is a rule, not
            // a number that could be asked for.
            forge.pass(1_000);
        }
        self.emitted.extend(emitted.into_iter().map(|event| (at_ms, event)));
        self.moments.push(moment);
    }

    fn note_untold(&mut self, at_ms: i64, after: &Moment, emitted: &[Emitted]) {
        let before = Rc::clone(self.moments.last().expect("a history has a first moment"));
        let told: BTreeSet<RepoId> = emitted
            .iter()
            .filter(|event| self.ears.iter().any(|ear| self.hears(*ear, event)))
            .filter_map(|event| Some(RepoId::github(event.repository?.0)))
            .collect();
        let mut note = |repo: Option<RepoId>, field| self.untold.push((at_ms, Untold { repo, field }));
        for (id, old) in &before.repositories {
            match after.repositories.get(id) {
                None if !told.contains(id) => note(Some(*id), Field::Existence),
                // What is hidden shows nothing; when it is shown again, all of it is read again.
                Some(new) if new.truth.visibility == Visibility::Public => {
                    for field in untold_fields(old, new, told.contains(id)) {
                        note(Some(*id), field);
                    }
                }
                _ => {}
            }
        }
        for (id, new) in &after.accounts {
            let Some(old) = before.accounts.get(id).map(|account| &account.truth) else { continue };
            let profile = |truth: &fake_github::AccountTruth| {
                (truth.name.clone(), truth.email.clone(), truth.followers, truth.public_gists)
            };
            if profile(old) != profile(&new.truth) {
                note(None, Field::Profile);
            }
        }
    }
}

/// Which of the changes nobody is told of. Payloads show everything of a repository but subscribers and
/// languages.
fn untold_fields(before: &RepositoryMoment, after: &RepositoryMoment, is_told: bool) -> Vec<Field> {
    let (old, new) = (&before.truth, &after.truth);
    let changes = [
        (Field::Watchers, old.watchers != new.watchers, false),
        (Field::Languages, old.languages != new.languages, false),
        (Field::Fork, old.fork != new.fork, is_told),
        (Field::Forks, old.forks != new.forks, is_told),
        (Field::License, old.license != new.license || old.updated_at != new.updated_at, is_told),
        (Field::Stars, old.stars != new.stars, is_told),
    ];
    changes.into_iter().filter(|(_, changed, told)| *changed && !told).map(|(field, ..)| field).collect()
}

/// Who is there.
struct Cast {
    owners: Vec<fake_github::AccountId>,
    organizations: BTreeSet<fake_github::AccountId>,
}

impl Cast {
    fn enter(forge: &mut Forge, rng: &mut ChaCha8Rng) -> Self {
        let world = &mut forge.world;
        let crowd: Vec<_> =
            (0..CROWD).map(|place| world.create_user(&format!("crowd-{place}")).unwrap()).collect();
        let only_organizations = rng.random_bool(0.4);
        let mut cast = Cast { owners: Vec::new(), organizations: BTreeSet::new() };
        for place in 0..rng.random_range(2..4) {
            let login = format!("owner-{place}");
            let owner = if only_organizations || rng.random_bool(0.3) {
                let owner = world.create_organization(&login, *crowd.choose(rng).unwrap()).unwrap();
                cast.organizations.insert(owner);
                owner
            } else {
                world.create_user(&login).unwrap()
            };
            world.set_followers(owner, rng.random_range(0..100)).unwrap();
            world.set_public_gists(owner, rng.random_range(0..9)).unwrap();
            cast.owners.push(owner);
        }
        for (place, owner) in cast.owners.iter().enumerate() {
            for number in 0..rng.random_range(0..3) {
                let new = NewRepository::public(format!("repo-{place}-{number}"));
                let repo = world.create_repository(*owner, new).unwrap();
                world.push_commits(repo, "main", rng.random_range(1..5)).unwrap();
                world.set_languages(repo, &[("Rust", rng.random_range(1..9_000))]).unwrap();
            }
        }
        cast
    }

    fn ears(&self, rng: &mut ChaCha8Rng) -> Vec<Ear> {
        let all_organizations = self.owners.iter().all(|owner| self.organizations.contains(owner));
        if all_organizations || rng.random_bool(0.3) {
            vec![Ear::App, Ear::Organization]
        } else {
            vec![Ear::App]
        }
    }
}

/// What happens how often. Some histories are quiet but for one kind of upheaval, so that its corner cases
/// meet.
fn weights(course: Course, hears_deletions: bool, rng: &mut ChaCha8Rng) -> Weights {
    let mut weights = Weights::default();
    let upheavals: &[Kind] = match rng.random_range(0..6) {
        0 => &[Kind::Privatize, Kind::Publicize, Kind::DeleteRepository, Kind::CreateRepository],
        1 => &[Kind::TransferRepository, Kind::RenameRepository, Kind::RecreateRepository],
        2 => &[Kind::RenameAccount, Kind::RenameRepository, Kind::TransferRepository, Kind::Publicize],
        3 => &[Kind::SetDefaultBranch, Kind::RenameBranch, Kind::CreateBranch, Kind::ForcePush, Kind::Rewind],
        4 => &[Kind::OpenPull, Kind::ClosePull, Kind::ReopenPull, Kind::MergePull, Kind::PushSide],
        _ => &[],
    };
    for kind in upheavals {
        weights = weights.with(*kind, 80);
    }
    match course {
        Course::Told => {
            for kind in [
                Kind::SetLicense,
                Kind::SetSubscribers,
                Kind::SetLanguages,
                Kind::SetFollowers,
                Kind::SetProfile,
                Kind::PurgeStars,
            ] {
                weights = weights.with(kind, 0);
            }
            if !hears_deletions {
                weights = weights.with(Kind::DeleteRepository, 0);
            }
        }
        Course::Silent => {
            for kind in [Kind::PurgeStars, Kind::SetLicense, Kind::SetProfile, Kind::DeleteRepository] {
                weights = weights.with(kind, 15);
            }
        }
    }
    weights
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}
