//! The working set of one account: its entities in memory, folded record by record, and the rows to write.
//!
//! On a delivery's journey this is the fold. [`Ledger::evolve`] takes one record's events, [`Ledger::drain`]
//! gives the rows that must be written for them: entities at their own versions, and everything derived from
//! several of them (views, needs, names, directory) at the version of the record that touched it.
//!
//! A record at or below a row's version is not folded into it a second time; it only marks the row to be
//! written again, because the value that was loaded may sit on a minority replica (design invariant 7).

pub mod cell;
mod fold;
mod forgotten;
mod gists;
pub mod hooks;
mod loading;
pub mod names;
mod render;
mod starrer;
pub mod stars;
pub mod totals;
mod trail;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    codec::DecodeError,
    directory::{Directory, HiddenRow, RepoName},
    entity::{account::Account, pulls::PullStates, repository::Repository},
    event::{Event, Stamp},
    id::{AccountId, RepoId, StreamKey},
    key::{NeedKey, RowKey, ScanKey, ViewKey},
    ledger::{
        cell::{Cell, Stray},
        gists::GistsCell,
        hooks::HooksCell,
        names::Names,
        starrer::StarrerCell,
        totals::Totals,
    },
    need::Need,
    row::Row,
    time::Second,
    trail::Source,
    version::Version,
};

pub use self::loading::Loading;

/// At most so many repositories are rendered into one batch of rows; more are left for the next call.
pub const SLICE_MAX: usize = 512;

/// The working set of one account.
#[derive(Debug)]
pub struct Ledger {
    id: AccountId,
    account: Account,
    account_version: Version,
    account_needs: Vec<(NeedKey, Need)>,
    cells: HashMap<RepoId, Cell, foldhash::fast::FixedState>,
    /// Rows of repositories whose entity is not there: a crash may write rows of one record without one another.
    /// The record that makes the repository is then folded again.
    strays: HashMap<RepoId, Stray, foldhash::fast::FixedState>,
    totals: Totals,
    names: Names,
    /// Public repositories by name: the order of every list.
    order: BTreeMap<String, BTreeSet<RepoId>>,
    /// Public repositories with gaps, by name.
    gaps: BTreeSet<(String, RepoId)>,
    /// Repositories whose neighbours are to be rendered: by which record first, and by which last.
    neighbours: BTreeMap<RepoId, (Version, Version)>,
    /// The repository whose large neighbours are being rendered, and by which record first.
    rendering: Option<(RepoId, Version)>,
    /// Repositories of which it is open whether they may be shown.
    unsettled: BTreeSet<RepoId>,
    dirty_cells: BTreeSet<RepoId>,
    dirty: DirtyAccount,
    views: BTreeMap<ViewKey, Shown>,
    directory: Option<Directory>,
    is_hidden_written: bool,
    aliases: Vec<Row>,
    /// Steps of numbers that are not given out yet.
    steps: Vec<Row>,
    gists: GistsCell,
    starrer: StarrerCell,
    hooks: HooksCell,
    /// Rough size of all cells in memory, in bytes.
    cells_weight: usize,
}

/// What of the account itself must be written.
#[derive(Debug, Default)]
struct DirtyAccount {
    entity: bool,
    replayed: bool,
    /// The last record that touched any of its derived rows.
    touched_at: Option<Version>,
    /// The first record whose change its views do not show yet.
    since: Option<Version>,
    /// Whether a row that hides, or no longer hides, was written: the summary says by its version that it knows.
    hidden: bool,
    /// Whether a repository that its views may still show is shown no more: large or not, they are not put off then.
    taken_back: bool,
    /// Names whose rows may have changed.
    names: BTreeSet<String>,
    /// Its own needs that any record since changed.
    needs: BTreeSet<NeedKey>,
}

/// What an account's view last showed.
#[derive(Debug, Default, Clone, Copy)]
struct Shown {
    hash: Option<u64>,
    length: usize,
}

/// Whether large views are to be rendered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LargeViews {
    /// Render them.
    Render,
    /// Leave them for later; the log must not be committed past [`Ledger::unwritten_since`].
    Later,
}

/// A view larger than this is rendered less often (design §6).
pub const LARGE_VIEW_BYTES: usize = 64 * 1024;

/// What one call of [`Ledger::drain`] gives.
#[derive(Debug, Default)]
pub struct Drained {
    /// Rows to write.
    pub rows: Vec<Row>,
    /// Whether more must be drained before the log may be committed.
    pub has_more: bool,
}

impl Ledger {
    /// The ranges whose rows make a ledger.
    pub fn ranges(id: AccountId) -> [ScanKey; 3] {
        let stream = StreamKey::Account(id);
        [ScanKey::Entities(stream), ScanKey::Members(stream), ScanKey::NeedsOf(stream)]
    }

    /// Builds the working set from the rows of [`Self::ranges`].
    ///
    /// # Errors
    /// When a row was written by a newer release or is damaged.
    pub fn load(id: AccountId, rows: impl IntoIterator<Item = Row>) -> Result<Self, DecodeError> {
        let mut loading = Loading::of(id);
        for row in rows {
            loading.take(&row)?;
        }
        Ok(loading.finish())
    }

    fn empty(id: AccountId) -> Self {
        Ledger {
            id,
            account: Account::default(),
            account_version: Version::NONE,
            account_needs: Vec::new(),
            cells: HashMap::default(),
            strays: HashMap::default(),
            totals: Totals::default(),
            names: Names::default(),
            order: BTreeMap::new(),
            gaps: BTreeSet::new(),
            neighbours: BTreeMap::new(),
            rendering: None,
            unsettled: BTreeSet::new(),
            dirty_cells: BTreeSet::new(),
            dirty: DirtyAccount::default(),
            views: BTreeMap::new(),
            directory: None,
            is_hidden_written: false,
            aliases: Vec::new(),
            steps: Vec::new(),
            gists: GistsCell::default(),
            starrer: StarrerCell::default(),
            hooks: HooksCell::default(),
            cells_weight: 0,
        }
    }

    /// Folds the events of one record of which no more is known.
    pub fn evolve(&mut self, stamp: &Stamp, events: &[Event<'_>]) {
        self.evolve_from(stamp, Source::default(), events);
    }

    /// Folds the events of one record.
    pub fn evolve_from(&mut self, stamp: &Stamp, source: Source<'_>, events: &[Event<'_>]) {
        if !self.hears(stamp, events) {
            return;
        }
        self.gists.evolve(stamp, events);
        self.starrer.evolve(self.id, stamp, events);
        if let Some(effect) = self.hooks.evolve(stamp, events) {
            self.touch_by_hooks(&effect, stamp.version);
        }
        // An account is not touched by what is said of its gists, of its webhooks, or of what it starred, alone.
        let stands_alone = |event: &Event<'_>| {
            gists::is_of_gists(event) || hooks::is_of_hooks(event) || starrer::is_of_starrer(event, self.id)
        };
        if !events.iter().all(stands_alone) || events.is_empty() {
            fold::Fold::new(self, stamp).run(source, events);
        }
    }

    /// Notes that a record of the stream could not be folded: everything is to be asked again.
    pub fn unreadable(&mut self, stamp: &Stamp) {
        if !self.hears(stamp, &[]) {
            return;
        }
        fold::Fold::new(self, stamp).unreadable();
    }

    /// The first record whose rows are not all given out yet; the log must not be committed past it.
    pub fn unwritten_since(&self) -> Option<Version> {
        let cells = self.dirty_cells.iter().filter_map(|repo| self.cells.get(repo)?.dirty.since);
        let rendering = self.rendering.map(|(_, since)| since);
        let neighbours = self.neighbours.values().map(|(since, _)| *since).chain(rendering);
        let alone = self.gists.since.into_iter().chain(self.starrer.since).chain(self.hooks.since);
        cells.chain(self.dirty.since).chain(alone).chain(neighbours).min()
    }

    /// Whether anything is left to give out.
    pub fn is_dirty(&self) -> bool {
        self.has_deferred_views() || self.has_large_neighbours()
    }

    /// Whether anything is left to give out but large neighbours.
    pub fn has_deferred_views(&self) -> bool {
        !self.dirty_cells.is_empty()
            || self.dirty.since.is_some()
            || self.gists.since.is_some()
            || self.starrer.since.is_some()
            || self.hooks.since.is_some()
    }

    /// Whether large neighbours wait to be rendered, by [`Self::render_neighbours`].
    pub fn has_large_neighbours(&self) -> bool {
        self.rendering.is_some() || !self.neighbours.is_empty()
    }

    /// Whether the account's own views are large, so that they are rendered less often.
    pub fn has_large_views(&self) -> bool {
        self.views.values().any(|shown| shown.length > LARGE_VIEW_BYTES)
    }

    /// Rough size in memory, in bytes.
    pub fn weight(&self) -> usize {
        /// An account without repositories, as measured.
        const BASE: usize = 2_000;
        BASE + self.cells_weight + self.gists.weight() + self.hooks.weight()
    }

    /// The account.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// One of its repositories.
    pub fn repository(&self, repo: RepoId) -> Option<&Repository> {
        self.cells.get(&repo).map(|cell| &cell.repo)
    }

    fn stream(&self) -> StreamKey {
        StreamKey::Account(self.id)
    }

    fn cell(&mut self, repo: RepoId, stamp: &Stamp) -> &mut Cell {
        self.cells.entry(repo).or_insert_with(|| {
            let mut cell = Cell::new(Repository::new(stamp), Version::NONE, PullStates::default());
            if let Some(stray) = self.strays.remove(&repo) {
                cell.adopt(stray);
            }
            cell
        })
    }

    /// The newest forge time of anything that the account's pages show.
    fn as_of(&self) -> Second {
        self.account.profile.as_of.max(self.totals.as_of())
    }

    fn hidden_row(&self, repo: Option<RepoId>, version: Version, hidden: bool) -> Row {
        Row { key: RowKey::Hidden(self.id, repo), version, value: HiddenRow { hidden }.encode().into() }
    }

    fn name_row(&self, name: &str, version: Version) -> Row {
        let target: RepoName = self.names.lookup(name);
        Row { key: RowKey::RepoName(self.id, name.to_owned()), version, value: target.encode().into() }
    }
}
