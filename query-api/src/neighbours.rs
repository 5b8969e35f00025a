//! Neighbours (S3) on their way to a reader: chunks of one version, joined and sent one after the other, so that an
//! answer of a hundred megabytes takes a few in memory once it is read.

mod order;

use std::{io::Write as _, sync::Arc};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use domain::{
    AccountId, Event, RepoId, RowKey, StreamKey, ViewKey,
    directory::RepoName,
    view::{
        body,
        neighbours::{Chunk, Head, Reader, StoredHead},
    },
};
use flate2::{Compression, write::GzEncoder};
use futures::stream;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use self::order::{Order, Orders};
use crate::{
    claims::{Claimed, Claims},
    protocol::{conditional, detail::Detail, encoding, names, path::segment, problem::Problem},
    reading::{Found, Wanted},
    route::moved,
    rows::ReadError,
    waiting::Topic,
    window::{Shared, Window},
};

/// Below this size gzip saves no packet.
const GZIP_BYTES_MIN: u32 = 1024;
/// A large answer is compressed while it is sent.
const GZIP_LEVEL: Compression = Compression::fast();

/// Answers that are being sent at a time: each holds its chunks, compressed, up to some ten megabytes.
const ANSWERS_MAX: usize = 16;

/// The head is read again this often when chunks of another version are met: neighbours of a large repository are
/// rendered once in many seconds.
const READS_MAX: usize = 5;

/// How long a repository is remembered as wanted, until its row must show it.
const WANTED_LASTS: std::time::Duration = std::time::Duration::from_secs(60);
/// Repositories that are remembered so.
const WANTED_MAX: usize = 16_384;

/// Which neighbours are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Selection {
    /// At most so many.
    pub(crate) limit: usize,
    /// That share at least so many stargazers.
    pub(crate) shared_min: u32,
}

/// What is kept of neighbours between requests.
pub(crate) struct Neighbours {
    wanted: Claims<(AccountId, RepoId)>,
    sending: Arc<Semaphore>,
    orders: Orders,
}

impl Default for Neighbours {
    fn default() -> Self {
        Neighbours {
            wanted: Claims::new(WANTED_LASTS, WANTED_MAX),
            sending: Arc::new(Semaphore::new(ANSWERS_MAX)),
            orders: Orders::default(),
        }
    }
}

/// An answer while it is sent.
struct Sending {
    window: Shared,
    reader: Reader,
    /// Compressed, the next one last.
    chunks: Vec<Bytes>,
    gzip: Option<GzEncoder<Vec<u8>>>,
    is_over: bool,
    _permit: OwnedSemaphorePermit,
}

impl Window {
    /// Answers with the neighbours of a repository; waits a moment while its stargazers are not known.
    pub(crate) async fn answer_neighbours(
        self: &Arc<Self>,
        owner: &str,
        name: &str,
        selection: Selection,
        uri: &Uri,
        request: &HeaderMap,
    ) -> Result<Response, Detail> {
        let (account, present) = match self.find(owner, Wanted::Repository(name)).await {
            Ok(Found::Shown(shown)) => (shown.account, shown.ready().meta.name.clone()),
            Ok(Found::Elsewhere(present)) => return self.moved_neighbours(&present, uri),
            Err(problem) if problem.is_absence() => return Err(Detail::no_repository()),
            Err(problem) => return Err(problem.into()),
        };
        if !present.eq_ignore_ascii_case(&format!("{owner}/{name}")) {
            return self.moved_neighbours(&present, uri);
        }
        let RepoName::Is(repo) = self.repository(account, name).await? else {
            return Err(Detail::no_repository());
        };
        let head = self.neighbours_head(account, repo).await?;
        if head.is_closed {
            return Err(Detail::stargazers_are_closed());
        }
        self.send_neighbours(account, repo, head, selection, request).await
    }

    fn moved_neighbours(&self, present: &str, uri: &Uri) -> Result<Response, Detail> {
        let (owner, name) = present.split_once('/').ok_or_else(Detail::no_repository)?;
        let path = format!("/repos/{}/{}/starneighbours", segment(owner), segment(name));
        let mut response = moved(self, &path, uri);
        response.headers_mut().insert(header::CACHE_CONTROL, names::cache_control(true));
        Ok(response)
    }

    /// What stands before the chunks. Where nobody wanted it before, it is wished for and waited for.
    async fn neighbours_head(&self, account: AccountId, repo: RepoId) -> Result<Head, Detail> {
        let deadline = Instant::now() + self.settings.first_read_wait;
        if let Some(head) = self.read_head(account, repo).await? {
            return Ok(head);
        }
        if self.neighbours.wanted.take((account, repo)) == Claimed::Now {
            let event = Event::NeighboursWanted { repo };
            let stream = StreamKey::Account(account);
            let record = self.commands.record(stream, format!("neighbours of {repo}"), vec![event]);
            if let Err(error) = self.commands.append(vec![record], deadline).await {
                self.neighbours.wanted.release(&(account, repo));
                return Err(Problem::from(error).into());
            }
        }
        let seat = self.waiting.sit_down().ok_or_else(Detail::computing)?;
        let mut ear = seat.listen(Topic::Account(account));
        loop {
            if let Some(head) = self.read_head(account, repo).await? {
                return Ok(head);
            }
            if tokio::time::timeout_at(deadline, ear.hear()).await.is_err() {
                return Err(Detail::computing());
            }
        }
    }

    async fn read_head(&self, account: AccountId, repo: RepoId) -> Result<Option<Head>, Detail> {
        let key = RowKey::View(StreamKey::Account(account), ViewKey::Neighbours(repo));
        let row = self.store.get(&key).await.map_err(|_| ReadError::Unavailable)?;
        let Some(row) = row else { return Ok(None) };
        match StoredHead::decode(&row.value).map_err(|_| ReadError::Unreadable)? {
            StoredHead::Head(head) => Ok(Some(head)),
            StoredHead::Gone => Err(Detail::no_repository()),
        }
    }

    async fn send_neighbours(
        self: &Arc<Self>,
        account: AccountId,
        repo: RepoId,
        head: Head,
        selection: Selection,
        request: &HeaderMap,
    ) -> Result<Response, Detail> {
        let permit = Arc::clone(&self.neighbours.sending).acquire_owned().await;
        let permit = permit.map_err(|_| ReadError::Unavailable)?;
        let (head, chunks) = self.read_chunks(account, repo, head).await?;
        let is_gzip = head.meta.length >= GZIP_BYTES_MIN && encoding::accepts_gzip(request);
        let order = self.neighbours.orders.of((account, repo), &head, &chunks).await?;
        let etag = self.etag(&head, &order, selection, is_gzip);
        let mut headers = self.shared_headers().clone();
        let is_complete = head.meta.complete
            && self.is_fresh(head.meta.checked_ms).await
            && self.shows_all(account, repo, &head).await?;
        headers.insert(header::CACHE_CONTROL, names::cache_control(true));
        headers.insert(header::ETAG, etag.clone());
        headers.insert(&names::COMPLETE, names::complete(is_complete));
        let partition = self.log.partition_of(StreamKey::Account(account)).0;
        let position = format!("{partition}:{}.{:x}", head.at.offset(), self.hidden.changes());
        headers.insert(&names::POSITION, text(position));
        if head.meta.as_of.0 > 0 {
            headers.insert(&names::AS_OF, text(head.meta.as_of.to_string()));
        }
        if let Some(checked) = head.meta.checked_ms {
            headers.insert(&names::CHECKED_AT, text(checked.to_second().to_string()));
        }
        if conditional::is_known(request, etag.as_bytes()) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.headers_mut() = headers;
            return Ok(response);
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if is_gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let sending = Sending {
            window: Arc::clone(self),
            reader: Reader::new(&head, selection.limit, selection.shared_min),
            chunks: chunks.into_iter().rev().collect(),
            gzip: is_gzip.then(|| GzEncoder::new(Vec::new(), GZIP_LEVEL)),
            is_over: false,
            _permit: permit,
        };
        let parts = stream::try_unfold(sending, async |mut sending| {
            Ok::<_, std::io::Error>(sending.next()?.map(|part| (part, sending)))
        });
        let mut response = Response::new(Body::from_stream(parts));
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// All chunks of one version.
    async fn read_chunks(
        &self,
        account: AccountId,
        repo: RepoId,
        mut head: Head,
    ) -> Result<(Head, Vec<Bytes>), Detail> {
        let stream = StreamKey::Account(account);
        for _ in 0..READS_MAX {
            let mut chunks = Vec::new();
            for number in 0..head.chunks {
                let key = RowKey::View(stream, ViewKey::NeighboursChunk(repo, number));
                let row = self.store.get(&key).await.map_err(|_| ReadError::Unavailable)?;
                match row {
                    Some(row) if row.version == head.version => chunks.push(row.value),
                    Some(_) | None => break,
                }
            }
            if chunks.len() == head.chunks as usize {
                return Ok((head, chunks));
            }
            head = self.read_head(account, repo).await?.ok_or_else(Detail::computing)?;
        }
        Err(Detail::computing())
    }

    /// Whether no record changed the neighbours that they do not show yet: large ones are rendered now and then.
    async fn shows_all(&self, account: AccountId, repo: RepoId, head: &Head) -> Result<bool, Detail> {
        let key = RowKey::View(StreamKey::Account(account), ViewKey::NeighboursMark(repo));
        let mark = self.store.get(&key).await.map_err(|_| ReadError::Unavailable)?;
        Ok(mark.is_none_or(|mark| mark.version <= head.at))
    }

    /// Of the neighbours, of what is selected of them, and of which of those are hidden: any of it changes the bytes.
    fn etag(&self, head: &Head, order: &Order, selection: Selection, is_gzip: bool) -> HeaderValue {
        let hidden = self.hidden.look();
        let left_out = order.left_out(selection, |repo, owner| hidden.hides_repository(owner, repo));
        let parts = [head.meta.hash, selection.limit as u64, u64::from(selection.shared_min), left_out];
        let bytes: Vec<u8> = parts.into_iter().flat_map(u64::to_le_bytes).collect();
        let suffix = if is_gzip { "-g" } else { "" };
        text(format!("\"{:016x}{suffix}\"", body::hash(&bytes)))
    }
}

impl Sending {
    /// The next part of the body; `None` after the last.
    fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        while !self.is_over {
            let joined = match self.chunks.pop() {
                Some(stored) => self.join(&stored)?,
                None => {
                    self.is_over = true;
                    self.reader.end().to_vec()
                }
            };
            let part = match &mut self.gzip {
                None => joined,
                Some(gzip) => {
                    gzip.write_all(&joined)?;
                    if self.is_over {
                        gzip.try_finish()?;
                    }
                    std::mem::take(gzip.get_mut())
                }
            };
            if !part.is_empty() {
                return Ok(Some(part.into()));
            }
        }
        Ok(None)
    }

    fn join(&mut self, stored: &Bytes) -> std::io::Result<Vec<u8>> {
        // The status is sent: all that is left is to break off, so that nobody takes a part for the whole.
        let chunk = Chunk::decode(stored).map_err(std::io::Error::other)?;
        let hidden = self.window.hidden.look();
        let part = self.reader.read(&chunk, |repo, owner| hidden.hides_repository(owner, repo));
        if self.reader.is_done(&chunk) {
            self.chunks.clear();
        }
        part.map_err(std::io::Error::other)
    }
}

fn text(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("plain ASCII")
}
