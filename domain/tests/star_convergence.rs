//! Stars of a small world, told to the streams of those whom they concern: late, doubled, in any order, while what is
//! open is asked for and answered late. Once nothing is open, the neighbours are the truth and say so, and another way
//! of hearing the same ends in the same bytes.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    AccountId, Asked, Epoch, Event, Ledger, MemberSet, Millis, NeedKey, RepoId, Row, RowKey, Second, Stamp,
    StreamKey, Told, Version, ViewKey,
    entity::{
        stargazers::{Member, StarBucket},
        starred::Starred,
        starrer::Starrer,
    },
    event::{
        Gazer, GazersListed, OwnerReading, RepositoryReading, StarReading, StarredReading, StarredRepository,
        StarrerReading, StarsReading, TrackedBy,
    },
    key::EntityKey,
    ledger::LargeViews,
    need::Need,
    view::neighbours::{Chunk, NEIGHBOURS_MAX, Reader, StoredHead},
};
use proptest::prelude::*;
use serde_json::{Value, json};

const OWNER: u64 = 9;
/// Repositories whose neighbours are wanted; the owner's.
const TARGETS: [u64; 2] = [70, 71];
/// Repositories of somebody else.
const OTHERS: [u64; 4] = [3, 4, 5, 6];
const USERS: [u64; 4] = [51, 52, 53, 54];

fn account(id: u64) -> AccountId {
    AccountId::github(id)
}

fn stream(id: u64) -> StreamKey {
    StreamKey::Account(account(id))
}

fn owner_of(repo: u64) -> u64 {
    if TARGETS.contains(&repo) { OWNER } else { 100 }
}

fn name(repo: u64) -> String {
    if TARGETS.contains(&repo) { format!("ada/r{repo}") } else { format!("o/r{repo}") }
}

/// Who starred what, and when.
type World = BTreeMap<(u64, u64), i64>;

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// Somebody stars a repository, or takes the star back, so many seconds after the last.
    Flip(usize, usize, i64),
    /// One of the events so far arrives at those whom it concerns.
    Deliver(prop::sample::Index),
    /// One of the open needs is asked about; the answer arrives so many steps later.
    Ask(prop::sample::Index, usize),
    /// All is loaded again from its rows.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let repos = TARGETS.len() + OTHERS.len();
    prop_oneof![
        4 => (0..USERS.len(), 0..repos, 0i64..2).prop_map(|(user, repo, pause)| Step::Flip(user, repo, pause)),
        6 => any::<prop::sample::Index>().prop_map(Step::Deliver),
        4 => (any::<prop::sample::Index>(), 0usize..4).prop_map(|(which, wait)| Step::Ask(which, wait)),
        1 => Just(Step::Restart),
    ]
}

/// An answer on its way: the record for each stream.
struct Late {
    due: usize,
    asked: Asked,
    told: Vec<(u64, Event<'static>)>,
}

struct Play {
    world: World,
    now: i64,
    events: Vec<StarReading<'static>>,
    rows: BTreeMap<RowKey, Row>,
    ledgers: BTreeMap<u64, Ledger>,
    offset: u64,
    late: Vec<Late>,
}

impl Play {
    fn new() -> Self {
        let mut play = Play {
            world: World::new(),
            now: 100,
            events: Vec::new(),
            rows: BTreeMap::new(),
            ledgers: BTreeMap::new(),
            offset: 0,
            late: Vec::new(),
        };
        play.load();
        let owner =
            OwnerReading { id: account(OWNER), login: "ada".into(), kind: None, url: None, avatar_url: None };
        play.fold(OWNER, Told::Command, &[Event::Tracked(TrackedBy::Person), Event::Owner(owner)]);
        for repo in TARGETS {
            let reading = RepositoryReading {
                name: Some(format!("r{repo}").into()),
                private: Some(false),
                updated_at: Some(Second(10)),
                ..RepositoryReading::of(RepoId::github(repo))
            };
            let wanted = Event::NeighboursWanted { repo: RepoId::github(repo) };
            play.fold(OWNER, Told::Command, &[Event::Repository(Box::new(reading)), wanted]);
        }
        play
    }

    fn load(&mut self) {
        for id in USERS.into_iter().chain([OWNER]) {
            let is_stored = |key: &RowKey| {
                key.stream() == Some(stream(id))
                    && matches!(key, RowKey::Entity(..) | RowKey::Member { .. } | RowKey::Need(..))
            };
            let rows: Vec<Row> = self.rows.values().filter(|row| is_stored(&row.key)).cloned().collect();
            self.ledgers.insert(id, Ledger::load(account(id), rows).unwrap());
        }
    }

    fn fold(&mut self, id: u64, told: Told, events: &[Event<'static>]) {
        self.offset += 1;
        let version = Version::new(Epoch::FIRST, self.offset);
        let ledger = self.ledgers.get_mut(&id).unwrap();
        ledger.evolve(&Stamp { version, received_at: Millis(self.now * 1_000), told }, events);
        loop {
            let drained = ledger.drain(LargeViews::Render);
            for row in drained.rows {
                self.rows.insert(row.key.clone(), row);
            }
            if !drained.has_more {
                return;
            }
        }
    }

    fn flip(&mut self, user: u64, repo: u64, pause: i64) {
        self.now += pause;
        let given = self.world.remove(&(user, repo)).is_none();
        if given {
            self.world.insert((user, repo), self.now);
        }
        self.events.push(StarReading {
            repo: RepoId::github(repo),
            owner: account(owner_of(repo)),
            starrer: account(user),
            login: Some(format!("user-{user}").into()),
            given,
            at: Second(self.now),
        });
    }

    fn deliver(&mut self, event: usize) {
        let star = self.events[event].clone();
        let starrer = star.starrer.as_github().unwrap();
        if star.owner == account(OWNER) {
            self.fold(OWNER, Told::Delivery, &[Event::Star(star.clone())]);
        }
        self.fold(starrer, Told::Delivery, &[Event::Star(star)]);
    }

    fn row(&self, key: &RowKey) -> Option<&Row> {
        self.rows.get(key)
    }

    fn open(&self) -> Vec<(u64, NeedKey)> {
        let is_of_stars =
            |key: &NeedKey| matches!(key, NeedKey::Stargazers(_) | NeedKey::Starred(_) | NeedKey::OwnStars);
        let needs = self.rows.values().filter_map(|row| match &row.key {
            RowKey::Need(StreamKey::Account(id), key) if is_of_stars(key) => {
                let is_open = Need::decode(&row.value).unwrap().is_open();
                is_open.then(|| (id.as_github().unwrap(), key.clone()))
            }
            _ => None,
        });
        needs.collect()
    }

    fn members(&self, repo: RepoId) -> Vec<(AccountId, Member)> {
        let slices = self.rows.values().filter(|row| {
            matches!(&row.key, RowKey::Member { set: MemberSet::Stargazers, parent, .. } if *parent == repo)
        });
        let slices = slices.map(|row| StarBucket::decode(&row.value).unwrap());
        let members =
            slices.flat_map(|slice| slice.members().map(|(id, it)| (id, it.clone())).collect::<Vec<_>>());
        members.filter(|(_, it)| it.is_given).collect()
    }

    fn starred_row(&self, repo: RepoId, user: AccountId) -> Option<Starred> {
        let mut bytes = Vec::new();
        user.write_key(&mut bytes);
        let row = self.rows.values().find(|row| {
            matches!(&row.key, RowKey::Member { set: MemberSet::Starred, parent, id, .. } if *parent == repo && *id == bytes)
        });
        row.map(|row| Starred::decode(&row.value).unwrap())
    }

    /// What is answered now, as backfill says it; it arrives later.
    fn ask(&mut self, (id, key): (u64, NeedKey), wait: usize) {
        let asked_at = Version::new(Epoch::FIRST, self.offset);
        let told = match key {
            NeedKey::Stargazers(repo) => {
                let number = repo.as_github().unwrap();
                let gazers = self.world.iter().filter(|((_, of), _)| *of == number);
                let gazers: Vec<Gazer<'static>> = gazers
                    .map(|((user, _), at)| Gazer {
                        id: account(*user),
                        login: format!("user-{user}").into(),
                        at: Second(*at),
                    })
                    .collect();
                let shown: BTreeSet<AccountId> = gazers.iter().map(|gazer| gazer.id).collect();
                let absent = self.members(repo).into_iter().map(|(user, _)| user);
                let absent = absent.filter(|user| !shown.contains(user)).collect();
                let listed = Some(GazersListed { since: asked_at, is_whole: true, absent });
                vec![(
                    OWNER,
                    Event::Stars(Box::new(StarsReading { gazers, listed, ..StarsReading::of(repo) })),
                )]
            }
            NeedKey::Starred(repo) => {
                let unknown = self.members(repo).into_iter().map(|(user, _)| user);
                let unknown: Vec<AccountId> =
                    unknown.filter(|user| self.starred_row(repo, *user).is_none()).collect();
                unknown.into_iter().flat_map(|user| self.starred(user, repo, None)).collect()
            }
            _ => {
                let row = self.row(&RowKey::Entity(stream(id), EntityKey::Starrer)).unwrap();
                let starrer = Starrer::decode(&row.value).unwrap();
                let (_, target) = starrer.target.unwrap();
                let base = self.starred_row(target, account(id));
                let base = base.filter(|base| starrer.is_taken_known() && base.asked_ms == starrer.read_ms);
                self.starred(account(id), target, base.as_ref())
            }
        };
        // Each moment on our clock is another one.
        let asked_ms = Millis(self.now * 1_000 + i64::try_from(self.offset).unwrap());
        let asked = Asked { asked_at, asked_ms, date: Second(self.now) };
        self.late.push(Late { due: wait, asked, told });
    }

    /// What somebody starred; where it is known what they had starred before, only what is new is looked at.
    fn starred(&self, user: AccountId, target: RepoId, base: Option<&Starred>) -> Vec<(u64, Event<'static>)> {
        let number = user.as_github().unwrap();
        let mut stars: Vec<(i64, u64)> = self
            .world
            .iter()
            .filter(|((of, _), _)| *of == number)
            .map(|((_, repo), at)| (*at, *repo))
            .collect();
        stars.sort_unstable_by_key(|star| std::cmp::Reverse(*star));
        let mut repos: BTreeSet<u64> = BTreeSet::new();
        let known: BTreeSet<u64> = base
            .iter()
            .flat_map(|base| &base.repositories)
            .map(|repo| repo.id.as_github().unwrap())
            .collect();
        // Nobody knows in which order the forge lists stars of one second.
        let newest_known = stars.iter().find(|(_, repo)| known.contains(repo)).map(|(at, _)| *at);
        repos.extend(
            stars
                .iter()
                .filter(|(at, _)| newest_known.is_none_or(|known| *at >= known))
                .map(|(_, repo)| *repo),
        );
        if newest_known.is_some() {
            repos.extend(&known);
        }
        let wanted = TARGETS.into_iter().filter(|repo| repos.contains(repo));
        let wanted: BTreeSet<u64> = wanted.chain([target.as_github().unwrap()]).collect();
        let repositories = repos.iter().map(|repo| StarredRepository {
            id: RepoId::github(*repo),
            owner: account(owner_of(*repo)),
            full_name: name(*repo).into(),
        });
        let login = format!("user-{number}");
        let reading = StarredReading {
            starrer: user,
            login: login.clone().into(),
            repositories: repositories.collect(),
            is_whole: true,
            older_ms: None,
            pages: Vec::new(),
        };
        let own = StarrerReading { login: login.into(), target: Some((account(OWNER), target)) };
        let mut told = vec![(number, Event::StarrerAsked(own))];
        told.extend(wanted.into_iter().map(|repo| {
            let starred = vec![reading.clone()];
            let repo = RepoId::github(repo);
            (OWNER, Event::Stars(Box::new(StarsReading { starred, ..StarsReading::of(repo) })))
        }));
        told
    }

    /// Lets what is due arrive.
    fn arrive(&mut self, all: bool) {
        let (due, late): (Vec<Late>, Vec<Late>) =
            std::mem::take(&mut self.late).into_iter().partition(|late| all || late.due == 0);
        self.late = late;
        for late in &mut self.late {
            late.due -= 1;
        }
        for Late { asked, told, .. } in due {
            for (id, event) in told {
                self.fold(id, Told::Answer(asked), &[event]);
            }
        }
    }

    fn run(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Flip(user, repo, pause) => {
                    let repo = *TARGETS.iter().chain(&OTHERS).nth(*repo).unwrap();
                    self.flip(USERS[*user], repo, *pause);
                }
                Step::Deliver(which) if !self.events.is_empty() => {
                    self.deliver(which.index(self.events.len()));
                }
                Step::Ask(which, wait) => {
                    let open = self.open();
                    if !open.is_empty() {
                        self.ask(open[which.index(open.len())].clone(), *wait);
                    }
                }
                Step::Restart => self.load(),
                Step::Deliver(_) => {}
            }
            self.arrive(false);
        }
    }

    /// Everything arrives at last, in this order, and what is open is answered.
    fn settle(&mut self, order: &[prop::sample::Index]) {
        let mut left: Vec<usize> = (0..self.events.len()).collect();
        let mut order = order.iter().cycle();
        while !left.is_empty() {
            let place = order.next().unwrap().index(left.len());
            self.deliver(left.swap_remove(place));
        }
        self.arrive(true);
        for _ in 0..50 {
            // The forge's second is over when what is in doubt is asked for.
            self.now += 2;
            let open = self.open();
            if open.is_empty() {
                return;
            }
            for need in open {
                self.ask(need, 0);
                self.arrive(true);
            }
        }
        panic!("needs stay open: {:?}", self.open());
    }

    fn shown(&self, repo: u64) -> (Value, bool) {
        let repo = RepoId::github(repo);
        let row = self.row(&RowKey::View(stream(OWNER), ViewKey::Neighbours(repo))).unwrap();
        let StoredHead::Head(head) = StoredHead::decode(&row.value).unwrap() else { panic!("it is shown") };
        let mut reader = Reader::new(&head, NEIGHBOURS_MAX, 0);
        let mut body = Vec::new();
        for number in 0..head.chunks {
            let chunk =
                self.row(&RowKey::View(stream(OWNER), ViewKey::NeighboursChunk(repo, number))).unwrap();
            body.extend(reader.read(&Chunk::decode(&chunk.value).unwrap(), |_, _| false).unwrap());
        }
        body.extend_from_slice(reader.end());
        (serde_json::from_slice(&body).unwrap(), head.meta.complete)
    }

    /// What the contract says, from the world alone.
    fn truth(&self, target: u64) -> Value {
        let gazers: BTreeSet<u64> =
            self.world.keys().filter(|(_, repo)| *repo == target).map(|(user, _)| *user).collect();
        let mut shared: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
        for (user, repo) in self.world.keys().filter(|(user, repo)| *repo != target && gazers.contains(user))
        {
            shared.entry(*repo).or_default().insert(format!("user-{user}"));
        }
        let mut rows: Vec<_> = shared
            .into_iter()
            .map(|(repo, users)| (std::cmp::Reverse(users.len()), name(repo), users))
            .collect();
        rows.sort();
        rows.into_iter()
            .map(|(_, repo, stargazers)| json!({"repo": repo, "stargazers": stargazers}))
            .collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_way_of_hearing_of_stars_ends_in_the_truth(
        steps in prop::collection::vec(step(), 1..60),
        orders in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 1..8), 2),
        dull in prop::collection::vec(any::<bool>(), 60),
    ) {
        let mut played: Vec<Play> = Vec::new();
        for (place, order) in orders.iter().enumerate() {
            let mut play = Play::new();
            // The second way hears and asks of other things meanwhile.
            let is_heard = |number: usize, step: &Step| {
                place == 0 || matches!(step, Step::Flip(..)) || dull.get(number).copied().unwrap_or(false)
            };
            let steps = steps.iter().enumerate().filter(|(number, step)| is_heard(*number, step));
            play.run(&steps.map(|(_, step)| step.clone()).collect::<Vec<_>>());
            play.settle(order);
            for target in TARGETS {
                prop_assert_eq!(play.shown(target), (play.truth(target), true), "way {}, {}", place, target);
            }
            played.push(play);
        }
        prop_assert_eq!(&played[0].world, &played[1].world);
    }
}
