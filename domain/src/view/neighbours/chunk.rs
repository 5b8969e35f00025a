//! The stored form of neighbours: one version of them in chunks, each a row, because a hundred megabytes fit in none.
//!
//! Chunk 0 stands beside the [`Head`], which names the version and how many chunks it has. A reader that meets a chunk
//! of another version begins anew. A chunk holds pieces of ready JSON, each with what limits and filters look at, so
//! that an answer is joined without reading JSON.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    id::{AccountId, RepoId},
    version::Version,
    view::body::{self, Meta},
};

/// The encodings of a stored head, of a stored chunk and of a stored mark.
const HEAD_TAG: u8 = 2;
const CHUNK_TAG: u8 = 1;
const MARK_TAG: u8 = 1;

/// A chunk's pieces hold at most so many bytes: what a store takes as one value without trouble.
pub const CHUNK_BYTES_MAX: usize = 1024 * 1024;

/// Chunks shrink to a fifth at this level already; a large answer has a hundred of them.
const LEVEL: Compression = Compression::fast();

/// One neighbour, before it is rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown<'n> {
    /// The repository.
    pub id: RepoId,
    /// Whose it is.
    pub owner: AccountId,
    /// `owner/name`.
    pub full_name: &'n str,
    /// Logins of the shared stargazers, sorted.
    pub stargazers: Vec<&'n str>,
}

/// What a reader needs before the first chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Which chunks belong to it.
    pub version: Version,
    /// The last record that it shows.
    pub at: Version,
    /// How many there are.
    pub chunks: u32,
    /// What stands beside the payload; its hash and length are of all neighbours.
    pub meta: Meta,
    /// Whether the forge keeps the stargazers from us, and nobody else told of any.
    pub is_closed: bool,
}

/// A part of the neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The version of its head.
    pub version: Version,
    /// In the order of the answer.
    pub pieces: Vec<Piece>,
}

/// A neighbour's JSON, or a part of it where it is larger than a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The repository, whose it is, and how many stargazers are shared.
    pub of: (RepoId, AccountId, u32),
    /// Whether the piece before this one is of the same neighbour.
    pub is_continued: bool,
    /// The bytes, as they are sent.
    pub json: String,
}

#[derive(Serialize)]
struct Json<'a> {
    repo: &'a str,
    stargazers: &'a [&'a str],
}

impl Shown<'_> {
    fn json(&self) -> String {
        let json = Json { repo: self.full_name, stargazers: &self.stargazers };
        serde_json::to_string(&json).expect("plain values serialize")
    }
}

impl Chunk {
    /// Renders neighbours, in their order, into chunks of one version.
    pub fn render<'n>(version: Version, shown: impl IntoIterator<Item = Shown<'n>>) -> Vec<Chunk> {
        let mut renderer = Renderer::new(version);
        let mut chunks: Vec<Chunk> = shown.into_iter().flat_map(|shown| renderer.push(&shown)).collect();
        chunks.extend(renderer.end());
        chunks
    }

    /// The stored form.
    pub fn encode(&self) -> Bytes {
        let mut out = DeflateEncoder::new(vec![CHUNK_TAG], LEVEL);
        out.write_all(&codec::encode(CHUNK_TAG, self)).expect("a vector takes every byte");
        out.finish().expect("a vector takes every byte").into()
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        /// Pieces, with a margin for what stands beside their JSON.
        const INFLATED_MAX: u64 = 4 * CHUNK_BYTES_MAX as u64;
        match bytes.split_first() {
            Some((&CHUNK_TAG, deflated)) => {
                let mut inflated = Vec::new();
                let read = DeflateDecoder::new(deflated).take(INFLATED_MAX).read_to_end(&mut inflated);
                read.map_err(|_| DecodeError::Damaged)?;
                codec::decode(CHUNK_TAG, &inflated)
            }
            Some((&found, _)) => Err(DecodeError::Tag(found)),
            None => Err(DecodeError::Damaged),
        }
    }
}

/// Neighbours on their way into chunks, one after the other.
#[derive(Debug)]
pub struct Renderer {
    version: Version,
    pieces: Vec<Piece>,
    /// What the chunk that is being filled still takes.
    room: usize,
    /// Hashes of all pieces.
    hashes: Vec<u8>,
    length: usize,
}

impl Renderer {
    /// Nothing yet, of this version.
    pub fn new(version: Version) -> Self {
        Renderer { version, pieces: Vec::new(), room: CHUNK_BYTES_MAX, hashes: Vec::new(), length: 0 }
    }

    /// Adds the next neighbour; gives the chunks that are full.
    pub fn push(&mut self, neighbour: &Shown<'_>) -> Vec<Chunk> {
        let mut full = Vec::new();
        let shared = u32::try_from(neighbour.stargazers.len()).unwrap_or(u32::MAX);
        let of = (neighbour.id, neighbour.owner, shared);
        let json = neighbour.json();
        self.length += json.len();
        let mut rest = json.as_str();
        while !rest.is_empty() {
            let is_continued = rest.len() < json.len();
            // Most fit whole: a chunk is ended early rather than a neighbour cut.
            if rest.len() > self.room && self.room < CHUNK_BYTES_MAX {
                full.extend(self.end());
            }
            let (json, after) = rest.split_at(rest.floor_char_boundary(self.room));
            self.hashes.extend(body::hash(json.as_bytes()).to_le_bytes());
            self.pieces.push(Piece { of, is_continued, json: json.to_owned() });
            self.room -= json.len();
            rest = after;
        }
        full
    }

    /// What is left for a last chunk, if anything.
    pub fn end(&mut self) -> Option<Chunk> {
        self.room = CHUNK_BYTES_MAX;
        let pieces = std::mem::take(&mut self.pieces);
        (!pieces.is_empty()).then_some(Chunk { version: self.version, pieces })
    }

    /// A hash of what all chunks say, whatever their version, from which ETags are made.
    pub fn hash(&self) -> u64 {
        body::hash(&self.hashes)
    }

    /// Bytes of all neighbours.
    pub fn length(&self) -> usize {
        self.length
    }
}

/// What the row of a head holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoredHead {
    /// Neighbours.
    Head(Head),
    /// There are none any more: the repository is hidden.
    Gone,
}

impl StoredHead {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(HEAD_TAG, self)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(HEAD_TAG, bytes)
    }
}

/// What a row says by its version alone: records up to it changed the neighbours, though what is shown of them may be
/// of an earlier one. Large neighbours are rendered now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark;

impl Mark {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(MARK_TAG, self)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it was written by a newer release or is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(MARK_TAG, bytes)
    }
}

/// Why an answer cannot go on with a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The neighbours were rendered anew meanwhile: begin with the head again.
    #[error("neighbours of another version")]
    OtherVersion,
}

/// Joins chunks into an answer, one after the other.
#[derive(Debug)]
pub struct Reader {
    version: Version,
    limit: usize,
    shared_min: u32,
    shown: usize,
    is_showing: bool,
}

impl Reader {
    /// An answer of at most `limit` neighbours, which share at least `shared_min` stargazers.
    pub fn new(head: &Head, limit: usize, shared_min: u32) -> Self {
        Reader { version: head.version, limit, shared_min, shown: 0, is_showing: false }
    }

    /// What a chunk adds to the answer; `is_hidden` names neighbours that nobody may see.
    ///
    /// # Errors
    /// When the chunk is of another version.
    pub fn read(
        &mut self,
        chunk: &Chunk,
        is_hidden: impl Fn(RepoId, AccountId) -> bool,
    ) -> Result<Vec<u8>, ReadError> {
        if chunk.version != self.version {
            return Err(ReadError::OtherVersion);
        }
        let mut out = Vec::new();
        for piece in &chunk.pieces {
            let (id, owner, shared) = piece.of;
            if !piece.is_continued {
                self.is_showing =
                    self.shown < self.limit && shared >= self.shared_min && !is_hidden(id, owner);
                if self.is_showing {
                    out.push(if self.shown == 0 { b'[' } else { b',' });
                    self.shown += 1;
                }
            }
            if self.is_showing {
                out.extend_from_slice(piece.json.as_bytes());
            }
        }
        Ok(out)
    }

    /// Whether later chunks add nothing: they share ever fewer stargazers.
    pub fn is_done(&self, chunk: &Chunk) -> bool {
        let last = chunk.pieces.last().map_or(0, |piece| piece.of.2);
        last < self.shared_min || (self.shown >= self.limit && !self.is_showing)
    }

    /// What ends the answer.
    pub fn end(&self) -> &'static [u8] {
        if self.shown == 0 { b"[]" } else { b"]" }
    }
}
