//! One record's events on their way into the ledger.

mod founded;
mod stars;

use smallvec::SmallVec;

use crate::{
    directory::Alias,
    entity::{account::Keeping, doubt::Doubt, pulls::bucket_of, stargazers::Given},
    event::{Event, HiddenWhy, OwnerReading, PullState, Stamp, Told, TrackedBy},
    id::{AccountId, Forge, RepoId},
    key::{NeedKey, RowKey},
    ledger::{
        Ledger,
        trail::{Before, Folded},
    },
    row::Row,
    time::Second,
    trail::Source,
    version::Version,
    view::account::gap_of_repositories,
};

/// One record being folded.
pub(super) struct Fold<'l> {
    ledger: &'l mut Ledger,
    stamp: Stamp,
    /// Rows that this record may change: their version was below the record's when it began.
    account: bool,
    repos: SmallVec<[(RepoId, bool); 4]>,
    /// Rows of pull requests likewise, each with its version before this record.
    buckets: SmallVec<[(RepoId, u32, Version); 4]>,
    /// Rows of stars and of slices of star sets likewise.
    stars: SmallVec<[(RepoId, Version); 1]>,
    star_buckets: SmallVec<[(RepoId, u32, Version); 4]>,
    /// What the numbers of each repository were that this record may change.
    before: SmallVec<[Before; 1]>,
}

impl<'l> Fold<'l> {
    pub(super) fn new(ledger: &'l mut Ledger, stamp: &Stamp) -> Self {
        let account = ledger.account_version < stamp.version;
        Fold {
            ledger,
            stamp: *stamp,
            account,
            repos: SmallVec::new(),
            buckets: SmallVec::new(),
            stars: SmallVec::new(),
            star_buckets: SmallVec::new(),
            before: SmallVec::new(),
        }
    }

    pub(super) fn run(mut self, source: Source<'_>, events: &[Event<'_>]) {
        if !self.account {
            // Replayed: what this record wrote may sit on a minority of replicas.
            self.ledger.dirty.replayed = true;
            self.touch_account_views();
        }
        for event in events {
            self.apply(event);
        }
        self.note_steps(source, events);
        self.note_needs();
    }

    fn note_steps(&mut self, source: Source<'_>, events: &[Event<'_>]) {
        let record = Folded { account: self.ledger.id, stamp: self.stamp, source, events };
        let Ledger { cells, steps, .. } = &mut *self.ledger;
        for before in self.before.drain(..) {
            if let Some(cell) = cells.get_mut(&before.repo) {
                before.steps(cell, &record, steps);
            }
        }
    }

    /// The record tells of one of a repository's pull requests, or takes one back.
    fn tells_of_pull(&mut self, repo: RepoId) {
        if let Some(before) = self.before.iter_mut().find(|before| before.repo == repo) {
            before.tells_of_pull = true;
        }
    }

    pub(super) fn unreadable(mut self) {
        let stamp = self.stamp;
        self.change_account(|ledger| {
            Doubt::raise(&mut ledger.account.unreadable, &stamp);
            true
        });
        self.note_needs();
    }

    fn note_needs(&mut self) {
        let is_kept = self.ledger.account.is_kept();
        for (id, _) in &self.repos {
            if let Some(cell) = self.ledger.cells.get_mut(id) {
                cell.note_needs(*id, is_kept);
            }
        }
        self.ledger.note_account_needs();
    }

    fn apply(&mut self, event: &Event<'_>) {
        let stamp = self.stamp;
        match event {
            Event::Tracked(by) => self.track(*by),
            Event::Owner(owner) => self.named(owner),
            Event::Repository(reading) => {
                if let Some(owner) = &reading.owner
                    && owner.id == self.ledger.id
                {
                    self.named(owner);
                }
                self.change(reading.id, |repo| repo.read(reading, &stamp));
            }
            Event::RepositoryMoved { repo, to, at } => self.change(*repo, |repo| match stamp.told {
                Told::Answer(_) => repo.lose(HiddenWhy::Moved(*to), &stamp),
                Told::Delivery | Told::Command => repo.hide(HiddenWhy::Moved(*to), *at, &stamp),
            }),
            Event::Push(push) => self.change(push.repo, |repo| {
                if repo.commits.push(push, &stamp) {
                    repo.commits_check.changed_at = stamp.version;
                    repo.languages.pushed(&stamp);
                    repo.languages_check.changed_at = stamp.version;
                }
            }),
            Event::BranchTouched { repo, branch } => self.change(*repo, |repo| {
                let is_default = repo.commits.pair.as_ref().is_none_or(|pair| pair.branch == branch.as_str());
                if is_default {
                    repo.commits.raise(&stamp);
                    repo.commits_check.changed_at = stamp.version;
                }
            }),
            Event::DefaultBranchChanged { repo } => self.change(*repo, |repo| {
                repo.commits.raise(&stamp);
                repo.commits_check.changed_at = stamp.version;
            }),
            Event::Pull(pull) => self.change_pull(pull.repo, pull.number, pull.state, pull.updated_at),
            // The gauge came with the repository. What the account gave is looked at by itself.
            Event::Star(star) if star.owner == self.ledger.id => {
                let login = star.login.as_deref();
                let given = Given { user: star.starrer, login, is_given: star.given, at: star.at };
                self.change_member(star.repo, star.starrer, |bucket| bucket.read(given, &stamp));
            }
            Event::Star(_) => {}
            Event::RepositoryHidden { repo, at, why } => {
                self.change(*repo, |repo| repo.hide(*why, *at, &stamp));
                if matches!(why, HiddenWhy::Private | HiddenWhy::Deleted) {
                    self.erase_stars(*repo, *at);
                }
            }
            Event::RepositoryPublished { repo, at } => {
                self.change(*repo, |repo| repo.publish(*at, &stamp));
            }
            Event::RenamedFrom { repo, name, at } => self.change(*repo, |repo| {
                if repo.name() != Some(name.as_str()) {
                    repo.facts.was_called(name.to_string(), *at);
                }
            }),
            Event::RepositoriesAdded => self.change_account(|ledger| {
                Doubt::raise(&mut ledger.account.list_doubt, &stamp);
                true
            }),
            Event::InstallationLeft { repos } => self.installation_left(repos.as_deref()),
            Event::Unclear(need) => self.unclear(need),
            Event::Refused { about, status } => self.refused(about, *status),
            Event::Checked { about } => self.checked(about),
            other => self.apply_answer_or_command(other),
        }
    }

    fn apply_answer_or_command(&mut self, event: &Event<'_>) {
        let stamp = self.stamp;
        let asked = match stamp.told {
            Told::Answer(asked) => Some(asked),
            Told::Delivery | Told::Command => None,
        };
        match (event, asked) {
            (Event::Profile(profile), Some(asked)) => {
                self.alias(&profile.owner, Alias::version(asked.date));
                self.change_account(|ledger| {
                    let renamed = ledger.account.answered(profile, &stamp);
                    if renamed {
                        ledger.touch_all(stamp.version);
                    }
                    true
                });
            }
            (Event::NoSuchAccount, Some(_)) => self.change_account(|ledger| {
                ledger.account.gone(&stamp);
                true
            }),
            (Event::RepositoriesListed { since }, Some(asked)) => self.change_account(|ledger| {
                ledger.account.listed(*since, &asked);
                true
            }),
            (Event::RepositoryGone { repo }, _) => {
                self.change(*repo, |repo| repo.lose(HiddenWhy::Gone, &stamp));
            }
            (Event::Commits(reading), Some(asked)) => self.change(reading.repo, |repo| {
                let changed = repo.commits.answer(reading, &stamp);
                if changed && repo.commits.doubt.is_some() {
                    repo.commits_check.changed_at = stamp.version;
                }
                repo.commits_check.answered(&asked);
            }),
            (Event::PullCount { repo, total, newest }, Some(asked)) => self.change(*repo, |repo| {
                repo.pulls.count(*total, *newest, &stamp);
                repo.pulls_check.answered(&asked);
            }),
            (Event::Pulls { repo, pulls }, Some(_)) => {
                for (number, state, at) in pulls {
                    self.change_pull(*repo, *number, *state, *at);
                }
            }
            (Event::PullsListed { repo, since }, Some(asked)) => self.change(*repo, |repo| {
                repo.pulls.listed(*since);
                repo.pulls_check.answered(&asked);
            }),
            (Event::PullGone { repo, number }, Some(_)) => self.pull_gone(*repo, *number),
            (Event::Languages { repo, bytes }, Some(asked)) => self.change(*repo, |repo| {
                let bytes = bytes.iter().map(|(name, bytes)| (name.to_string(), *bytes)).collect();
                repo.languages.answer(bytes, &stamp);
                repo.languages_check.answered(&asked);
            }),
            (Event::Stars(reading), Some(asked)) => self.read_stars(reading, &asked),
            (Event::NeighboursWanted { repo }, _) => self.change_stars(*repo, |stars| {
                stars.want(&stamp);
            }),
            (Event::Untracked, _) => self.keep(Keeping::Muted),
            (Event::Dropped, _) => self.keep(Keeping::Dropped),
            (Event::Read, _) => self.change_account(|ledger| {
                let account = &mut ledger.account;
                let is_newer = stamp.received_at > account.read_ms;
                account.read_ms = account.read_ms.max(stamp.received_at);
                is_newer
            }),
            (Event::CheckWanted, _) => self.change_account(|ledger| {
                Doubt::raise(&mut ledger.account.check_wanted, &stamp);
                true
            }),
            // Of another stream, or an answer that says not when it was asked.
            _ => {}
        }
    }

    fn track(&mut self, by: TrackedBy) {
        let stamp = self.stamp;
        let mut started = false;
        self.change_account(|ledger| {
            let before = (ledger.account.keeping, ledger.account.read_ms);
            let was_asked = !ledger.account.profile_check.is_unasked();
            started = ledger.account.track(by, &stamp);
            if started && was_asked {
                ledger.account.doubt_all(&stamp);
            }
            (ledger.account.keeping, ledger.account.read_ms) != before
        });
        if started {
            // What happened while nobody kept it was not asked for.
            for repo in self.ledger.cells.keys().copied().collect::<Vec<_>>() {
                self.change(repo, |repo| {
                    if !repo.facts_check.is_unasked() {
                        repo.doubt_all(&stamp);
                    }
                });
            }
        }
    }

    fn keep(&mut self, keeping: Keeping) {
        let version = self.stamp.version;
        self.change_account(|ledger| {
            let changed = ledger.account.keeping != keeping;
            if changed {
                ledger.account.keeping = keeping;
                ledger.touch_all(version);
            }
            changed
        });
    }

    fn named(&mut self, owner: &OwnerReading<'_>) {
        let stamp = self.stamp;
        if self.ledger.account.profile.login.is_none() {
            self.alias(owner, Version::LEAST);
        }
        if self.ledger.account.profile.login.as_deref() != Some(owner.login.as_str()) {
            self.change_account(|ledger| {
                let login = ledger.account.profile.login.clone();
                let changed = ledger.account.named(owner, &stamp);
                if ledger.account.profile.login != login {
                    ledger.touch_all(stamp.version);
                }
                changed
            });
        }
    }

    /// Aliases are versioned by the forge's `Date`, so they need no guard.
    fn alias(&mut self, owner: &OwnerReading<'_>, version: Version) {
        let account: AccountId = owner.id;
        let key = RowKey::Alias(account.forge(), owner.login.to_lowercase());
        self.ledger.aliases.push(Row { key, version, value: Alias { account }.encode().into() });
        self.touch_account_views();
    }

    fn installation_left(&mut self, repos: Option<&[RepoId]>) {
        let stamp = self.stamp;
        let all = || self.ledger.cells.keys().copied().collect::<Vec<_>>();
        for repo in repos.map_or_else(all, <[RepoId]>::to_vec) {
            self.change(repo, |repo| repo.lose(HiddenWhy::Installation, &stamp));
        }
        if repos.is_none() {
            self.change_account(|ledger| {
                ledger.account.hidden = Some((HiddenWhy::Installation, stamp.version));
                ledger.account.doubt_all(&stamp);
                true
            });
        }
    }

    fn unclear(&mut self, need: &NeedKey) {
        let stamp = self.stamp;
        match need {
            NeedKey::Repository(repo) => self.change(*repo, |repo| {
                Doubt::raise(&mut repo.facts.doubt, &stamp);
                repo.facts_check.changed_at = stamp.version;
            }),
            NeedKey::Commits(repo) => self.change(*repo, |repo| {
                repo.commits.raise(&stamp);
                repo.commits_check.changed_at = stamp.version;
            }),
            NeedKey::Pulls(repo) | NeedKey::Pull(repo, _) => self.change(*repo, |repo| {
                Doubt::raise(&mut repo.pulls.doubt, &stamp);
                repo.pulls_check.changed_at = stamp.version;
            }),
            NeedKey::Languages(repo) => self.change(*repo, |repo| repo.languages.pushed(&stamp)),
            NeedKey::Stargazers(_) | NeedKey::Starred(_) => {}
            NeedKey::Profile => self.change_account(|ledger| {
                Doubt::raise(&mut ledger.account.profile_doubt, &stamp);
                ledger.account.profile_check.changed_at = stamp.version;
                true
            }),
            NeedKey::Repositories => self.change_account(|ledger| {
                Doubt::raise(&mut ledger.account.list_doubt, &stamp);
                true
            }),
            NeedKey::Everything => self.change_account(|ledger| {
                Doubt::raise(&mut ledger.account.unreadable, &stamp);
                true
            }),
            NeedKey::Login(..)
            | NeedKey::GistUser(_)
            | NeedKey::Gists
            | NeedKey::Outbox
            | NeedKey::OwnStars => {}
        }
    }

    fn refused(&mut self, about: &NeedKey, status: u16) {
        let Told::Answer(asked) = self.stamp.told else { return };
        match about {
            NeedKey::Repository(repo) => self.change(*repo, |repo| repo.facts_check.refused(&asked, status)),
            NeedKey::Commits(repo) => self.change(*repo, |repo| repo.commits_check.refused(&asked, status)),
            NeedKey::Pulls(repo) | NeedKey::Pull(repo, _) => {
                self.change(*repo, |repo| repo.pulls_check.refused(&asked, status));
            }
            NeedKey::Languages(repo) => {
                let stamp = self.stamp;
                self.change(*repo, |repo| {
                    repo.languages_check.refused(&asked, status);
                    repo.languages.confirmed(&stamp);
                });
            }
            NeedKey::Stargazers(repo) => {
                self.change_stars(*repo, |stars| stars.list_check.refused(&asked, status));
            }
            // Of one stargazer: told with what is known of them.
            NeedKey::Starred(_) => {}
            NeedKey::Profile => self.change_account(|ledger| {
                ledger.account.profile_check.refused(&asked, status);
                true
            }),
            NeedKey::Repositories => self.change_account(|ledger| {
                ledger.account.list_check.refused(&asked, status);
                true
            }),
            NeedKey::Everything
            | NeedKey::Login(..)
            | NeedKey::GistUser(_)
            | NeedKey::Gists
            | NeedKey::Outbox
            | NeedKey::OwnStars => {}
        }
    }

    fn checked(&mut self, about: &NeedKey) {
        let Told::Answer(asked) = self.stamp.told else { return };
        let stamp = self.stamp;
        match about {
            NeedKey::Repository(repo) => self.change(*repo, |repo| repo.confirmed(&asked)),
            NeedKey::Commits(repo) => self.change(*repo, |repo| repo.commits_check.answered(&asked)),
            NeedKey::Pulls(repo) | NeedKey::Pull(repo, _) => {
                self.change(*repo, |repo| repo.pulls_check.answered(&asked));
            }
            NeedKey::Languages(repo) => self.change(*repo, |repo| {
                repo.languages_check.answered(&asked);
                repo.languages.confirmed(&stamp);
            }),
            NeedKey::Stargazers(repo) => {
                self.change_stars(*repo, |stars| stars.list_check.answered(&asked));
            }
            NeedKey::Starred(_) => {}
            NeedKey::Profile => self.change_account(|ledger| {
                ledger.account.profile_check.answered(&asked);
                true
            }),
            NeedKey::Repositories => self.change_account(|ledger| {
                ledger.account.list_check.answered(&asked);
                true
            }),
            NeedKey::Everything => self.change_account(|ledger| {
                ledger.account.checked(asked.asked_at);
                true
            }),
            NeedKey::Login(..)
            | NeedKey::GistUser(_)
            | NeedKey::Gists
            | NeedKey::Outbox
            | NeedKey::OwnStars => {}
        }
    }

    fn change_pull(&mut self, repo: RepoId, number: u64, state: PullState, at: Second) {
        let stamp = self.stamp;
        self.change(repo, |repo| {
            if stamp.told == Told::Delivery {
                repo.pulls_check.changed_at = stamp.version;
            }
        });
        self.tells_of_pull(repo);
        self.with_bucket(repo, number, |cell, _| {
            cell.states.change(number, &stamp, |bucket| bucket.read(number, state, at, &stamp));
        });
    }

    fn pull_gone(&mut self, repo: RepoId, number: u64) {
        let stamp = self.stamp;
        // What the repository shows is derived from the states too.
        self.change(repo, |_| {});
        self.tells_of_pull(repo);
        self.with_bucket(repo, number, |cell, version| {
            cell.states.change(number, &stamp, |bucket| bucket.gone(number, &stamp, version));
        });
    }

    /// Changes the row that holds a pull request, unless this record is in it already.
    fn with_bucket(
        &mut self,
        repo: RepoId,
        number: u64,
        change: impl FnOnce(&mut super::cell::Cell, Version),
    ) {
        let bucket = bucket_of(number);
        let stamp = self.stamp;
        let known = self.buckets.iter().find(|(of, at, _)| (*of, *at) == (repo, bucket)).copied();
        let Some(cell) = self.ledger.cells.get_mut(&repo) else { return };
        let before = known.map_or_else(|| cell.states.version_of(bucket), |(_, _, version)| version);
        if known.is_none() {
            self.buckets.push((repo, bucket, before));
        }
        cell.dirty.buckets.insert(bucket);
        if before < stamp.version {
            change(cell, before);
        } else {
            cell.dirty.replayed = true;
            self.ledger.dirty.replayed = true;
        }
    }

    /// Changes a repository, unless this record is in its row already.
    fn change(&mut self, id: RepoId, change: impl FnOnce(&mut crate::entity::repository::Repository)) {
        let version = self.stamp.version;
        let known = self.repos.iter().find(|(repo, _)| *repo == id).map(|(_, may)| *may);
        let is_delivery = self.stamp.told == Told::Delivery;
        let cell = self.ledger.cell(id, &self.stamp);
        cell.touch(version);
        let may_change = known.unwrap_or(cell.version < version);
        // Of a Bitbucket repository no number is shown.
        if may_change && known.is_none() && id.forge() == Forge::GitHub {
            self.before.push(Before::of(id, cell));
        }
        if may_change {
            if is_delivery {
                cell.repo.told_ms = cell.repo.told_ms.max(self.stamp.received_at);
            }
            let was_hidden = cell.repo.visibility.is_hidden();
            change(&mut cell.repo);
            cell.dirty.hidden |= was_hidden != cell.repo.visibility.is_hidden();
            cell.version = version;
        } else {
            cell.dirty.replayed = true;
            // What is shown of the account with it as well.
            self.ledger.dirty.replayed = true;
        }
        if known.is_none() {
            self.repos.push((id, may_change));
        }
        self.ledger.dirty_cells.insert(id);
        self.touch_account_views();
    }

    /// Changes the account, unless this record is in its row already; `change` says whether it did.
    fn change_account(&mut self, change: impl FnOnce(&mut Ledger) -> bool) {
        let gap = gap_of_repositories(&self.ledger.account);
        if self.account && change(self.ledger) {
            self.ledger.account_version = self.stamp.version;
            self.ledger.dirty.entity = true;
        }
        if gap_of_repositories(&self.ledger.account) != gap {
            self.ledger.touch_all(self.stamp.version);
        }
        if !self.account {
            self.ledger.dirty.entity = true;
        }
        self.touch_account_views();
    }

    fn touch_account_views(&mut self) {
        let dirty = &mut self.ledger.dirty;
        dirty.touched_at = dirty.touched_at.max(Some(self.stamp.version));
        dirty.since.get_or_insert(self.stamp.version);
    }
}

impl Ledger {
    /// Everything shown of the account must be rendered again.
    pub(super) fn touch_all(&mut self, version: Version) {
        let is_kept = self.account.is_kept();
        for (id, cell) in &mut self.cells {
            cell.touch(version);
            // Of an account that is not kept nothing is asked.
            cell.note_needs(*id, is_kept);
            self.dirty_cells.insert(*id);
        }
    }
}
