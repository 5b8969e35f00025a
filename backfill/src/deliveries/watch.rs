//! The hooks that are ours: where they are, when each is looked at next, and what was learnt of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use domain::{
    AccountId, Millis, RepoId, Second, StreamKey,
    directory::{Directory, DirectoryState},
};
use github::client::{Administered, Answer, Hook, HookOwner};
use serde::{Deserialize, Serialize};

use super::{Habit, HookState, checks::Checks, is_ours, tally::Tally};
use crate::ask::now;

/// Hooks are looked for anew after so many of the rounds that look at them.
const FIND_EVERY: i64 = 10;
/// An account that came, and that the token administers, is searched for hooks after this: others may come with it.
const FIND_SOON_MS: i64 = 5_000;
/// Where the token has no rights it is not tried again before this.
const REFUSED_PAUSE_MS: i64 = 24 * 60 * 60 * 1000;
const NOT_FOUND: u16 = 404;
/// So many lists of hooks are asked for in one search; the others have their turn in the next.
const PLACES_PER_SEARCH_MAX: usize = 200;
/// So many hooks are looked at in one interval; with more of them the interval stretches, so that they cost at most
/// six hundred requests an hour with the usual interval, and nothing while they are quiet.
const HOOKS_PER_INTERVAL: usize = 10;

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Look for hooks.
    Find,
    /// Look at this hook.
    Look(StreamKey, u64),
    /// Sweep this account: something that was sent cannot be had.
    Check(AccountId),
}

/// What has hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Place {
    /// Every account that the App is installed on.
    App,
    Organization(AccountId),
    Repository(RepoId),
}

/// The same by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum On {
    App,
    Organization(String),
    Repository { owner: String, name: String },
}

impl On {
    pub(super) fn owner(&self) -> HookOwner<'_> {
        match self {
            On::App => HookOwner::App,
            On::Organization(login) => HookOwner::Organization(login),
            On::Repository { owner, name } => HookOwner::Repository { owner, name },
        }
    }
}

/// A place whose hooks are asked for.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) place: Place,
    pub(super) stream: StreamKey,
    pub(super) on: On,
    pub(super) etag: Option<String>,
}

/// What is known of a place.
#[derive(Debug, Default)]
struct Listed {
    asked: Millis,
    etag: Option<String>,
    refused_until: Option<Millis>,
}

/// A hook that is ours.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) id: u64,
    /// What concerns the hook itself is noted here.
    pub(super) stream: StreamKey,
    pub(super) on: On,
    pub(super) is_active: bool,
    pub(super) state: HookState,
    pub(super) memory: Memory,
    place: Place,
    due: Millis,
}

/// What was learnt of a hook; what must survive a restart is [`Stored`].
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    pub(super) is_loaded: bool,
    /// Everything sent before this is settled.
    pub(super) until: Option<Second>,
    /// What of that was noted as a row.
    pub(super) noted: Option<Second>,
    /// Of the newest page, while nothing on it is open.
    pub(super) etag: Option<String>,
    /// Deliveries after `until` that are settled, with the second at which they were sent.
    pub(super) settled: HashMap<String, Second>,
    /// Deliveries that were tried in vain.
    pub(super) tries: HashMap<String, Tries>,
    pub(super) habit: Habit,
    /// What was sent by the hour.
    pub(super) tally: Tally,
}

/// How often something was tried.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tries {
    pub(super) failed: usize,
    /// How often GitHub was asked to send it again, and when last.
    pub(super) asked: usize,
    pub(super) asked_ms: Millis,
}

/// How far a hook's deliveries are settled, as a cursor row keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) until: Second,
    pub(super) habit: Habit,
}

/// The hooks of all kept accounts.
#[derive(Debug)]
pub(crate) struct Deliveries {
    /// `None`: none is ever looked at.
    every_ms: Option<i64>,
    pub(super) takes_all: bool,
    url: Option<String>,
    kept: HashSet<AccountId>,
    /// Whose repositories the token administers, by the last search.
    administered: HashSet<AccountId>,
    find_at: Millis,
    /// Whether an App's hook is looked at too: by the process that asks for what belongs to no account.
    looks_at_app: bool,
    places: HashMap<Place, Listed>,
    hooks: BTreeMap<u64, Watched>,
    due: BTreeSet<(Millis, u64)>,
    checks: Checks,
}

impl Watched {
    /// The repository that has it; `None`: an organisation, or an App.
    pub(super) fn repository(&self) -> Option<RepoId> {
        match self.place {
            Place::Repository(repo) => Some(repo),
            Place::Organization(_) | Place::App => None,
        }
    }
}

impl Deliveries {
    /// Looks at each hook so often; `None`: never. `takes_all`: everything is taken, and not only what came to
    /// nothing. `url`: where our hooks send to.
    pub(crate) fn new(every: Option<Duration>, takes_all: bool, url: Option<String>) -> Self {
        Deliveries {
            every_ms: every.map(|every| i64::try_from(every.as_millis()).unwrap_or(i64::MAX)),
            takes_all,
            url,
            kept: HashSet::new(),
            administered: HashSet::new(),
            find_at: Millis(0),
            looks_at_app: false,
            places: HashMap::new(),
            hooks: BTreeMap::new(),
            due: BTreeSet::new(),
            checks: Checks::default(),
        }
    }

    /// Notes how an account is doing.
    pub(crate) fn note(&mut self, account: AccountId, directory: &Directory, now: Millis) {
        let Some(every_ms) = self.every_ms else { return };
        if !matches!(directory.state, DirectoryState::Kept | DirectoryState::Hidden) {
            self.kept.remove(&account);
            self.checks.retain(|kept| kept != account);
            self.forget(|hook| hook.stream == StreamKey::Account(account));
        } else if self.kept.insert(account) && self.administered.contains(&account) {
            self.find_at = self.find_at.min(now.plus(every_ms.min(FIND_SOON_MS)));
        }
    }

    /// Forgets accounts that are for another process to ask about.
    pub(crate) fn let_go(&mut self, is_held: impl Fn(StreamKey) -> bool) {
        self.kept.retain(|account| is_held(StreamKey::Account(*account)));
        self.checks.retain(|account| is_held(StreamKey::Account(account)));
        self.forget(|hook| !is_held(hook.stream));
    }

    /// Whether the App's own hook is to be looked at; accounts that it is installed on may not be kept yet.
    pub(crate) fn look_at_app(&mut self, looks: bool) {
        self.looks_at_app = looks;
    }

    /// Whether the App is this process's to look after.
    pub(super) fn looks_at_app(&self) -> bool {
        self.looks_at_app
    }

    fn searches(&self) -> bool {
        self.looks_at_app || !self.kept.is_empty()
    }

    /// Something that a hook of this stream sent cannot be had: its account is to be swept soon. What an App's hook
    /// sends is about nobody in particular; the sweep's own time comes for all.
    pub(super) fn wish_check(&mut self, stream: StreamKey) {
        if let StreamKey::Account(account) = stream {
            self.checks.wish(account, now());
        }
    }

    /// A sweep of an account has ended; it began then, on our clock.
    pub(crate) fn swept(&mut self, account: AccountId, begun: Millis) {
        self.checks.swept(account, begun, now());
    }

    /// What is to be done next, if it is due.
    pub(crate) fn next(&mut self, now: Millis) -> Option<Due> {
        let every_ms = self.every_ms?;
        let find_every = every_ms.saturating_mul(FIND_EVERY);
        // A clock that was set back must not end the search.
        if self.searches() && (self.find_at <= now || self.find_at > now.plus(find_every)) {
            self.find_at = now.plus(find_every);
            return Some(Due::Find);
        }
        if let Some(account) = self.checks.next(now) {
            return Some(Due::Check(account));
        }
        let &(due, id) = self.due.first()?;
        if due > now {
            return None;
        }
        self.due.remove(&(due, id));
        let stretch = i64::try_from(self.hooks.len().div_ceil(HOOKS_PER_INTERVAL)).unwrap_or(i64::MAX);
        let hook = self.hooks.get_mut(&id)?;
        hook.due = now.plus(every_ms.saturating_mul(stretch.max(1)));
        self.due.insert((hook.due, id));
        Some(Due::Look(hook.stream, id))
    }

    /// When to look again.
    pub(crate) fn next_at(&self) -> Option<Millis> {
        self.every_ms?;
        let find = Some(self.find_at).filter(|_| self.searches());
        let look = self.due.first().map(|(due, _)| *due);
        look.into_iter().chain(find).chain(self.checks.next_at()).min()
    }

    /// The places of kept accounts whose hooks are to be asked for now, those first that were asked longest ago;
    /// what the token does not administer any more is forgotten.
    pub(super) fn places(&mut self, administered: Vec<Administered>, now: Millis) -> Vec<Spot> {
        self.administered = administered.iter().map(|administered| administered.owner).collect();
        let mut spots: BTreeMap<Place, Spot> = BTreeMap::new();
        if self.looks_at_app {
            let spot = Spot { place: Place::App, stream: StreamKey::Service, on: On::App, etag: None };
            spots.insert(Place::App, spot);
        }
        for Administered { repo, name, owner, login, is_organization } in administered {
            if !self.kept.contains(&owner) {
                continue;
            }
            if is_organization {
                let place = Place::Organization(owner);
                let on = On::Organization(login.clone());
                spots.insert(place, Spot { place, stream: StreamKey::Account(owner), on, etag: None });
            }
            let place = Place::Repository(repo);
            let on = On::Repository { owner: login, name };
            spots.insert(place, Spot { place, stream: StreamKey::Account(owner), on, etag: None });
        }
        self.places.retain(|place, _| spots.contains_key(place));
        self.forget(|hook| !spots.contains_key(&hook.place));
        for hook in self.hooks.values_mut() {
            if let Some(spot) = spots.get(&hook.place) {
                (hook.stream, hook.on) = (spot.stream, spot.on.clone());
            }
        }
        let mut due: Vec<(Millis, Spot)> = spots
            .into_values()
            .filter_map(|mut spot| {
                let listed = self.places.entry(spot.place).or_default();
                spot.etag.clone_from(&listed.etag);
                listed.refused_until.is_none_or(|until| until <= now).then_some((listed.asked, spot))
            })
            .collect();
        due.sort_by_key(|(asked, spot)| (*asked, spot.place));
        due.truncate(PLACES_PER_SEARCH_MAX);
        due.into_iter().map(|(_, spot)| spot).collect()
    }

    /// Notes which hooks a place has.
    pub(super) fn listed(&mut self, spot: &Spot, answer: Answer<Vec<Hook>>, now: Millis) {
        let listed = self.places.entry(spot.place).or_default();
        listed.asked = now;
        match answer {
            Answer::Fresh(fresh) => {
                (listed.etag, listed.refused_until) = (fresh.etag, None);
                let url = self.url.clone();
                let ours: Vec<Hook> =
                    fresh.body.into_iter().filter(|hook| is_ours(&hook.url, url.as_deref())).collect();
                self.forget(|hook| hook.place == spot.place && ours.iter().all(|ours| ours.id != hook.id));
                for hook in ours {
                    self.watch(spot, &hook, now);
                }
            }
            Answer::NotModified { .. } => {}
            Answer::Refused { .. } | Answer::Empty { .. } => {
                listed.etag = None;
                listed.refused_until = Some(now.plus(REFUSED_PAUSE_MS));
                self.forget(|hook| hook.place == spot.place);
            }
        }
    }

    fn watch(&mut self, spot: &Spot, hook: &Hook, now: Millis) {
        if let Some(known) = self.hooks.get_mut(&hook.id) {
            known.is_active = hook.active;
            if !hook.active {
                known.state = HookState::Inactive;
            }
            return;
        }
        self.due.insert((now, hook.id));
        self.hooks.insert(
            hook.id,
            Watched {
                id: hook.id,
                stream: spot.stream,
                on: spot.on.clone(),
                is_active: hook.active,
                state: if hook.active { HookState::Well } else { HookState::Inactive },
                memory: Memory::default(),
                place: spot.place,
                due: now,
            },
        );
    }

    /// A hook, with its memory taken out until it is put back.
    pub(super) fn take(&mut self, id: u64) -> Option<Watched> {
        let hook = self.hooks.get_mut(&id)?;
        Some(Watched { memory: std::mem::take(&mut hook.memory), on: hook.on.clone(), ..*hook })
    }

    /// Puts back what was taken, unless the hook is gone.
    pub(super) fn put_back(&mut self, looked_at: Watched) {
        if let Some(hook) = self.hooks.get_mut(&looked_at.id) {
            hook.state = if hook.is_active { looked_at.state } else { HookState::Inactive };
            hook.memory = looked_at.memory;
        }
    }

    /// GitHub does not show what this hook has sent. What is not there may have another name since, and is found again in
    /// the next search; what is kept from us is asked for in a day.
    pub(super) fn hide(&mut self, id: u64, status: u16, now: Millis) {
        if let Some(hook) = self.hooks.get(&id) {
            let listed = self.places.entry(hook.place).or_default();
            listed.etag = None;
            listed.refused_until = (status != NOT_FOUND).then(|| now.plus(REFUSED_PAUSE_MS));
        }
        self.forget(|hook| hook.id == id);
    }

    /// Whether everything is to come by way of hooks, and none is known.
    pub(super) fn lacks_hooks(&self) -> bool {
        self.takes_all && self.hooks.is_empty()
    }

    /// How many hooks are in each state.
    pub(super) fn states(&self) -> Vec<(HookState, usize)> {
        let count = |state| self.hooks.values().filter(|hook| hook.state == state).count();
        HookState::ALL.into_iter().map(|state| (state, count(state))).collect()
    }

    fn forget(&mut self, is_gone: impl Fn(&Watched) -> bool) {
        let Deliveries { hooks, due, .. } = self;
        hooks.retain(|id, hook| {
            let stays = !is_gone(hook);
            if !stays {
                due.remove(&(hook.due, *id));
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use domain::event::TrackedBy;
    use github::client::{Fresh, Links};

    use super::*;

    const EVERY: Duration = Duration::from_secs(1);
    const DAY_MS: i64 = REFUSED_PAUSE_MS;

    fn account(id: u64) -> AccountId {
        AccountId::github(id)
    }

    fn kept() -> Directory {
        Directory {
            state: DirectoryState::Kept,
            login: None,
            by: Some(TrackedBy::Person),
            since_ms: Millis(0),
            read_ms: Millis(0),
            listed: true,
            complete: true,
            checked_ms: None,
            repositories: 1,
        }
    }

    fn administered(owner: u64, repo: u64) -> Administered {
        Administered {
            repo: RepoId::github(repo),
            name: format!("r{repo}"),
            owner: account(owner),
            login: format!("o{owner}"),
            is_organization: false,
        }
    }

    fn hook(id: u64, url: &str) -> Hook {
        Hook {
            id,
            url: url.to_owned(),
            active: true,
            events: Vec::new(),
            last_status: None,
            last_code: None,
            content_type: "json".to_owned(),
            verifies_tls: true,
        }
    }

    fn fresh(hooks: Vec<Hook>) -> Answer<Vec<Hook>> {
        Answer::Fresh(Fresh {
            body: hooks,
            etag: Some("W/1".to_owned()),
            links: Links::default(),
            date: Second(0),
            url: String::new(),
        })
    }

    fn refused() -> Answer<Vec<Hook>> {
        Answer::Refused { status: 404, date: Second(0), message: None }
    }

    /// One kept account, whose repository has a hook of ours.
    fn one() -> Deliveries {
        let mut deliveries = Deliveries::new(Some(EVERY), false, None);
        assert_eq!(deliveries.next_at(), None, "nobody is kept");
        deliveries.note(account(1), &kept(), Millis(0));
        assert_eq!(deliveries.next(Millis(0)), Some(Due::Find));
        let spots = deliveries.places(vec![administered(1, 10), administered(2, 20)], Millis(0));
        assert_eq!(spots.len(), 1, "the other account is not kept");
        let hooks = vec![hook(7, "https://a/webhooks/github"), hook(8, "https://a/elsewhere")];
        deliveries.listed(&spots[0], fresh(hooks), Millis(1));
        deliveries
    }

    #[test]
    fn each_hook_of_ours_is_looked_at_so_often() {
        let mut deliveries = one();
        assert_eq!(deliveries.next(Millis(1)), Some(Due::Look(StreamKey::Account(account(1)), 7)));
        assert_eq!((deliveries.next(Millis(1)), deliveries.next_at()), (None, Some(Millis(1_001))));
        assert_eq!(deliveries.next(Millis(1_001)), Some(Due::Look(StreamKey::Account(account(1)), 7)));
        assert_eq!(deliveries.next(Millis(10_000)), Some(Due::Find), "hooks come and go");
    }

    #[test]
    fn many_hooks_take_turns() {
        let mut deliveries = one();
        let spots = deliveries.places(vec![administered(1, 10)], Millis(0));
        let hooks = (0..25).map(|id| hook(id, "https://a/webhooks/github")).collect();
        deliveries.listed(&spots[0], fresh(hooks), Millis(0));
        let looks = std::iter::from_fn(|| deliveries.next(Millis(1))).count();
        assert_eq!((looks, deliveries.next_at()), (25, Some(Millis(3_001))));
    }

    #[test]
    fn what_is_refused_is_not_tried_again_for_a_day() {
        let mut deliveries = one();
        let all = || vec![administered(1, 10), administered(1, 11)];
        let spots = deliveries.places(all(), Millis(5));
        assert_eq!(spots[0].place, Place::Repository(RepoId::github(11)), "never asked");
        assert_eq!(spots[1].etag.as_deref(), Some("W/1"));
        deliveries.listed(&spots[0], refused(), Millis(5));
        assert_eq!(deliveries.places(all(), Millis(6)).len(), 1);
        assert_eq!(deliveries.places(all(), Millis(5 + DAY_MS)).len(), 2);

        deliveries.hide(7, 403, Millis(6));
        assert_eq!(deliveries.states()[0], (HookState::Well, 0));
        assert_eq!(deliveries.places(all(), Millis(7)).len(), 0, "its record is not shown either");
    }

    #[test]
    fn a_hook_goes_with_its_account_its_place_and_its_address() {
        let gone = |change: fn(&mut Deliveries)| {
            let mut deliveries = one();
            change(&mut deliveries);
            deliveries.states()[0].1 == 0 && deliveries.due.is_empty() && deliveries.take(7).is_none()
        };
        assert!(!gone(|_| {}));
        assert!(gone(|deliveries| {
            let muted = Directory { state: DirectoryState::Muted, ..kept() };
            deliveries.note(account(1), &muted, Millis(0));
        }));
        assert!(gone(|deliveries| deliveries.let_go(|_| false)));
        assert!(gone(|deliveries| drop(deliveries.places(vec![administered(1, 11)], Millis(0)))));
        assert!(gone(|deliveries| {
            let spots = deliveries.places(vec![administered(1, 10)], Millis(0));
            deliveries.listed(&spots[0], fresh(vec![hook(7, "https://a/moved")]), Millis(0));
        }));
    }

    #[test]
    fn memory_is_kept_while_a_hook_is_looked_at() {
        let mut deliveries = one();
        let mut taken = deliveries.take(7).unwrap();
        taken.memory.until = Some(Second(9));
        taken.state = HookState::Failing;
        deliveries.put_back(taken);
        assert_eq!(deliveries.take(7).unwrap().memory.until, Some(Second(9)));
        assert_eq!(
            deliveries.states(),
            [(HookState::Well, 0), (HookState::Inactive, 0), (HookState::Failing, 1), (HookState::Silent, 0)]
        );
    }

    #[test]
    fn an_account_that_came_is_searched_soon_if_the_token_administers_it() {
        let mut deliveries = one();
        deliveries.note(account(3), &kept(), Millis(100));
        deliveries.next(Millis(100));
        assert_eq!(deliveries.next_at(), Some(Millis(1_100)), "the hook, and no search");
        deliveries.note(account(2), &kept(), Millis(100));
        assert_eq!(deliveries.next(Millis(1_100)), Some(Due::Find));
    }

    #[test]
    fn nothing_is_looked_at_where_that_is_off() {
        let mut deliveries = Deliveries::new(None, false, None);
        deliveries.note(account(1), &kept(), Millis(0));
        assert_eq!((deliveries.next(Millis(1)), deliveries.next_at()), (None, None));
    }

    #[test]
    fn an_apps_hook_is_looked_at_by_whoever_asks_for_what_belongs_to_no_account() {
        let mut deliveries = Deliveries::new(Some(EVERY), false, None);
        deliveries.look_at_app(true);
        assert_eq!(deliveries.next(Millis(0)), Some(Due::Find), "though nobody is kept");
        let spots = deliveries.places(Vec::new(), Millis(0));
        assert_eq!(spots.iter().map(|spot| spot.place).collect::<Vec<_>>(), [Place::App]);
        deliveries.listed(&spots[0], fresh(vec![hook(0, "https://a/webhooks/github")]), Millis(1));
        assert_eq!(deliveries.next(Millis(1)), Some(Due::Look(StreamKey::Service, 0)));
        deliveries.let_go(|stream| stream != StreamKey::Service);
        deliveries.look_at_app(false);
        assert_eq!((deliveries.states()[0].1, deliveries.next_at()), (0, None));
    }
}
