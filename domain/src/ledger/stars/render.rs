//! The neighbours of one repository on their way to rows: small ones at once, large ones slice by slice, so that other
//! accounts have their turn in between. What is shown stays whole meanwhile: its rows are given out together.

use super::StarCell;
use crate::{
    id::StreamKey,
    key::{RowKey, ViewKey},
    ledger::LARGE_VIEW_BYTES,
    row::Row,
    version::Version,
    view::{
        body::{self, Meta},
        neighbours::{Chunk, Head, Mark, Ranked, Renderer, StoredHead},
    },
};

/// About what a star takes in an answer: a login with its quotes.
const STAR_BYTES: usize = 12;

/// What was last rendered.
#[derive(Debug)]
pub(super) struct Rendered {
    /// The name that it was rendered for; `None`: there is none any more.
    name: Option<String>,
    /// The head that was given out; `None` with its name.
    head: Option<Head>,
    /// Of what it was rendered: see [`crate::view::neighbours::Neighbourhood::changes`].
    changes: u64,
}

/// Neighbours that are being rendered.
#[derive(Debug)]
pub(super) struct Rendering {
    /// What stands before them; its chunks, hash and length are known at the end.
    head: Head,
    changes: u64,
    replayed: bool,
    ranking: Vec<Ranked>,
    next: usize,
    renderer: Renderer,
    chunks: Vec<Row>,
}

impl StarCell {
    /// Whether the neighbours must be rendered: they changed, or are to be shown under another name, or no more, or a
    /// replayed record may have been written to a minority only.
    pub(in crate::ledger) fn must_render(&self, name: Option<&str>, replayed: bool) -> bool {
        let is_ready = self.stars.listed.is_some() || self.stars.is_closed();
        if self.stars.wanted.is_none() || !is_ready {
            return false;
        }
        match &self.shown {
            _ if replayed => true,
            Some(shown) => shown.name.as_deref() != name || (self.dirty.view && name.is_some()),
            // What was written before the rows were loaded is not known here.
            None => true,
        }
    }

    /// Whether rendering them takes long, so that it is done less often, and in slices.
    pub(in crate::ledger) fn is_large(&self) -> bool {
        self.hood.counted().saturating_mul(STAR_BYTES) > LARGE_VIEW_BYTES
    }

    /// The rows of neighbours that are quickly rendered: small ones, those that are gone, and those of which nothing
    /// but what stands before them changed. Returns whether that was all; else they are to be rendered in slices, and
    /// until then are called incomplete.
    pub(in crate::ledger) fn render(
        &mut self,
        stream: StreamKey,
        name: Option<&str>,
        touched_at: Version,
        replayed: bool,
        rows: &mut Vec<Row>,
    ) -> bool {
        let key = RowKey::View(stream, ViewKey::Neighbours(self.repo));
        let Some(name) = name else {
            self.dirty.view = false;
            self.rendering = None;
            let is_gone = self.shown.as_ref().is_some_and(|shown| shown.name.is_none());
            if !is_gone || replayed {
                rows.push(Row { key, version: touched_at, value: StoredHead::Gone.encode().into() });
            }
            self.shown = Some(Rendered { name: None, head: None, changes: 0 });
            return true;
        };
        if self.rendering.is_some() {
            self.mark(stream, touched_at, rows);
            return false;
        }
        let present = self.head(name, touched_at);
        let changes = self.hood.changes();
        if let Some(Rendered { head: Some(head), changes: shown, .. }) = &mut self.shown
            && *shown == changes
            && !replayed
        {
            self.dirty.view = false;
            let (hash, length) = (head.meta.hash, head.meta.length);
            let present = Head {
                version: head.version,
                chunks: head.chunks,
                meta: Meta { hash, length, ..present.meta },
                ..present
            };
            if says_else(head, &present) {
                *head = present.clone();
                rows.push(Row { key, version: touched_at, value: StoredHead::Head(present).encode().into() });
            }
            return true;
        }
        if !self.is_large() {
            self.begin(name, touched_at, replayed);
            while !self.render_slice(stream, rows) {}
            return true;
        }
        self.mark(stream, touched_at, rows);
        false
    }

    /// Says that what is shown lacks what this record changed.
    fn mark(&mut self, stream: StreamKey, touched_at: Version, rows: &mut Vec<Row>) {
        if self.marked_at < touched_at {
            self.marked_at = touched_at;
            let key = RowKey::View(stream, ViewKey::NeighboursMark(self.repo));
            rows.push(Row { key, version: touched_at, value: Mark.encode().into() });
        }
    }

    /// Begins to render what is known now, at the version of the record that touched it last.
    pub(in crate::ledger) fn begin(&mut self, name: &str, touched_at: Version, replayed: bool) {
        self.dirty.view = false;
        self.rendering = Some(Box::new(Rendering {
            head: self.head(name, touched_at),
            changes: self.hood.changes(),
            replayed,
            ranking: self.hood.ranking(),
            next: 0,
            renderer: Renderer::new(touched_at),
            chunks: Vec::new(),
        }));
    }

    /// Renders a chunk more, or so; all rows are given out with the last. Returns whether it was the last.
    pub(in crate::ledger) fn render_slice(&mut self, stream: StreamKey, rows: &mut Vec<Row>) -> bool {
        let Some(rendering) = &mut self.rendering else { return true };
        let (repo, version) = (self.repo, rendering.head.version);
        let row = |number: usize, chunk: &Chunk| {
            let number = u32::try_from(number).expect("ten thousand neighbours fill fewer chunks");
            let key = RowKey::View(stream, ViewKey::NeighboursChunk(repo, number));
            Row { key, version, value: chunk.encode() }
        };
        while let Some(ranked) = rendering.ranking.get(rendering.next) {
            rendering.next += 1;
            let full = rendering.renderer.push(&self.hood.shown(ranked));
            if !full.is_empty() {
                for chunk in &full {
                    rendering.chunks.push(row(rendering.chunks.len(), chunk));
                }
                return false;
            }
        }
        if let Some(chunk) = rendering.renderer.end() {
            rendering.chunks.push(row(rendering.chunks.len(), &chunk));
        }
        self.end(stream, rows);
        true
    }

    /// Gives out the rows, if they are others than were written last; all, where records are replayed.
    fn end(&mut self, stream: StreamKey, rows: &mut Vec<Row>) {
        let Some(rendering) = self.rendering.take() else { return };
        let Rendering { mut head, changes, replayed, renderer, chunks, .. } = *rendering;
        let touched_at = head.version;
        head.chunks = u32::try_from(chunks.len()).expect("ten thousand neighbours fill fewer chunks");
        head.meta.hash = renderer.hash();
        head.meta.length = u32::try_from(renderer.length()).unwrap_or(u32::MAX);
        let before = self.shown.take().and_then(|shown| shown.head);
        let is_same = |before: &Head| (before.meta.hash, before.chunks) == (head.meta.hash, head.chunks);
        match before.as_ref().filter(|before| !replayed && is_same(before)) {
            Some(before) => head.version = before.version,
            None => rows.extend(chunks),
        }
        if replayed || before.is_none_or(|before| says_else(&before, &head)) {
            // Last, so that who is told of it finds the chunks.
            let key = RowKey::View(stream, ViewKey::Neighbours(self.repo));
            let value = StoredHead::Head(head.clone()).encode().into();
            rows.push(Row { key, version: touched_at, value });
        }
        self.shown = Some(Rendered { name: Some(head.meta.name.clone()), head: Some(head), changes });
    }

    /// What stands before the neighbours as they are now.
    fn head(&self, name: &str, touched_at: Version) -> Head {
        let checked = self.stars.list_check.checked_ms;
        let meta = Meta {
            hash: body::hash(&[]),
            length: 0,
            as_of: self.newest,
            checked_ms: Some(self.hood.checked_ms().map_or(checked, |oldest| oldest.min(checked))),
            complete: self.stars.is_whole() && self.doubtful.is_empty() && self.hood.is_complete(),
            name: name.to_owned(),
        };
        let is_closed = self.stars.is_closed() && self.given.is_empty();
        Head { version: touched_at, at: touched_at, chunks: 0, meta, is_closed }
    }
}

/// Whether heads differ in anything but the record that they are of.
fn says_else(one: &Head, other: &Head) -> bool {
    *one != Head { at: one.at, ..other.clone() }
}
