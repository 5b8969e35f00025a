//! Makes data folders: a log that holds what backfill would have appended for accounts of given shapes. The
//! program folds it when it starts.

use std::path::Path;

use anyhow::bail;
use domain::{
    Asked, Epoch, Event, Forge, Millis, NeedKey, Second, StreamKey, Version,
    event::{CommitsReading, OwnerReading, ProfileReading, PullState, RepositoryReading, TrackedBy},
    record::{ANSWER, Answer, COMMAND, Command, GITHUB_DELIVERY},
};
use event_log::{Appended, EmbeddedLog, EmbeddedLogSettings, EventLog, Record};

use serde::{Deserialize, Serialize};

use crate::delivery::{Kind, Template};
use crate::shape::{COMMITS, EPOCH_SECONDS, Place, Shape, login, pull_number};

/// So many records share an append, and with it a sync.
const RECORDS_PER_APPEND: usize = 512;
/// Repositories on a page of a list, and pull requests on one of theirs: GitHub's most.
const PER_PAGE: u32 = 100;
/// Answers are dated a little ahead, so that the start of the program does not make them old: otherwise the
/// sweep would ask a forge that is not there, and every answer would be marked incomplete.
const AHEAD_MS: i64 = 6 * 60 * 60 * 1000;

/// Appends answers to a log and keeps count of where it stands.
struct Filler<'l> {
    log: &'l dyn EventLog,
    waiting: Vec<Record>,
    /// The end of each partition before the present phase: what its questions were asked after.
    asked_after: Vec<u64>,
    ends: Vec<u64>,
    at: Millis,
    appended: u64,
}

/// Makes the log of a folder; returns how many records it holds.
pub(crate) async fn fill_folder(folder: &Path, shapes: &[Shape]) -> anyhow::Result<u64> {
    let log = EmbeddedLog::open(folder, EmbeddedLogSettings::default())?;
    fill(&log, shapes).await
}

/// Fills an empty log; returns how many records it holds then.
pub(crate) async fn fill(log: &dyn EventLog, shapes: &[Shape]) -> anyhow::Result<u64> {
    let mut filler = Filler::over(log);
    for shape in shapes {
        filler.shape(shape).await?;
    }
    Ok(filler.appended)
}

/// What to append to a log that was filled.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct History {
    pub(crate) shape: Shape,
    pub(crate) kind: Kind,
    pub(crate) bytes: usize,
    /// Deliveries to each repository.
    pub(crate) each: u64,
}

/// Appends deliveries to the log of a folder, as the door does; returns how many.
pub(crate) async fn deliver(folder: &Path, history: &History) -> anyhow::Result<u64> {
    deliver_to(&EmbeddedLog::open(folder, EmbeddedLogSettings::default())?, history).await
}

/// The same to any log.
pub(crate) async fn deliver_to(log: &dyn EventLog, history: &History) -> anyhow::Result<u64> {
    let mut filler = Filler::over(log);
    let template = Template::new(history.kind, history.bytes)?;
    let mut body = Vec::new();
    for number in 1..=history.each {
        for place in 0..history.shape.places() {
            let place = history.shape.place(place);
            template.fill(place, number, history.shape.pulls, &mut body);
            let record =
                delivery(template.event, StreamKey::Account(place.account_id()), filler.at, body.clone());
            filler.append(record).await?;
        }
    }
    filler.write().await?;
    Ok(filler.appended)
}

/// The record that the door appends for a delivery.
pub(crate) fn delivery(event: &str, stream: StreamKey, received_at: Millis, body: Vec<u8>) -> Record {
    let guid = "72d3162e-cc78-11e3-81ab-4c9367dc0958";
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Record {
        stream,
        id: guid.to_owned(),
        dedupe: None,
        kind: GITHUB_DELIVERY.to_owned(),
        received_at,
        headers: vec![
            header(github::headers::EVENT, event),
            header(github::headers::DELIVERY, guid),
            header(github::headers::HOOK_ID, "292430182"),
            header("user-agent", "GitHub-Hookshot/044aadd"),
        ],
        body: body.into(),
    }
}

impl<'l> Filler<'l> {
    fn over(log: &'l dyn EventLog) -> Self {
        let ends = vec![0; log.identity().partitions as usize];
        let at = Millis(boot::clock::now_ms() + AHEAD_MS);
        Filler { log, waiting: Vec::new(), asked_after: ends.clone(), ends, at, appended: 0 }
    }
}

impl Filler<'_> {
    async fn shape(&mut self, shape: &Shape) -> anyhow::Result<()> {
        let accounts =
            || (shape.first..shape.first + shape.accounts).map(|account| Place { account, repository: 0 });
        for place in accounts() {
            let wanted = Event::Tracked(TrackedBy::Settings);
            self.command(StreamKey::Account(place.account_id()), vec![wanted]).await?;
        }
        self.phase().await?;
        for place in accounts() {
            let login = place.login();
            let found = Event::LoginFound {
                forge: Forge::GitHub,
                login: login.into(),
                account: Some(place.account_id()),
            };
            self.answer(StreamKey::Service, vec![found]).await?;
            let stream = StreamKey::Account(place.account_id());
            self.answer(stream, vec![Event::Profile(profile(place, shape))]).await?;
            self.list(place, shape).await?;
        }
        self.phase().await?;
        for place in accounts() {
            for repository in 0..shape.repositories {
                self.repository(Place { repository, ..place }, shape).await?;
            }
        }
        self.phase().await?;
        for place in accounts() {
            let stream = StreamKey::Account(place.account_id());
            self.answer(stream, vec![Event::Checked { about: NeedKey::Everything }]).await?;
        }
        self.phase().await
    }

    /// The pages of an account's list.
    async fn list(&mut self, place: Place, shape: &Shape) -> anyhow::Result<()> {
        let stream = StreamKey::Account(place.account_id());
        let mut from = 0;
        loop {
            let to = shape.repositories.min(from + PER_PAGE);
            let page = (from..to).map(|repository| Place { repository, ..place });
            let mut events: Vec<Event<'_>> =
                page.map(|place| Event::Repository(Box::new(reading(place, false)))).collect();
            let is_last = to == shape.repositories;
            if is_last {
                events.push(Event::RepositoriesListed { since: self.asked_at(stream) });
            }
            self.answer(stream, events).await?;
            if is_last {
                return Ok(());
            }
            from = to;
        }
    }

    /// What is asked about one repository.
    async fn repository(&mut self, place: Place, shape: &Shape) -> anyhow::Result<()> {
        let stream = StreamKey::Account(place.account_id());
        let repo = place.repository_id();
        let commits = CommitsReading {
            repo,
            branch: "main".into(),
            head: Some(place.head_id(0)),
            count: COMMITS,
            pushed_at: Some(Second(EPOCH_SECONDS)),
        };
        let whole = Event::Repository(Box::new(reading(place, true)));
        self.answer(stream, vec![whole, Event::Commits(commits)]).await?;
        let mut from = 0;
        loop {
            let to = shape.pulls.min(from + PER_PAGE);
            let page =
                (from..to).map(|pull| (pull_number(u64::from(pull)), state(pull), Second(EPOCH_SECONDS - 1)));
            let mut events = vec![Event::Pulls { repo, pulls: page.collect() }];
            let is_last = to == shape.pulls;
            if is_last {
                let newest = shape.pulls.checked_sub(1).map_or(0, |last| pull_number(u64::from(last)));
                events.push(Event::PullsListed { repo, since: self.asked_at(stream) });
                events.push(Event::PullCount { repo, total: u64::from(shape.pulls), newest });
            }
            self.answer(stream, events).await?;
            if is_last {
                break;
            }
            from = to;
        }
        let bytes = vec![("Rust".into(), 120_000), ("Shell".into(), 4_000)];
        self.answer(stream, vec![Event::Languages { repo, bytes }]).await
    }

    async fn answer(&mut self, stream: StreamKey, events: Vec<Event<'_>>) -> anyhow::Result<()> {
        let asked = Asked { asked_at: self.asked_at(stream), asked_ms: self.at, date: self.at.to_second() };
        let body = Answer { asked, events, cursors: Vec::new() }.encode();
        self.append(self.own(stream, ANSWER, body)).await
    }

    async fn command(&mut self, stream: StreamKey, events: Vec<Event<'_>>) -> anyhow::Result<()> {
        self.append(self.own(stream, COMMAND, Command { events }.encode())).await
    }

    fn own(&self, stream: StreamKey, kind: &str, body: Vec<u8>) -> Record {
        Record {
            stream,
            id: "bench".to_owned(),
            dedupe: None,
            kind: kind.to_owned(),
            received_at: self.at,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    async fn append(&mut self, record: Record) -> anyhow::Result<()> {
        self.waiting.push(record);
        if self.waiting.len() >= RECORDS_PER_APPEND { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> anyhow::Result<()> {
        let records = std::mem::take(&mut self.waiting);
        self.appended += records.len() as u64;
        match self.log.append(records).await? {
            Appended::New(positions) => {
                for position in positions {
                    self.ends[position.partition.0 as usize] = position.offset + 1;
                }
                Ok(())
            }
            Appended::Duplicate => bail!("nothing here has a dedupe key"),
        }
    }

    /// From here on answers are to questions that were asked after everything before was folded.
    async fn phase(&mut self) -> anyhow::Result<()> {
        self.write().await?;
        self.asked_after.clone_from(&self.ends);
        Ok(())
    }

    /// What of a stream was folded when the questions of this phase were asked.
    fn asked_at(&self, stream: StreamKey) -> Version {
        let end = self.asked_after[self.log.partition_of(stream).0 as usize];
        end.checked_sub(1).map_or(Version::LEAST, |last| Version::new(Epoch::FIRST, last))
    }
}

fn state(pull: u32) -> PullState {
    match pull % 10 {
        0 => PullState::Open,
        1 | 2 => PullState::Closed,
        _ => PullState::Merged,
    }
}

fn owner(place: Place) -> OwnerReading<'static> {
    let login = login(place.account);
    OwnerReading {
        id: place.account_id(),
        kind: Some("User".into()),
        url: Some(format!("https://github.com/{login}").into()),
        avatar_url: Some(
            format!("https://avatars.githubusercontent.com/u/{}?v=4", place.account_number()).into(),
        ),
        login: login.into(),
    }
}

fn profile(place: Place, shape: &Shape) -> ProfileReading<'static> {
    ProfileReading {
        owner: owner(place),
        name: Some("A Person".into()),
        email: Some("person@example.org".into()),
        followers: Some(12),
        public_gists: Some(3),
        public_repos: Some(u64::from(shape.repositories)),
        as_of: Some(Second(EPOCH_SECONDS - 2)),
    }
}

fn reading(place: Place, is_whole: bool) -> RepositoryReading<'static> {
    let name = place.name();
    RepositoryReading {
        owner: Some(owner(place)),
        url: Some(format!("https://github.com/{}/{name}", place.login()).into()),
        name: Some(name.into()),
        private: Some(false),
        fork: Some(place.repository % 4 == 3),
        archived: Some(false),
        default_branch: Some("main".into()),
        description: Some(Some("What this repository is for, in one line of text".into())),
        license: Some(Some("MIT".into())),
        topics: Some(vec!["events".into(), "webhooks".into()]),
        created_at: Some(Second(EPOCH_SECONDS - 1_000_000)),
        updated_at: Some(Second(EPOCH_SECONDS - 10)),
        pushed_at: Some(Second(EPOCH_SECONDS)),
        stars: Some(17),
        forks: Some(2),
        open_issues: Some(5),
        watchers: is_whole.then_some(4),
        counted_at: Some(Second(EPOCH_SECONDS)),
        as_of: Some(Second(EPOCH_SECONDS)),
        is_whole,
        ..RepositoryReading::of(place.repository_id())
    }
}
