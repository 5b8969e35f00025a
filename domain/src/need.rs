//! Needs: what a forge must be asked, derived from entities and stored as rows beside them.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    entity::{
        account::Account, check::Check, doubt::Doubt, languages::Due, pulls::PullStates,
        repository::Repository,
    },
    id::{Forge, RepoId},
    key::NeedKey,
    time::Millis,
    version::Version,
};

/// The encoding of a stored need.
const TAG: u8 = 1;

/// After an (N, M) answer contradicts the states at hand, deliveries on their way get this long to explain
/// it before the list is read again.
const CONTRADICTION_MS: i64 = 5_000;

/// Something to ask, or the note that it was answered. Rows are never deleted, so a need ends by
/// becoming [`Need::Met`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Need {
    /// Ask.
    Open {
        /// Whether a number that is shown may be wrong. What was never asked, and a refresh, doubt nothing.
        is_doubt: bool,
        /// Only what is asked at or after this version can meet it.
        raised_at: Version,
        /// Do not ask earlier, on our clock.
        not_before: Millis,
    },
    /// Nothing to ask.
    Met,
}

impl Need {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(TAG, self)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(TAG, bytes)
    }

    /// Whether it is still to be asked.
    pub fn is_open(&self) -> bool {
        matches!(self, Need::Open { .. })
    }

    fn doubt(doubt: Doubt) -> Self {
        Need::Open { is_doubt: true, raised_at: doubt.raised_at, not_before: doubt.not_before() }
    }

    fn at_once(raised_at: Version) -> Self {
        Need::Open { is_doubt: false, raised_at, not_before: Millis(0) }
    }

    /// Never asked yet: at once where nothing was delivered, so that a first reader does not wait.
    fn first(repo: &Repository) -> Self {
        let not_before = repo.quiet_from(repo.born_ms);
        Need::Open { is_doubt: false, raised_at: repo.born_at, not_before }
    }

    fn refresh(due: Due) -> Self {
        Need::Open { is_doubt: false, raised_at: due.raised_at, not_before: due.not_before }
    }

    /// Both at once: asked when the later of them may be, answered only by what meets both.
    fn and(self, other: Need) -> Self {
        match (self, other) {
            (
                Need::Open { is_doubt, raised_at, not_before },
                Need::Open { is_doubt: other_doubt, raised_at: other_raised, not_before: other_not_before },
            ) => Need::Open {
                is_doubt: is_doubt || other_doubt,
                raised_at: raised_at.max(other_raised),
                not_before: not_before.max(other_not_before),
            },
            (Need::Met, open) | (open, Need::Met) => open,
        }
    }
}

/// The needs of an account itself. One that is not kept has none.
pub fn of_account(account: &Account, born_at: Version) -> [(NeedKey, Need); 3] {
    let unless_kept = |need: Need| if account.is_kept() { need } else { Need::Met };
    let unasked = |is_unasked: bool| if is_unasked { Need::at_once(born_at) } else { Need::Met };
    let open = |doubt: Option<Doubt>| doubt.map_or(Need::Met, Need::doubt);

    let profile = unasked(account.profile_check.is_unasked()).and(open(account.profile_doubt));
    let list = unasked(account.listed_since.is_none() && account.list_check.refused.is_none())
        .and(unless_refused(account.list_doubt, &account.list_check));
    let refresh = account.check_wanted.map_or(Need::Met, |doubt| Need::Open {
        is_doubt: false,
        raised_at: doubt.raised_at,
        not_before: Millis(0),
    });
    [
        (NeedKey::Profile, unless_kept(profile)),
        (NeedKey::Repositories, unless_kept(list)),
        (NeedKey::Everything, unless_kept(open(account.unreadable).and(refresh))),
    ]
}

/// The needs of a repository. While it is hidden only the way back is asked for.
pub fn of_repository(
    id: RepoId,
    repo: &Repository,
    states: &PullStates,
    is_kept: bool,
) -> Vec<(NeedKey, Need)> {
    let is_shown = is_kept && repo.visibility.is_public();
    let when = |condition: bool, need: Need| if condition { need } else { Need::Met };

    let mut facts = repo.facts_doubts().map(Need::doubt).fold(Need::Met, Need::and);
    if !repo.visibility.is_public() {
        facts = repo.visibility.doubt().map_or(Need::Met, Need::doubt);
    }
    let is_unasked = repo.asked_alone_at == Version::NONE && repo.facts_check.refused.is_none();
    if is_unasked && !repo.visibility.is_hidden() {
        facts = facts.and(Need::first(repo));
    }

    let facts = (NeedKey::Repository(id), when(is_kept, facts));
    if id.forge() == Forge::Bitbucket {
        // Its language comes with the rest; commits and pull requests are not shown.
        return vec![facts];
    }

    let mut commits = unless_refused(repo.commits.doubt, &repo.commits_check);
    if repo.commits.pair.is_none() && repo.commits.doubt.is_none() && repo.commits_check.refused.is_none() {
        commits = Need::first(repo);
    }

    let mut languages = repo.languages.due.map_or(Need::Met, Need::refresh);
    if repo.languages.bytes.is_none() && repo.languages_check.refused.is_none() {
        languages = Need::first(repo);
    }

    let mut needs = vec![
        facts,
        (NeedKey::Commits(id), when(is_shown, commits)),
        (NeedKey::Pulls(id), when(is_shown, of_pulls(repo, states))),
        (NeedKey::Languages(id), when(is_shown, languages)),
    ];
    if is_shown {
        let doubts = states.doubts().iter();
        needs.extend(doubts.map(|(number, doubt)| (NeedKey::Pull(id, *number), Need::doubt(*doubt))));
    }
    needs
}

fn of_pulls(repo: &Repository, states: &PullStates) -> Need {
    let mut need = unless_refused(repo.pulls.doubt, &repo.pulls_check);
    if !repo.pulls.is_listed() && repo.pulls_check.refused.is_none() {
        need = need.and(Need::first(repo));
    }
    if let Some(counted) = repo.pulls.counted
        && repo.pulls.is_contradicted_by(states)
    {
        need = need.and(Need::Open {
            is_doubt: true,
            raised_at: counted.asked_at,
            not_before: counted.asked_ms.plus(CONTRADICTION_MS),
        });
    }
    need
}

/// A doubt that the forge refused to settle is asked again by the sweep, not at once.
fn unless_refused(doubt: Option<Doubt>, check: &Check) -> Need {
    match doubt {
        Some(doubt) if check.refused.is_some() && doubt.is_answered_by(check.asked_at) => Need::Met,
        Some(doubt) => Need::doubt(doubt),
        None => Need::Met,
    }
}
