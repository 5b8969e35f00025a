//! From a changed working set to rows: what each repository shows, then what the account shows.

use std::collections::BTreeSet;

use crate::{
    directory::{Directory, DirectoryState},
    entity::{account::Keeping, visibility::Visibility},
    event::TrackedBy,
    id::{Forge, RepoId, StreamKey},
    key::{EntityKey, MemberSet, NeedKey, RowKey, ViewKey},
    ledger::{Drained, LargeViews, Ledger, SLICE_MAX, cell::note_changed},
    need::{self, Need},
    row::Row,
    time::{Millis, Second},
    version::Version,
    view::{
        self,
        body::{Body, Meta, Stored},
        freshness::{Missing, Reason},
        repository::Figures,
        summary::{StoredSummary, Summary},
    },
};

impl Ledger {
    /// Gives the rows that must be written for what was folded: at most [`SLICE_MAX`] repositories a call,
    /// the account's own views once all of them are out.
    pub fn drain(&mut self, large_views: LargeViews) -> Drained {
        let mut drained = Drained { rows: std::mem::take(&mut self.aliases), has_more: false };
        // Its room goes with them: most ledgers in memory have nothing to write.
        drained.rows.extend(std::mem::take(&mut self.steps));
        self.gists.drain(StreamKey::Account(self.id), &mut drained.rows);
        self.starrer.drain(StreamKey::Account(self.id), &mut drained.rows);
        self.hooks.drain(StreamKey::Account(self.id), &mut drained.rows);
        let slice: Vec<RepoId> = self.dirty_cells.iter().take(SLICE_MAX).copied().collect();
        for repo in slice {
            self.dirty_cells.remove(&repo);
            self.drain_repository(repo, &mut drained.rows);
        }
        if self.dirty_cells.is_empty() {
            self.drain_account(large_views, &mut drained.rows);
            self.drain_neighbours(&mut drained.rows);
        } else {
            drained.has_more = true;
        }
        drained
    }

    fn drain_repository(&mut self, id: RepoId, rows: &mut Vec<Row>) {
        self.derive(id);
        let stream = self.stream();
        let is_kept = self.account.is_kept();
        let login = self.account.profile.login.is_some();
        let figures = self.cells.get(&id).and_then(|cell| cell.figures.as_ref());
        let owner_gap = view::account::gap_of_repositories(&self.account)
            .or_else(|| self.hooks.gap_of(id, figures.and_then(|figures| figures.checked_ms)));
        let Some(cell) = self.cells.get_mut(&id) else { return };
        let dirty = std::mem::take(&mut cell.dirty);
        let Some(touched_at) = dirty.touched_at else { return };

        if cell.version > Version::NONE {
            rows.push(Row {
                key: RowKey::Entity(stream, EntityKey::Repository(id)),
                version: cell.version,
                value: cell.repo.encode().into(),
            });
        }
        for bucket in dirty.buckets {
            if let Some((states, version)) = cell.states.bucket(bucket) {
                rows.push(Row {
                    key: RowKey::Member {
                        stream,
                        set: MemberSet::Pulls,
                        parent: id,
                        wipe: 0,
                        bucket,
                        id: Vec::new(),
                    },
                    version: *version,
                    value: states.encode().into(),
                });
            }
        }
        push_needs(rows, stream, &cell.needs, dirty.needs, touched_at);
        if let Some(stars) = &mut cell.stars {
            stars.drain(stream, rows);
            let figures = cell.figures.as_ref().filter(|_| is_kept && login);
            let name = figures.map(|figures| figures.full_name.as_str());
            if stars.must_render(name, dirty.replayed) {
                let since = dirty.since.unwrap_or(touched_at);
                let (_, last) = self.neighbours.entry(id).or_insert((since, touched_at));
                *last = touched_at;
                cell.are_neighbours_replayed |= dirty.replayed;
            }
        }

        // Of a Bitbucket repository nobody reads more than its part of the summary.
        let has_view = id.forge() == Forge::GitHub;
        let shows = if is_kept && login && has_view { cell.figures.as_ref() } else { None };
        let view = match shows {
            Some(figures) => {
                let (payload, complete) = view::repository::render(id, &cell.repo, figures, owner_gap);
                let meta = Meta {
                    hash: view::body::hash(&payload),
                    length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
                    as_of: figures.as_of,
                    checked_ms: figures.checked_ms,
                    complete,
                    name: figures.full_name.clone(),
                };
                let shown = meta_hash(&meta);
                (cell.shown != Some(shown) || dirty.replayed).then(|| {
                    cell.shown = Some(shown);
                    Stored::Body(Body::new(&payload, meta))
                })
            }
            // A repository that was never shown has no row to take back, unless a load forgot that it was.
            None if is_kept && has_view && !matches!(cell.repo.visibility, Visibility::Unknown) => {
                (cell.shown != Some(GONE) || dirty.replayed).then(|| {
                    cell.shown = Some(GONE);
                    Stored::Gone
                })
            }
            None => None,
        };
        if let Some(stored) = view {
            let key = RowKey::View(stream, ViewKey::Repository(id));
            rows.push(Row { key, version: touched_at, value: stored.encode() });
        }

        let is_hidden = cell.repo.visibility.is_hidden();
        let write_hidden = cell.is_hidden_written != is_hidden || dirty.hidden || dirty.replayed;
        cell.is_hidden_written = is_hidden;
        let names = self.names.update(id, &cell.repo);
        if write_hidden {
            rows.push(self.hidden_row(Some(id), touched_at, is_hidden));
            self.dirty.hidden = true;
        }
        let names = if dirty.replayed { self.names.of(id) } else { names };
        self.dirty.names.extend(names);
    }

    /// Neighbours that changed; large ones are left for [`Self::render_neighbours`].
    fn drain_neighbours(&mut self, rows: &mut Vec<Row>) {
        let stream = self.stream();
        let due: Vec<(RepoId, Version)> =
            self.neighbours.iter().map(|(id, (_, last))| (*id, *last)).collect();
        for (id, touched_at) in due {
            let name = self.neighbours_name(id);
            let stars = self
                .cells
                .get_mut(&id)
                .and_then(|cell| Some((cell.stars.as_mut()?, &mut cell.are_neighbours_replayed)));
            let is_done = stars.is_none_or(|(stars, replayed)| {
                let is_done = stars.render(stream, name.as_deref(), touched_at, *replayed, rows);
                *replayed &= !is_done;
                is_done
            });
            if is_done {
                self.neighbours.remove(&id);
            }
            if name.is_none() {
                // Whatever was being rendered of it is shown to nobody.
                self.rendering = self.rendering.filter(|(rendering, _)| *rendering != id);
            }
        }
    }

    /// Renders a slice of large neighbours. `has_more`: more is left of these, or of others.
    pub fn render_neighbours(&mut self) -> Drained {
        let stream = self.stream();
        let mut rows = Vec::new();
        if self.rendering.is_none()
            && let Some((id, (since, touched_at))) = self.neighbours.pop_first()
            && let Some(name) = self.neighbours_name(id)
            && let Some(cell) = self.cells.get_mut(&id)
            && let Some(stars) = &mut cell.stars
        {
            stars.begin(&name, touched_at, std::mem::take(&mut cell.are_neighbours_replayed));
            self.rendering = Some((id, since));
        } else if let Some((id, _)) = self.rendering {
            let stars = self.cells.get_mut(&id).and_then(|cell| cell.stars.as_mut());
            if stars.is_none_or(|stars| stars.render_slice(stream, &mut rows)) {
                self.rendering = None;
            }
        }
        Drained { rows, has_more: self.has_large_neighbours() }
    }

    /// The name under which neighbours of a repository are shown; `None`: they are not.
    fn neighbours_name(&self, id: RepoId) -> Option<String> {
        let is_named = self.account.is_kept() && self.account.profile.login.is_some();
        let figures = self.cells.get(&id)?.figures.as_ref().filter(|_| is_named)?;
        Some(figures.full_name.clone())
    }

    /// Brings totals, order and gaps up to what the repository shows now.
    pub(super) fn derive(&mut self, id: RepoId) {
        let login = self.account.profile.login.as_deref().unwrap_or_default();
        let Some(cell) = self.cells.get_mut(&id) else { return };
        let weight = cell.measure();
        self.cells_weight = self.cells_weight + weight - std::mem::replace(&mut cell.weight, weight);
        let figures = Figures::of(&cell.repo, &cell.states, login, id.forge());
        let is_unsettled = match cell.repo.visibility {
            Visibility::Unknown => true,
            Visibility::Public { .. } => cell.repo.name().is_none(),
            Visibility::Hidden(hidden) => hidden.doubt.is_some(),
        };
        if is_unsettled {
            self.unsettled.insert(id);
        } else {
            self.unsettled.remove(&id);
        }
        if figures == cell.figures {
            return;
        }
        self.dirty.taken_back |= figures.is_none();
        if let Some(former) = cell.figures.take() {
            self.totals.remove(&former);
            if let Some(repos) = self.order.get_mut(&former.name) {
                repos.remove(&id);
                if repos.is_empty() {
                    self.order.remove(&former.name);
                }
            }
            self.gaps.remove(&(former.name, id));
        }
        if let Some(figures) = &figures {
            self.totals.add(figures);
            self.order.entry(figures.name.clone()).or_default().insert(id);
            if !figures.missing.is_empty() {
                self.gaps.insert((figures.name.clone(), id));
            }
            cell.fragment = view::payload::fragment(figures);
        }
        cell.figures = figures;
    }

    /// Notes which needs of the account itself changed.
    pub(super) fn note_account_needs(&mut self) {
        let derived = need::of_account(&self.account, self.account_version).to_vec();
        let dirty = &mut self.dirty;
        note_changed(&mut self.account_needs, derived, &mut dirty.needs, dirty.replayed);
    }

    fn drain_account(&mut self, large_views: LargeViews, rows: &mut Vec<Row>) {
        let Some(touched_at) = self.dirty.touched_at else { return };
        let stream = self.stream();
        let replayed = self.dirty.replayed;
        if self.dirty.entity && self.account_version > Version::NONE {
            rows.push(Row {
                key: RowKey::Entity(stream, EntityKey::Account),
                version: self.account_version,
                value: self.account.encode().into(),
            });
            self.dirty.entity = false;
        }
        for name in std::mem::take(&mut self.dirty.names) {
            rows.push(self.name_row(&name, touched_at));
        }
        let needs = std::mem::take(&mut self.dirty.needs);
        push_needs(rows, stream, &self.account_needs, needs, touched_at);

        let is_hidden = self.account.is_hidden();
        if self.is_hidden_written != is_hidden || replayed {
            rows.push(self.hidden_row(None, touched_at, is_hidden));
            self.dirty.hidden = true;
            self.is_hidden_written = is_hidden;
        }

        let is_rendered = self.account.is_kept() && self.account.profile.login.is_some();
        if is_rendered {
            // Small whatever the account's size, so that it is never put off: what is hidden leaves answers about
            // several accounts in the same write.
            self.drain_summary(touched_at, replayed, rows);
        }
        let may_wait = large_views == LargeViews::Later && !self.dirty.taken_back;
        if is_rendered && may_wait && self.has_large_views() {
            self.drain_directory(touched_at, replayed, rows);
            return;
        }
        if is_rendered && self.id.forge() == Forge::GitHub {
            self.drain_views(touched_at, replayed, rows);
        }
        self.drain_directory(touched_at, replayed, rows);
        self.dirty = super::DirtyAccount::default();
    }

    fn drain_summary(&mut self, touched_at: Version, replayed: bool, rows: &mut Vec<Row>) {
        let forge = self.id.forge();
        let own_gaps = self.own_gaps();
        let is_whole = own_gaps.iter().all(|(field, _)| *field == view::account::FOLLOWERS);
        let stored = StoredSummary {
            summary: Summary::of(&self.totals, self.account.listed_since.is_some(), forge),
            as_of: self.as_of(),
            checked_ms: self.account_checked().min(self.totals.summary_checked_ms()),
            complete: is_whole && self.totals.summary_is_complete(),
            name: self.account.profile.login.clone().unwrap_or_default(),
        };
        let value = stored.encode();
        let hash = Some(view::body::hash(&value) | 1);
        let shown = self.views.entry(ViewKey::Summary).or_default();
        shown.length = value.len();
        let knows_of_hiding = std::mem::take(&mut self.dirty.hidden);
        if shown.hash != hash || knows_of_hiding || replayed {
            shown.hash = hash;
            let key = RowKey::View(self.stream(), ViewKey::Summary);
            rows.push(Row { key, version: touched_at, value: value.into() });
        }
    }

    fn own_gaps(&self) -> Vec<(&'static str, Reason)> {
        let mut gaps = view::account::own_gaps(&self.account, !self.unsettled.is_empty(), self.id.forge());
        self.hooks.add_gaps(&mut gaps);
        gaps
    }

    fn drain_views(&mut self, touched_at: Version, replayed: bool, rows: &mut Vec<Row>) {
        let own_gaps = self.own_gaps();
        let as_of = self.as_of();
        let account_checked = self.account_checked();

        let fragments = self.in_order().filter_map(|id| Some(self.cells.get(&id)?.fragment.as_slice()));
        let payload = view::payload::render(&self.account.profile, fragments);
        let is_complete = own_gaps.is_empty() && self.totals.payload_is_complete();
        let checked_ms = account_checked.min(self.totals.payload_checked_ms());
        self.push_view(
            ViewKey::GithubPayload,
            &payload,
            (as_of, checked_ms, is_complete),
            touched_at,
            replayed,
            rows,
        );

        let gaps = self.gaps.iter().filter_map(|(_, id)| self.cells.get(id)?.figures.as_ref());
        let gaps = gaps.flat_map(|figures| {
            let repository = Some(figures.full_name.as_str());
            figures.missing.iter().map(move |&(field, reason)| Missing { field, repository, reason })
        });
        let (payload, is_complete) =
            view::account::render(self.id, &self.account, &self.totals, as_of, &own_gaps, gaps);
        let checked_ms = account_checked.min(self.totals.checked_ms());
        self.push_view(
            ViewKey::Account,
            &payload,
            (as_of, checked_ms, is_complete),
            touched_at,
            replayed,
            rows,
        );

        let payload = view::index::render(self.in_order());
        self.push_view(
            ViewKey::RepositoryIndex,
            &payload,
            (as_of, checked_ms, is_complete),
            touched_at,
            replayed,
            rows,
        );
    }

    fn push_view(
        &mut self,
        key: ViewKey,
        payload: &[u8],
        (as_of, checked_ms, complete): (Second, Option<Millis>, bool),
        touched_at: Version,
        replayed: bool,
        rows: &mut Vec<Row>,
    ) {
        let meta = Meta {
            hash: view::body::hash(payload),
            length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            as_of,
            checked_ms,
            complete,
            name: self.account.profile.login.clone().unwrap_or_default(),
        };
        let hash = Some(meta_hash(&meta));
        let stream = self.stream();
        let shown = self.views.entry(key).or_default();
        shown.length = payload.len();
        if shown.hash != hash || replayed {
            shown.hash = hash;
            let value = Stored::Body(Body::new(payload, meta)).encode();
            rows.push(Row { key: RowKey::View(stream, key), version: touched_at, value });
        }
    }

    fn drain_directory(&mut self, touched_at: Version, replayed: bool, rows: &mut Vec<Row>) {
        let Some(directory) = self.directory_row() else { return };
        if self.directory.as_ref() != Some(&directory) || replayed {
            rows.push(Row {
                key: RowKey::Directory(self.id),
                version: touched_at,
                value: directory.encode().into(),
            });
            self.directory = Some(directory);
        }
    }

    fn directory_row(&self) -> Option<Directory> {
        let account = &self.account;
        let (by, since_ms): (Option<TrackedBy>, Millis) = match account.keeping {
            Keeping::Unknown => return None,
            Keeping::Kept { by, since_ms } => (Some(by), since_ms),
            Keeping::Muted | Keeping::Dropped => (None, Millis(0)),
        };
        let state = match account.keeping {
            _ if account.is_forgotten() => DirectoryState::Forgotten,
            Keeping::Muted => DirectoryState::Muted,
            Keeping::Dropped => DirectoryState::Dropped,
            Keeping::Kept { .. } | Keeping::Unknown if account.hidden.is_some() => DirectoryState::Hidden,
            Keeping::Kept { .. } | Keeping::Unknown => DirectoryState::Kept,
        };
        let own_gaps = self.own_gaps();
        Some(Directory {
            state,
            login: account.profile.login.clone(),
            by,
            since_ms,
            read_ms: account.read_ms,
            listed: account.listed_since.is_some() || account.list_check.refused.is_some(),
            complete: own_gaps.is_empty() && self.gaps.is_empty(),
            checked_ms: self.account_checked().min(self.totals.checked_ms()),
            repositories: self.totals.repositories(),
        })
    }

    /// When profile and list were checked, whichever is longer ago.
    fn account_checked(&self) -> Option<Millis> {
        let checks = [&self.account.profile_check, &self.account.list_check];
        let checked = checks.map(|check| (check.checked_ms > Millis(0)).then_some(check.checked_ms));
        checked[0].min(checked[1])
    }

    fn in_order(&self) -> impl Iterator<Item = RepoId> {
        self.order.values().flatten().copied()
    }
}

/// What [`super::cell::Cell::shown`] holds for a view that was taken back.
const GONE: u64 = 0;

/// A hash over everything that a view's row holds, to tell whether it must be written.
fn meta_hash(meta: &Meta) -> u64 {
    view::body::hash(&crate::codec::encode(0, meta)) | 1
}

/// Writes the needs that changed; one that is no longer derived is met.
fn push_needs(
    rows: &mut Vec<Row>,
    stream: crate::id::StreamKey,
    needs: &[(NeedKey, Need)],
    changed: BTreeSet<NeedKey>,
    version: Version,
) {
    rows.extend(changed.into_iter().map(|key| {
        let need = needs.iter().find(|(other, _)| *other == key).map_or(Need::Met, |(_, need)| *need);
        Row { key: RowKey::Need(stream, key), version, value: need.encode().into() }
    }));
}
