//! Stars: who starred a repository, and what they starred, as the forge sees the questions.

use domain::{
    Event, MemberSet, NeedKey,
    entity::{
        stargazers::{BUCKETS, Given, StarBucket, bucket_of},
        starred::{Repo, Starred, StarredCheck},
        starrer::Starrer,
        stars::{Stars, Wanted},
    },
    event::{PageTag, StarredConfirmed, StarredReading, StarsReading},
};
use wiremock::matchers::{header, query_param};

use super::*;
use crate::schedule::Ended;

const FAN: u64 = 51;
/// Another account, whose repository's neighbours are wanted too.
const OTHER: u64 = 60;
const OTHERS_REPO: u64 = 2000;
const STARRED: &str = "/users/fan/starred";
/// When the stargazer was asked about, on our clock.
const READ: Millis = Millis(50_000);

fn repo() -> RepoId {
    RepoId::github(REPO)
}

fn fan() -> AccountId {
    AccountId::github(FAN)
}

fn wanted(account: AccountId, repo: RepoId) -> Row {
    let stars = Stars { wanted: Some(Wanted { at: version(1), ms: Millis(0) }), ..Stars::default() };
    let key = RowKey::Entity(StreamKey::Account(account), EntityKey::Stars(repo));
    Row { key, version: version(2), value: stars.encode().into() }
}

fn member(set: MemberSet, user: Option<AccountId>, value: Vec<u8>) -> Row {
    let mut id = Vec::new();
    if let Some(user) = user {
        user.write_key(&mut id);
    }
    let bucket = bucket_of(user.unwrap_or(fan()));
    let key = RowKey::Member { stream: stream(), set, parent: repo(), wipe: 0, bucket, id };
    Row { key, version: version(2), value: value.into() }
}

/// The slice of the star set that holds the fan.
fn slice() -> Row {
    let mut slice = StarBucket::default();
    let stamp = Stamp { version: version(2), received_at: Millis(0), told: Told::Delivery };
    let given = Given { user: fan(), login: Some("fan"), is_given: true, at: Second(40) };
    slice.read(given, &stamp);
    member(MemberSet::Stargazers, None, slice.encode())
}

/// What is known of the fan: these repositories, and these pages.
fn known(repos: &[u64], pages: &[(Option<String>, &str)]) -> Row {
    let mut repositories: Vec<Repo> = repos
        .iter()
        .map(|id| Repo {
            id: RepoId::github(*id),
            owner: AccountId::github(OTHER),
            full_name: format!("o/r{id}"),
        })
        .collect();
    repositories.sort_unstable();
    let pages = pages.iter().map(|(url, etag)| PageTag { url: url.clone(), etag: (*etag).to_owned() });
    let starred = Starred {
        login: "fan".into(),
        asked: (version(2), Second(50)),
        asked_ms: READ,
        checked_ms: READ,
        is_whole: true,
        repositories,
        pages: pages.collect(),
    };
    member(MemberSet::Starred, Some(fan()), starred.encode())
}

fn starrer(taken_at: Version, read_ms: Millis) -> Row {
    let starrer = Starrer {
        login: Some("fan".into()),
        target: Some((account(), repo())),
        given_at: version(9),
        taken_at,
        told_ms: Millis(60_000),
        asked_at: version(3),
        read_ms,
    };
    let key = RowKey::Entity(StreamKey::Account(fan()), EntityKey::Starrer);
    Row { key, version: version(9), value: starrer.encode().into() }
}

/// A page of what somebody starred, newest first.
fn page(repos: &[u64]) -> ResponseTemplate {
    let entry = |id: &u64| {
        json!({"starred_at": "2026-01-01T00:00:00Z", "repo": {
            "id": id, "full_name": format!("o/r{id}"), "private": false,
            "owner": {"id": OTHER, "login": "o"}
        }})
    };
    let body: Vec<Value> = repos.iter().map(entry).collect();
    ResponseTemplate::new(200).set_body_json(body)
}

impl Bench {
    /// With a wanted repository, a stargazer of it, and these rows.
    async fn with_stars(rows: Vec<Row>) -> Self {
        let bench = Bench::new(&repository()).await;
        let rows = [vec![wanted(account(), repo()), slice()], rows].concat();
        bench.asker.store.write(rows).await.unwrap();
        bench
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.uri())
    }

    fn next(&self, answer: ResponseTemplate, path: &str) -> ResponseTemplate {
        answer.insert_header("link", format!("<{}>; rel=\"next\"", self.url(path)).as_str())
    }

    /// What was asked: path with query, and the tag that it was asked with.
    async fn questions(&self) -> Vec<(String, Option<String>)> {
        let text = |request: &Request| {
            let query = request.url.query().filter(|query| !query.starts_with("per_page"));
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            let tag = request.headers.get("if-none-match").map(|tag| tag.to_str().unwrap().to_owned());
            (format!("{}{query}", request.url.path()), tag)
        };
        self.requests().await.iter().map(text).collect()
    }

    /// What a stream was told.
    async fn told(&self, stream: StreamKey) -> Vec<Event<'static>> {
        let log = &self.asker.log;
        let from = Position { partition: log.partition_of(stream), offset: 0 };
        let limit = Limit { records_max: 1_000, bytes_max: 1 << 20 };
        let records = log.read(from, limit).await.unwrap();
        let mine = records.into_iter().filter(|(_, record)| record.stream == stream);
        // Events borrow from their record; a test ends soon.
        mine.flat_map(|(_, record)| Answer::decode(record.body.to_vec().leak()).unwrap().events).collect()
    }

    async fn stars_told(&self, stream: StreamKey) -> Vec<StarsReading<'static>> {
        let told = self.told(stream).await.into_iter();
        told.filter_map(|event| if let Event::Stars(reading) = event { Some(*reading) } else { None })
            .collect()
    }

    /// The one answer about a stargazer that a stream was told.
    async fn starred_told(&self, stream: StreamKey) -> StarredReading<'static> {
        let mut told = self.stars_told(stream).await;
        assert_eq!(told.len(), 1, "{told:?}");
        told.remove(0).starred.remove(0)
    }

    async fn ask_starred(&self) -> Ended {
        let target = self.asker.target(account(), repo()).await.unwrap().unwrap();
        self.folds_everything();
        self.asker.ask_starred(&target).await.unwrap()
    }

    /// Nobody folds here: what waits for it must not wait.
    fn folds_everything(&self) {
        for partition in 0..self.asker.log.identity().partitions {
            self.asker.folded.note(partition, version(1_000));
        }
    }
}

fn ids(reading: &StarredReading<'_>) -> Vec<RepoId> {
    reading.repositories.iter().map(|repo| repo.id).collect()
}

fn repos(ids: &[u64]) -> Vec<RepoId> {
    ids.iter().copied().map(RepoId::github).collect()
}

/// Pages shift while people take stars back: who is missing is looked for twice.
#[tokio::test]
async fn a_stargazer_whom_the_list_leaves_out_is_looked_for_twice() {
    let bench = Bench::with_stars(Vec::new()).await;
    let gazers = json!([{"starred_at": "2026-01-01T00:00:00Z", "user": {"id": 52, "login": "grace"}}]);
    bench.on(&format!("{PATH}/stargazers"), ResponseTemplate::new(200).set_body_json(gazers)).await;
    bench.folds_everything();
    let target = bench.asker.target(account(), repo()).await.unwrap().unwrap();
    bench.asker.ask_stargazers(&target).await.unwrap();
    assert_eq!(bench.requests().await.len(), 2);
    let listed = bench.stars_told(stream()).await.pop().unwrap().listed.unwrap();
    assert_eq!((listed.is_whole, listed.absent), (true, vec![fan()]));
}

#[tokio::test]
async fn a_closed_list_is_noted_and_a_list_behind_the_wall_lacks_nobody() {
    let bench = Bench::with_stars(Vec::new()).await;
    bench.on(&format!("{PATH}/stargazers"), ResponseTemplate::new(403)).await;
    let target = bench.asker.target(account(), repo()).await.unwrap().unwrap();
    bench.asker.ask_stargazers(&target).await.unwrap();
    let about = NeedKey::Stargazers(repo());
    assert_eq!(bench.told(stream()).await, [Event::Refused { about, status: 403 }]);

    let bench = Bench::with_stars(Vec::new()).await;
    let first = ResponseTemplate::new(200).set_body_json(json!([]));
    bench.on(&format!("{PATH}/stargazers"), bench.next(first, "/beyond")).await;
    bench.on("/beyond", ResponseTemplate::new(422)).await;
    bench.folds_everything();
    bench.asker.ask_stargazers(&target).await.unwrap();
    let listed = bench.stars_told(stream()).await.pop().unwrap().listed.unwrap();
    assert_eq!((listed.is_whole, listed.absent), (false, Vec::new()));
}

#[tokio::test]
async fn what_a_stargazer_starred_is_told_to_everybody_who_wants_it() {
    let bench = Bench::with_stars(vec![wanted(AccountId::github(OTHER), RepoId::github(OTHERS_REPO))]).await;
    let first = page(&[OTHERS_REPO, 3]).insert_header("etag", "\"one\"");
    bench.on(STARRED, bench.next(first, "/second")).await;
    bench.on("/second", page(&[REPO]).insert_header("etag", "\"two\"")).await;
    assert_eq!(bench.ask_starred().await, Ended::Answered);
    for stream in [stream(), StreamKey::Account(AccountId::github(OTHER))] {
        let reading = bench.starred_told(stream).await;
        assert_eq!((ids(&reading), reading.is_whole), (repos(&[OTHERS_REPO, 3, REPO]), true));
        let tags: Vec<(Option<String>, &str)> =
            reading.pages.iter().map(|page| (page.url.clone(), page.etag.as_str())).collect();
        assert_eq!(tags, [(None, "\"one\""), (Some(bench.url("/second")), "\"two\"")]);
    }
    let own = bench.told(StreamKey::Account(fan())).await;
    assert!(matches!(&own[..], [Event::StarrerAsked(reading)] if reading.target.is_some()), "{own:?}");
}

#[tokio::test]
async fn whose_stars_are_not_shown_is_known_in_part_and_who_was_renamed_is_found() {
    let bench = Bench::with_stars(Vec::new()).await;
    bench.ask_starred().await;
    let reading = bench.starred_told(stream()).await;
    assert_eq!((ids(&reading), reading.is_whole, &*reading.login), (Vec::new(), false, "fan"));

    let bench = Bench::with_stars(Vec::new()).await;
    bench.on("/user/51", ResponseTemplate::new(200).set_body_json(json!({"id": FAN, "login": "star"}))).await;
    bench.on("/users/star/starred", page(&[3])).await;
    bench.ask_starred().await;
    let reading = bench.starred_told(stream()).await;
    assert_eq!((ids(&reading), reading.is_whole, &*reading.login), (repos(&[3]), true, "star"));
    assert!(reading.pages.is_empty(), "without tags nothing can be confirmed");
}

#[tokio::test]
async fn after_a_new_star_a_list_is_read_until_something_known_comes() {
    let known_pages = [(None, "\"one\"")];
    let bench = Bench::with_stars(vec![known(&[3, 4], &known_pages), starrer(version(1), READ)]).await;
    bench.on(STARRED, bench.next(page(&[5, 3]), "/second")).await;
    bench.folds_everything();
    bench.asker.ask_own_stars(fan()).await.unwrap();
    assert_eq!(bench.questions().await, [(STARRED.to_owned(), None)]);
    let reading = bench.starred_told(stream()).await;
    assert_eq!(ids(&reading), repos(&[5, 3, 4]));
    assert_eq!((reading.older_ms, reading.pages.len()), (Some(READ), 0), "nobody asked about the older ones");
    assert_eq!(bench.told(StreamKey::Account(fan())).await.len(), 1);
}

#[tokio::test]
async fn where_a_star_may_have_been_taken_back_all_of_a_list_is_read() {
    let taken = starrer(version(8), READ);
    let answered_since = starrer(version(1), Millis(READ.0 + 1));
    for starrer in [taken, answered_since] {
        let bench = Bench::with_stars(vec![known(&[3, 4], &[]), starrer]).await;
        bench.on(STARRED, bench.next(page(&[5, 3]), "/second")).await;
        bench.on("/second", page(&[])).await;
        bench.folds_everything();
        bench.asker.ask_own_stars(fan()).await.unwrap();
        assert_eq!(bench.requests().await.len(), 2);
        let reading = bench.starred_told(stream()).await;
        assert_eq!((ids(&reading), reading.older_ms), (repos(&[5, 3]), None));
    }
}

#[tokio::test]
async fn a_check_asks_each_page_whether_it_is_what_it_was() {
    let bench = Bench::with_stars(Vec::new()).await;
    let second = bench.url("/second");
    let pages = [(None, "\"one\""), (Some(second), "\"two\"")];
    bench.asker.store.write(vec![known(&[3, 4], &pages)]).await.unwrap();
    for (at, tag) in [(STARRED, "\"one\""), ("/second", "\"two\"")] {
        let asked = Mock::given(method("GET")).and(path(at)).and(header("if-none-match", tag));
        asked.respond_with(ResponseTemplate::new(304)).mount(&bench.server).await;
    }
    bench.folds_everything();
    assert_eq!(bench.asker.check_starred(account()).await.unwrap(), Ended::Answered);
    assert_eq!(bench.requests().await.len(), 2);
    let told = bench.stars_told(stream()).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].confirmed, [StarredConfirmed { starrer: fan(), read_ms: READ }]);

    // What was checked since is not asked for again.
    let check = StarredCheck { read_ms: READ, checked_ms: now() };
    let row = member(MemberSet::StarredChecks, Some(fan()), check.encode());
    let begun = Millis(check.checked_ms.0 - 1);
    bench.asker.store.write(vec![row]).await.unwrap();
    let place = (repo(), bucket_of(fan()), None);
    let stale = bench.asker.rows().stale_stargazers(account(), place, begun, 9).await.unwrap();
    assert!(stale.is_empty());
}

#[tokio::test]
async fn a_check_reads_all_of_a_list_of_which_any_page_changed() {
    let bench = Bench::with_stars(Vec::new()).await;
    let pages = [(None, "\"one\""), (Some(bench.url("/second")), "\"two\"")];
    bench.asker.store.write(vec![known(&[3, 4], &pages)]).await.unwrap();
    let unchanged = Mock::given(method("GET")).and(path(STARRED)).and(header("if-none-match", "\"one\""));
    unchanged.respond_with(ResponseTemplate::new(304)).mount(&bench.server).await;
    let first = bench.next(page(&[3]).insert_header("etag", "\"one\""), "/second");
    let anew = Mock::given(method("GET")).and(path(STARRED)).and(query_param("per_page", "100"));
    anew.respond_with(first).mount(&bench.server).await;
    bench.on("/second", page(&[]).insert_header("etag", "\"three\"")).await;
    bench.folds_everything();
    bench.asker.check_starred(account()).await.unwrap();
    let reading = bench.starred_told(stream()).await;
    assert_eq!((ids(&reading), reading.is_whole), (repos(&[3]), true), "one was taken back");
}

/// A check of many stargazers goes on where the last turn ended, and asks about nobody twice.
#[tokio::test]
async fn checks_and_first_readings_take_turns() {
    let bench = Bench::with_stars(Vec::new()).await;
    let mut slices: Vec<StarBucket> = (0..BUCKETS).map(|_| StarBucket::default()).collect();
    let stamp = Stamp { version: version(4), received_at: Millis(0), told: Told::Delivery };
    for id in 100..220 {
        let user = AccountId::github(id);
        let login = format!("user-{id}");
        let given = Given { user, login: Some(&login), is_given: true, at: Second(40) };
        slices[bucket_of(user) as usize].read(given, &stamp);
        bench.on(&format!("/users/{login}/starred"), page(&[3])).await;
    }
    let rows = (0..BUCKETS).zip(&slices).map(|(bucket, slice)| {
        let key = RowKey::Member {
            stream: stream(),
            set: MemberSet::Stargazers,
            parent: repo(),
            wipe: 0,
            bucket,
            id: Vec::new(),
        };
        Row { key, version: version(4), value: slice.encode().into() }
    });
    bench.asker.store.write(rows.collect()).await.unwrap();
    let mut turns = Vec::new();
    while turns.last() != Some(&Ended::Answered) {
        assert!(turns.len() < 9, "{turns:?}");
        turns.push(bench.ask_starred().await);
        // As the projector would write what was told.
        let told = bench.stars_told(stream()).await;
        let asked = Asked { asked_at: version(5), asked_ms: READ, date: Second(50) };
        let rows = told.iter().flat_map(|reading| &reading.starred).map(|reading| {
            let value = Starred::of(reading, &asked).encode();
            member(MemberSet::Starred, Some(reading.starrer), value)
        });
        bench.asker.store.write(rows.collect()).await.unwrap();
    }
    assert_eq!(turns, [Ended::Part, Ended::Part, Ended::Answered]);
    assert_eq!(bench.requests().await.len(), 120, "each is asked about once");

    let mut turns = Vec::new();
    while turns.last() != Some(&Ended::Answered) {
        assert!(turns.len() < 9, "{turns:?}");
        turns.push(bench.asker.check_starred(account()).await.unwrap());
    }
    assert_eq!(turns, [Ended::Part, Ended::Part, Ended::Answered]);
    assert_eq!(bench.requests().await.len(), 240);
}
