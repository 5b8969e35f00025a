//! The bytes of every row that this crate stores, frozen: rows of an older release are read by them. A change
//! of shape is a new tag and a new sample, never an edit of these (design invariant 11).
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use bytes::Bytes;
use domain::{
    AccountId, Active, CommitId, Epoch, Millis, RepoId, Second, Stamp, Told, Version,
    codec::DecodeError,
    delivery::{self, Delivery},
    directory::{Alias, DeadLetter, Directory, DirectoryState, HiddenRow, RepoName},
    entity::{
        account::{Account, Keeping, Profile},
        api_key::ApiKey,
        check::Check,
        commits::{Commits, Pair},
        dated::Dated,
        door::Door,
        doubt::Doubt,
        gauge::Gauge,
        gist_users::{GistUser, GistUsers, GistVisit},
        gists::{Gist, Gists, Item, Polled, Sending},
        hook::{Hook, Hour, Sight},
        languages::{Due, Languages},
        latest::{self, Copy, CopyAnswer, Latest, Moment, Said},
        login::{Found, Login},
        pulls::{PullBucket, PullTotals, PullsCounted},
        repository::{Facts, HtmlUrl, Repository},
        stargazers::{Given, StarBucket},
        starred::{Repo, Starred, StarredCheck},
        starrer::Starrer,
        stars::{Listed, Stars, Wanted},
        visibility::{Hidden, Visibility},
    },
    event::{
        GistFacts, GistFile, HiddenWhy, LatestFacts, LatestFeatures, PageTag, PullState, Touched, TrackedBy,
    },
    need::Need,
    trail::{Field, Marks, Places, Step, Teller},
    view::{
        body::{Body, Meta, Stored},
        gaps::{GapLedger, HookSums},
        gists::Items,
        latest::Fragments,
        neighbours::{Chunk, Head, Mark, Piece, StoredHead},
        summary::{StoredSummary, Summary},
    },
};

fn version(offset: u64) -> Version {
    Version::new(Epoch::FIRST, offset)
}

fn dated<T>(value: T, at: i64) -> Option<Dated<T>> {
    Some(Dated { value, at: Second(at) })
}

fn doubt(offset: u64) -> Option<Doubt> {
    Some(Doubt { raised_at: version(offset), first_ms: Millis(3), last_ms: Millis(4) })
}

fn gauge(value: u64) -> Option<Gauge> {
    Some(Gauge { value, at: Second(60), doubt: doubt(value) })
}

fn check(offset: u64, refused: Option<u16>) -> Check {
    Check { changed_at: version(offset), asked_at: version(offset + 1), checked_ms: Millis(70), refused }
}

fn account() -> Account {
    Account {
        keeping: Keeping::Kept { by: TrackedBy::Settings, since_ms: Millis(5) },
        read_ms: Millis(6),
        profile: Profile {
            login: Some("octocat".into()),
            kind: Some("User".into()),
            name: Some("The Octocat".into()),
            url: Some("https://forge.test/octocat".into()),
            avatar_url: Some("https://forge.test/o.png".into()),
            email: Some("octocat@forge.test".into()),
            followers: Some(7),
            public_gists: Some(8),
            as_of: Second(9),
            answered: Some((Second(10), version(11))),
        },
        profile_check: check(12, None),
        profile_doubt: doubt(13),
        list_check: check(14, Some(403)),
        listed_since: Some(version(15)),
        list_doubt: doubt(16),
        unreadable: doubt(17),
        check_wanted: doubt(18),
        hidden: Some((HiddenWhy::Moved(AccountId::github(19)), version(20))),
        forgotten: None,
    }
}

fn repository() -> Repository {
    let head: CommitId = "7638417db6d59f3c431d3e1f261cc637155684cd".parse().unwrap();
    Repository {
        born_at: version(1),
        born_ms: Millis(2),
        told_ms: Millis(3),
        visibility: Visibility::Hidden(Hidden {
            why: HiddenWhy::Private,
            at: Second(4),
            version: version(5),
            doubt: doubt(6),
        }),
        facts: Facts {
            name: dated("hello".into(), 7),
            former_names: vec![Dated { value: "hallo".into(), at: Second(8) }],
            url: dated(HtmlUrl::Under("https://forge.test".into()), 9),
            fork: dated(false, 10),
            archived: dated(true, 11),
            default_branch: dated("main".into(), 12),
            description: dated(Some("greets".into()), 13),
            license: dated(None, 14),
            topics: dated(vec!["web".into()], 15),
            created_at: Some(Second(16)),
            updated_at: Some(Second(17)),
            pushed_at: Some(Second(18)),
            doubt: doubt(19),
        },
        stars: gauge(20),
        forks: gauge(21),
        open_issues: gauge(22),
        watchers: dated(23, 24),
        commits: Commits {
            pair: Some(Pair { branch: "main".into(), head, count: 25 }),
            pushed_at: Second(26),
            moved_at: version(27),
            answered_at: version(28),
            doubt: doubt(29),
        },
        pulls: PullTotals {
            counted: Some(PullsCounted {
                total: 30,
                newest: 31,
                asked_at: version(32),
                asked_ms: Millis(33),
            }),
            listed_since: Some(version(34)),
            doubt: doubt(35),
        },
        languages: Languages {
            bytes: Some(Arc::new(BTreeMap::from([("C".into(), 36), ("Rust".into(), 37)]))),
            at: Second(38),
            answered_at: version(39),
            due: Some(Due {
                raised_at: version(40),
                first_ms: Millis(41),
                not_before: Millis(42),
                is_second: true,
            }),
        },
        facts_check: check(43, None),
        asked_alone_at: version(45),
        watchers_check: check(53, Some(404)),
        commits_check: check(46, Some(409)),
        pulls_check: check(48, None),
        languages_check: check(50, Some(451)),
        as_of: Second(52),
        steps: places(),
    }
}

/// After three steps of the commits, one of the stars and two of the languages.
fn places() -> Places {
    let mut places = Places::default();
    let fields =
        [Field::Commits, Field::Commits, Field::Stars, Field::Languages, Field::Commits, Field::Languages];
    for field in fields {
        places.take(field);
    }
    places
}

fn step() -> Step {
    Step {
        marks: Marks::new((true, false), true),
        teller: Teller::Delivery,
        at: Second(1_780_000_000),
        received_ms: Millis(1_780_000_000_123),
        before: vec![Some(3), None, Some(300)],
        after: vec![Some(4), Some(0), None],
        what: "pull_request".into(),
        id: "72d3162e-cc78-11e3-81ab-4c9367dc0958".into(),
    }
}

fn pulls() -> PullBucket {
    let mut bucket = PullBucket::default();
    let stamp = Stamp { version: version(9), received_at: Millis(8), told: Told::Delivery };
    for (number, state, at) in [
        (1, PullState::Open, 5),
        (2, PullState::Merged, 6),
        (3, PullState::Closed, 7),
        (4, PullState::Open, 7),
        (4, PullState::Closed, 7),
    ] {
        bucket.read(number, state, Second(at), &stamp);
    }
    bucket
}

fn latest() -> Latest {
    let facts = LatestFacts {
        id: RepoId::github(3),
        owner_id: Some(AccountId::github(4)),
        owner: "octocat".into(),
        name: "hello".into(),
        html_url: "https://forge.test/octocat/hello".into(),
        languages_url: "https://api.forge.test/languages".into(),
        description: Some("greets".into()),
        created_at: Some(Second(5)),
        updated_at: Some(Second(6)),
        pushed_at: None,
        size: Some(7),
        language: Some("C".into()),
        license: None,
        forks: Some(8),
        open_issues: Some(9),
        watchers: None,
        features: LatestFeatures { allow_forking: true, pages: true, ..LatestFeatures::default() },
    };
    let at = || Moment(version(10), Second(11));
    let here = CopyAnswer::Here { facts: Box::new(facts), etag: Some("W/1".into()) };
    let said = |answer| Some(Said { at: at(), checked_ms: Millis(12), answer });
    let languages = latest::Languages { at: at(), bytes: Some(BTreeMap::from([("C".into(), 13)])) };
    let copy = |said, languages| Copy { full_name: "octocat/hello".into(), said, languages };
    Latest {
        newest: 1,
        floor: 2,
        listed_ms: Some(Millis(14)),
        repositories: BTreeMap::from([
            (RepoId::github(3), copy(said(here), Some(languages))),
            (RepoId::github(15), copy(said(CopyAnswer::Gone), None)),
            (RepoId::github(16), copy(None, None)),
        ]),
    }
}

fn gists() -> Gists {
    let item = |filename: &str, sending| Item {
        filename: filename.into(),
        raw_url: "https://gist.forge.test/raw".into(),
        sending,
    };
    let attempted = Sending::Attempted {
        attempts: 1,
        at: version(2),
        at_ms: Millis(3),
        searches: 4,
        not_before: Millis(5),
    };
    let file = GistFile {
        filename: "a.rs".into(),
        language: Some("Rust".into()),
        size: Some(6),
        raw_url: "https://gist.forge.test/raw/now".into(),
    };
    let polled = |at| Polled { asked_at: version(at), asked_ms: Millis(7) };
    let gist = Gist {
        first_seen: version(8),
        first_seen_ms: Millis(9),
        facts: GistFacts {
            id: "aa5a315d61ae9438b18d".into(),
            owner: "octocat".into(),
            url: "https://gist.forge.test/aa5a".into(),
            description: None,
            files: vec![file],
            created_at: Some(Second(10)),
            updated_at: Second(11),
        },
        told: polled(21),
        shown: polled(12),
        absent: Some(polled(13)),
        items: vec![
            item("a", Sending::Unwanted),
            item("b", Sending::Waiting { attempts: 14, not_before: Millis(15) }),
            item("c", attempted),
            item("d", Sending::Sent),
            item("e", Sending::Refused { reason: "no".into(), at_ms: Millis(16) }),
            item("f", Sending::Dropped),
        ],
    };
    Gists {
        is_user: true,
        is_read: false,
        wanted_at: version(17),
        polled: Some(polled(18)),
        listed: None,
        next_ms: Millis(19),
        newest: Some(Second(20)),
        refused: Some(404),
        gists: BTreeMap::from([("aa5a315d61ae9438b18d".into(), gist)]),
    }
}

/// Rows as they were written by every release so far; `check` also reads them back.
struct Frozen(Vec<String>);

impl Frozen {
    fn check<T: PartialEq + Debug>(
        &mut self,
        name: &str,
        rows: &[T],
        encode: impl Fn(&T) -> Vec<u8>,
        decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    ) {
        for row in rows {
            let bytes = encode(row);
            assert_eq!(decode(&bytes).as_ref(), Ok(row), "{name}");
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            self.0.push(format!("{name} {hex}"));
        }
    }
}

fn frozen_stars(frozen: &mut Frozen) {
    let stars = Stars {
        wanted: Some(Wanted { at: version(1), ms: Millis(2) }),
        erased_at: Some(Second(3)),
        listed: Some(Listed { since: version(4), date: Second(5), is_whole: true }),
        list_check: check(6, Some(403)),
    };
    frozen.check("stars", &[stars, Stars::default()], Stars::encode, Stars::decode);
    let mut slice = StarBucket::default();
    let stamp = Stamp { version: version(9), received_at: Millis(8), told: Told::Delivery };
    for (user, is_given, login) in [(1, true, Some("ada")), (1, false, None), (2, true, None)] {
        let user = AccountId::github(user);
        slice.read(Given { user, login, is_given, at: Second(7) }, &stamp);
    }
    frozen.check("stargazers", &[slice], StarBucket::encode, StarBucket::decode);
    let hello =
        Repo { id: RepoId::github(3), owner: AccountId::github(4), full_name: "octocat/hello".into() };
    let starred = Starred {
        login: "ada".into(),
        asked: (version(5), Second(6)),
        asked_ms: Millis(7),
        checked_ms: Millis(6),
        is_whole: true,
        repositories: vec![hello],
        pages: vec![PageTag {
            url: Some("https://example.org/user/1/starred?page=2".into()),
            etag: "\"1\"".into(),
        }],
    };
    frozen.check("starred", &[starred], Starred::encode, Starred::decode);
    let confirmed = StarredCheck { read_ms: Millis(7), checked_ms: Millis(8) };
    frozen.check("starred check", &[confirmed], StarredCheck::encode, StarredCheck::decode);
    let starrer = Starrer {
        login: Some("ada".into()),
        target: Some((AccountId::github(4), RepoId::github(3))),
        given_at: version(5),
        taken_at: version(6),
        told_ms: Millis(7),
        asked_at: version(8),
        read_ms: Millis(9),
    };
    frozen.check("starrer", &[starrer, Starrer::default()], Starrer::encode, Starrer::decode);
    frozen.check("neighbours mark", &[Mark], Mark::encode, Mark::decode);
    let meta = Meta {
        hash: 1,
        length: 2,
        as_of: Second(3),
        checked_ms: None,
        complete: false,
        name: "octocat/hello".into(),
    };
    let head = Head { version: version(8), at: version(8), chunks: 1, meta, is_closed: true };
    let heads = [StoredHead::Head(head), StoredHead::Gone];
    frozen.check("neighbours", &heads, StoredHead::encode, StoredHead::decode);
    // How a chunk is compressed is no promise; that of today reads back all the same.
    let of = (RepoId::github(3), AccountId::github(4), 5);
    let piece = Piece { of, is_continued: false, json: "{}".into() };
    let chunk = Chunk { version: version(8), pieces: vec![piece] };
    assert_eq!(Chunk::decode(&chunk.encode()), Ok(chunk));
}

fn frozen_gaps(frozen: &mut Frozen) {
    let open = Hour {
        sent: 300,
        held: 290,
        repaired: 5,
        missed: 5,
        swept: 2,
        sight: Sight::Unseen,
        touched: Touched { anything: false, account: true, repos: vec![RepoId::github(7)] },
        raised_at: version(8),
        raised_ms: Millis(9),
        swept_at: version(10),
    };
    let swept = Hour { sight: Sight::Swept, touched: Touched::anything(), ..Hour::default() };
    let hook = Hook {
        repo: Some(RepoId::github(7)),
        looked_ms: Millis(11),
        hours: BTreeMap::from([(Second(0), open), (Second(3_600), swept)]),
    };
    let sums = GapLedger(vec![HookSums::of(292_430_182, &hook)]);
    frozen.check("hook", &[hook, Hook::default()], Hook::encode, Hook::decode);
    frozen.check("gap ledger", &[sums], GapLedger::encode, GapLedger::decode);
}

#[test]
fn stored_rows_are_frozen_and_read_back() {
    let mut frozen = Frozen(Vec::new());
    let muted = Account { keeping: Keeping::Muted, ..Account::default() };
    frozen.check("account", &[account(), muted], Account::encode, Account::decode);
    let stamp = Stamp { version: version(1), received_at: Millis(2), told: Told::Delivery };
    let public = Visibility::Public { at: Second(3), since: version(4) };
    let new = Repository { visibility: public, ..Repository::new(&stamp) };
    frozen.check("repository", &[repository(), new], Repository::encode, Repository::decode);
    frozen.check("pulls", &[pulls()], PullBucket::encode, PullBucket::decode);
    let found =
        Found { account: Some(AccountId::github(583_231)), asked_at: version(2), asked_ms: Millis(3) };
    let login =
        Login { typed: "OctoCat".into(), by: TrackedBy::Read, wanted_at: version(1), found: Some(found) };
    frozen.check("login", &[login], Login::encode, Login::decode);
    frozen.check("door", &[Door { opened_ms: Millis(77) }], Door::encode, Door::decode);
    let open = Need::Open { is_doubt: true, raised_at: version(6), not_before: Millis(7) };
    frozen.check("need", &[open, Need::Met], Need::encode, Need::decode);
    let alias = Alias { account: AccountId::github(583_231) };
    frozen.check("alias", &[alias], Alias::encode, Alias::decode);
    let moved = RepoName::Moved { repo: RepoId::github(7), to: AccountId::github(8) };
    let names = [RepoName::Is(RepoId::github(7)), moved, RepoName::Nothing];
    frozen.check("name", &names, RepoName::encode, RepoName::decode);
    let directory = Directory {
        state: DirectoryState::Dropped,
        login: Some("octocat".into()),
        by: Some(TrackedBy::Person),
        since_ms: Millis(1),
        read_ms: Millis(2),
        listed: true,
        complete: false,
        checked_ms: Some(Millis(3)),
        repositories: 4,
    };
    frozen.check("directory", &[directory], Directory::encode, Directory::decode);
    frozen.check("hidden", &[HiddenRow { hidden: true }], HiddenRow::encode, HiddenRow::decode);
    let dead = DeadLetter::Dead {
        id: "72d3162e".into(),
        kind: "github.delivery push".into(),
        partition: 3,
        offset: 4,
        received_ms: Millis(5),
        reason: "not a body".into(),
    };
    frozen.check("dead letter", &[dead, DeadLetter::Ended], DeadLetter::encode, DeadLetter::decode);
    let meta = Meta {
        hash: 1,
        length: 2,
        as_of: Second(3),
        checked_ms: Some(Millis(4)),
        complete: true,
        name: "octocat".into(),
    };
    // What stands in for the payload: how that is compressed is no promise.
    let body = Stored::Body(Body { meta, gzip: Bytes::from_static(b"gzip") });
    let decode = |bytes: &[u8]| Stored::decode(&Bytes::copy_from_slice(bytes));
    frozen.check("view", &[body, Stored::Gone], |view| view.encode().to_vec(), decode);
    let summary = StoredSummary {
        summary: Summary {
            original: 1,
            forked: 2,
            watchers: Some(3),
            stars: None,
            languages: vec!["c".into()],
            topics: vec!["web".into()],
        },
        as_of: Second(4),
        checked_ms: Some(Millis(5)),
        complete: true,
        name: "octocat".into(),
    };
    frozen.check("summary", &[summary], StoredSummary::encode, StoredSummary::decode);
    let active = |value: &Active| value.row(0, Epoch::FIRST).value.to_vec();
    frozen.check("active", &[Active { generation: 2 }], active, Active::decode);
    frozen.check("latest", &[latest()], Latest::encode, Latest::decode);
    frozen.check("fragments", &[Fragments::of(&latest())], Fragments::encode, Fragments::decode);
    frozen.check("gists", &[gists()], Gists::encode, Gists::decode);
    let new = |items: &Items| items.encode().to_vec();
    frozen.check("new gists", &[Items::of(&gists())], new, Items::decode);
    let user = GistUser {
        login: "OctoCat".into(),
        id: 1,
        added_at: version(2),
        account: Some(AccountId::github(3)),
        asked_at: version(4),
        next_ms: Millis(5),
    };
    let users = GistUsers(BTreeMap::from([("octocat".into(), user)]));
    frozen.check("gist users", &[users], GistUsers::encode, GistUsers::decode);
    frozen.check("gist visit", &[GistVisit { seen: version(6) }], GistVisit::encode, GistVisit::decode);
    frozen_stars(&mut frozen);
    let api_key = ApiKey {
        name: "dashboard".into(),
        email: "ada@forge.test".into(),
        hash: [9; 32],
        made_ms: Millis(1),
        expires_ms: Some(Millis(2)),
        revoked_ms: Some(Millis(3)),
        used_ms: Millis(4),
    };
    frozen.check("api key", &[api_key], ApiKey::encode, ApiKey::decode);
    let delivery = Delivery {
        id: "72d3162e-cc78-11e3-81ab-4c9367dc0958".into(),
        event: "push".into(),
        hook: Some("292430182".into()),
        streams: 1,
        offset: 300,
        outcome: delivery::Outcome::Projected,
        received_ms: Millis(1_700_000_000_123),
        applied_ms: Millis(1_700_000_000_125),
        visible_ms: Some(Millis(1_700_000_000_126)),
    };
    let dead =
        Delivery { hook: None, outcome: delivery::Outcome::Dead, visible_ms: None, ..delivery.clone() };
    frozen.check("delivery", &[delivery, dead], Delivery::encode, Delivery::decode);
    let asked = Step { teller: Teller::Answer, what: "commits".into(), id: String::new(), ..step() };
    frozen.check("step", &[step(), asked], Step::encode, Step::decode);
    frozen_gaps(&mut frozen);
    frozen.check("epoch", &[Epoch(2)], |epoch| epoch.encode(), Epoch::decode);
    insta::assert_snapshot!(frozen.0.join("\n"));
}
