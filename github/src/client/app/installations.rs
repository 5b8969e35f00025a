//! Which accounts an App is installed on, and their tokens while they are good: a pure table over moments that are
//! given to it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use domain::AccountId;
use http::HeaderValue;

/// What is known is listed again after this: whoever was suspended may be back, others may have come.
const LISTED_AGE_MAX: Duration = Duration::from_secs(5 * 60);
/// Somebody who is not on the list is looked for at most this often …
const LOOK_PAUSE: Duration = Duration::from_secs(5);
/// … and a list that cannot be had is not asked for again before this, while there is an older one.
const FAILED_PAUSE: Duration = Duration::from_secs(30);

/// A token is renewed so long before it ends: a question that begins with it must end with it …
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);
/// … and where that failed, not tried again before this.
const RENEW_PAUSE: Duration = Duration::from_secs(30);
/// GitHub's tokens of installations last an hour; what says more is a mistake.
const LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// An App's installation on one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Its id.
    pub id: u64,
    /// Whose it is.
    pub account: AccountId,
    /// The account's login.
    pub login: String,
    /// Whether it may see nothing for now.
    pub is_suspended: bool,
    /// Whether it sees only chosen repositories.
    pub selects: bool,
    /// What it may: `metadata` → `read`.
    pub permissions: BTreeMap<String, String>,
    /// Which events it sends.
    pub events: Vec<String>,
}

/// A token, as it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) bearer: HeaderValue,
    renew_at: Instant,
    ends_at: Instant,
}

/// What there is to ask with.
#[derive(Debug)]
pub(crate) enum Held {
    /// A token that is good for a while.
    Fresh(HeaderValue),
    /// None, or one that ends soon.
    Due,
}

/// What waits for a token that is being asked for. Whoever holds it asks; the error is told to those who waited.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    pub(crate) failed: Option<(Instant, super::super::AskError)>,
}

#[derive(Debug)]
struct Entry {
    installation: Installation,
    /// Where its limits are.
    place: usize,
    token: Option<Token>,
    flight: Arc<tokio::sync::Mutex<Flight>>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Installations {
    entries: BTreeMap<u64, Entry>,
    by_account: HashMap<AccountId, u64>,
    by_login: HashMap<String, u64>,
    by_place: HashMap<usize, u64>,
    /// Limits stay with an installation that went and comes back.
    places: HashMap<u64, usize>,
    listed_at: Option<Instant>,
    tried_at: Option<Instant>,
    /// Somebody was named who is not on the list.
    is_wanting: bool,
}

impl Token {
    /// One that was given just now, for so long.
    pub(crate) fn new(bearer: HeaderValue, life: Duration, now: Instant) -> Self {
        let life = life.min(LIFE_MAX);
        let before = RENEW_BEFORE.min(life / 2);
        Token { bearer, renew_at: now + life - before, ends_at: now + life }
    }
}

impl Installations {
    /// Whether the list is to be asked for before anything else.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let Some(listed_at) = self.listed_at else { return true };
        let tried = self.tried_at.map_or(Duration::MAX, |at| now.saturating_duration_since(at));
        let age = now.saturating_duration_since(listed_at);
        let failed_since = self.tried_at.is_some_and(|at| at > listed_at);
        let pause = if failed_since { FAILED_PAUSE } else { LOOK_PAUSE };
        tried >= pause && (age >= LISTED_AGE_MAX || self.is_wanting)
    }

    /// Whether there ever was a list.
    pub(crate) fn is_listed(&self) -> bool {
        self.listed_at.is_some()
    }

    /// Whether one of them may see something; until there is a list it may be so.
    pub(crate) fn may_ask(&self) -> bool {
        self.listed_at.is_none() || !self.by_account.is_empty()
    }

    /// The list is asked for.
    pub(crate) fn tried(&mut self, now: Instant) {
        self.tried_at = Some(now);
    }

    /// Takes the list. `open`: makes room for the limits of one that is new. Tokens stay with those that stay.
    pub(crate) fn listed(
        &mut self,
        listed: Vec<Installation>,
        now: Instant,
        mut open: impl FnMut() -> usize,
    ) {
        let mut former = std::mem::take(&mut self.entries);
        (self.listed_at, self.tried_at, self.is_wanting) = (Some(now), Some(now), false);
        for installation in listed {
            let id = installation.id;
            let place = *self.places.entry(id).or_insert_with(&mut open);
            let (token, flight) =
                former.remove(&id).map(|entry| (entry.token, entry.flight)).unwrap_or_default();
            let token = token.filter(|_| !installation.is_suspended);
            self.entries.insert(id, Entry { installation, place, token, flight });
        }
        self.index();
    }

    fn index(&mut self) {
        self.by_account.clear();
        self.by_login.clear();
        self.by_place.clear();
        for (id, entry) in self.entries.iter().filter(|(_, entry)| !entry.installation.is_suspended) {
            self.by_account.insert(entry.installation.account, *id);
            self.by_login.insert(entry.installation.login.to_lowercase(), *id);
            self.by_place.insert(entry.place, *id);
        }
    }

    /// Notes that an account may have been installed on since the list was asked for.
    pub(crate) fn want(&mut self, account: AccountId) {
        self.is_wanting |= !self.by_account.contains_key(&account);
    }

    /// Where the limits of an account's installation are, if it has one that may see something.
    pub(crate) fn place_of(&self, account: Option<AccountId>, login: Option<&str>) -> Option<usize> {
        let by_login = || self.by_login.get(&login?.to_lowercase());
        let id = match account {
            Some(account) => self.by_account.get(&account),
            None => by_login(),
        };
        id.and_then(|id| self.entries.get(id)).map(|entry| entry.place)
    }

    /// The places of those that may see something.
    pub(crate) fn places(&self) -> Vec<usize> {
        let live = self.entries.values().filter(|entry| !entry.installation.is_suspended);
        live.map(|entry| entry.place).collect()
    }

    /// Whose limits are at a place.
    pub(crate) fn at(&self, place: usize) -> Option<u64> {
        self.by_place.get(&place).copied()
    }

    /// All of them, as they are known.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Installation, usize)> {
        self.entries.values().map(|entry| (&entry.installation, entry.place))
    }

    /// What there is to ask with.
    pub(crate) fn held(&self, id: u64, now: Instant) -> Held {
        let token = self.entries.get(&id).and_then(|entry| entry.token.as_ref());
        match token {
            Some(token) if now < token.renew_at => Held::Fresh(token.bearer.clone()),
            _ => Held::Due,
        }
    }

    /// Where to wait for a token; `None` for an installation that is gone.
    pub(crate) fn flight(&self, id: u64) -> Option<Arc<tokio::sync::Mutex<Flight>>> {
        self.entries.get(&id).map(|entry| Arc::clone(&entry.flight))
    }

    /// Takes a token.
    pub(crate) fn give(&mut self, id: u64, token: Token) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.token = Some(token);
        }
    }

    /// No other token is to be had for now: whether the old one will do a little longer.
    pub(crate) fn may_go_on(&mut self, id: u64, now: Instant) -> bool {
        let token = self.entries.get_mut(&id).and_then(|entry| entry.token.as_mut());
        match token {
            Some(token) if now < token.ends_at => {
                token.renew_at = (now + RENEW_PAUSE).min(token.ends_at);
                true
            }
            _ => false,
        }
    }

    /// A token is not accepted any more.
    pub(crate) fn refuse(&mut self, id: u64, bearer: &HeaderValue) {
        if let Some(entry) = self.entries.get_mut(&id) {
            // Another question may have had it renewed.
            entry.token = entry.token.take().filter(|token| token.bearer != *bearer);
        }
    }

    /// An installation is suspended.
    pub(crate) fn suspend(&mut self, id: u64) {
        if let Some(entry) = self.entries.get_mut(&id) {
            (entry.installation.is_suspended, entry.token) = (true, None);
        }
        self.index();
    }

    /// An installation is gone.
    pub(crate) fn remove(&mut self, id: u64) {
        self.entries.remove(&id);
        self.index();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation(id: u64, login: &str) -> Installation {
        Installation {
            id,
            account: AccountId::github(id * 10),
            login: login.to_owned(),
            is_suspended: false,
            selects: false,
            permissions: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    fn bearer(text: &'static str) -> HeaderValue {
        HeaderValue::from_static(text)
    }

    /// Two of them, whose limits are at 5 and 6.
    fn two(now: Instant) -> Installations {
        let mut known = Installations::default();
        let mut next = 4;
        known.listed(vec![installation(1, "Ada"), installation(2, "guild")], now, || {
            next += 1;
            next
        });
        known
    }

    fn is_fresh(known: &Installations, id: u64, now: Instant) -> bool {
        matches!(known.held(id, now), Held::Fresh(_))
    }

    #[test]
    fn an_account_is_served_by_its_own() {
        let now = Instant::now();
        let mut known = two(now);
        assert_eq!(known.place_of(Some(AccountId::github(10)), None), Some(5));
        assert_eq!(known.place_of(None, Some("ADA")), Some(5));
        assert_eq!(known.place_of(Some(AccountId::github(11)), Some("ada")), None, "the id is what counts");
        assert_eq!((known.at(6), known.places()), (Some(2), vec![5, 6]));
        known.suspend(2);
        assert_eq!((known.place_of(None, Some("guild")), known.places()), (None, vec![5]));
        known.remove(1);
        assert_eq!(known.places(), Vec::<usize>::new());
        known.listed(vec![installation(1, "ada")], now, || unreachable!("its limits are known"));
        assert_eq!(known.place_of(None, Some("ada")), Some(5));
    }

    #[test]
    fn a_token_is_renewed_before_it_ends_and_used_to_the_end_where_it_cannot_be() {
        let now = Instant::now();
        let mut known = two(now);
        let minutes = |count: u64| now + Duration::from_secs(count * 60);
        assert!(!is_fresh(&known, 1, now) && !known.may_go_on(1, now));
        known.give(1, Token::new(bearer("a"), Duration::from_secs(3600), now));
        assert!(is_fresh(&known, 1, minutes(54)) && !is_fresh(&known, 1, minutes(55)));
        assert!(known.may_go_on(1, minutes(55)));
        assert!(is_fresh(&known, 1, minutes(55)), "it is not tried again at once");
        assert!(!is_fresh(&known, 1, minutes(56)));
        assert!(!known.may_go_on(1, minutes(60)));
        // A list that is read again takes no token away.
        known.listed(vec![installation(1, "ada")], minutes(1), || unreachable!("its limits are known"));
        assert!(is_fresh(&known, 1, minutes(1)));
        known.refuse(1, &bearer("older"));
        assert!(is_fresh(&known, 1, minutes(1)));
        known.refuse(1, &bearer("a"));
        assert!(!is_fresh(&known, 1, minutes(1)));
    }

    #[test]
    fn the_list_is_read_first_then_now_and_then_and_when_somebody_is_not_on_it() {
        let now = Instant::now();
        let seconds = |count: u64| now + Duration::from_secs(count);
        assert!(Installations::default().is_due(now));
        let mut known = two(now);
        assert!(!known.is_due(seconds(299)) && known.is_due(seconds(300)));
        known.want(AccountId::github(10));
        assert!(!known.is_due(seconds(20)), "it is on it");
        known.want(AccountId::github(30));
        assert!(!known.is_due(seconds(4)) && known.is_due(seconds(5)));
        known.tried(seconds(5));
        assert!(!known.is_due(seconds(34)) && known.is_due(seconds(35)), "it could not be had");
    }
}
