//! What an account's pages show while deliveries and answers are folded: the ledger from events to rows.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use domain::{
    AccountId, Asked, CommitId, Epoch, Event, Forge, Ledger, Millis, NeedKey, RepoId, Row, RowKey, Second,
    Stamp, StreamKey, Told, Version, ViewKey,
    directory::{Alias, Directory, DirectoryState, HiddenRow, RepoName},
    event::{
        CommitsReading, HiddenWhy, OwnerReading, ProfileReading, PullReading, PullState, Push,
        RepositoryReading, TrackedBy,
    },
    ledger::LargeViews,
    need::Need,
    trail::Field,
    view::body::Stored,
};
use serde_json::{Value, json};

const ACCOUNT: u64 = 9;

fn account() -> AccountId {
    AccountId::github(ACCOUNT)
}

fn sha(number: u64) -> CommitId {
    format!("{:040x}", number + 1).parse().unwrap()
}

/// The store and the ledger over it; every record is folded, drained and written at once.
struct Bench {
    rows: BTreeMap<RowKey, Row>,
    ledger: Ledger,
    offset: u64,
    history: Vec<(Stamp, Vec<Event<'static>>)>,
}

impl Bench {
    fn new() -> Self {
        Bench {
            rows: BTreeMap::new(),
            ledger: Ledger::load(account(), []).unwrap(),
            offset: 0,
            history: Vec::new(),
        }
    }

    fn now(&self) -> Millis {
        Millis(1_000_000 + i64::try_from(self.offset).unwrap() * 1000)
    }

    fn version(&self) -> Version {
        Version::new(Epoch::FIRST, self.offset)
    }

    fn fold(&mut self, told: Told, events: Vec<Event<'static>>) {
        self.offset += 1;
        let stamp = Stamp { version: self.version(), received_at: self.now(), told };
        self.ledger.evolve(&stamp, &events);
        self.history.push((stamp, events));
        self.write();
    }

    fn write(&mut self) {
        loop {
            let drained = self.ledger.drain(LargeViews::Render);
            for row in drained.rows {
                let known = self.rows.get(&row.key);
                if known.is_none_or(|known| known.version <= row.version) {
                    self.rows.insert(row.key.clone(), row);
                }
            }
            if !drained.has_more {
                assert_eq!(self.ledger.unwritten_since(), None);
                return;
            }
        }
    }

    fn deliver(&mut self, events: Vec<Event<'static>>) {
        self.fold(Told::Delivery, events);
    }

    fn answer(&mut self, date: i64, events: Vec<Event<'static>>) {
        let asked = Asked { asked_at: self.version(), asked_ms: self.now(), date: Second(date) };
        self.fold(Told::Answer(asked), events);
    }

    /// A fresh owner: loads what is stored and folds the whole history again.
    fn replay(&mut self) {
        self.reload();
        for (stamp, events) in self.history.clone() {
            self.ledger.evolve(&stamp, &events);
            self.write();
        }
    }

    fn reload(&mut self) {
        let stream = StreamKey::Account(account());
        let mine = self.rows.values().filter(|row| {
            matches!(row.key, RowKey::Entity(of, _) | RowKey::Need(of, _) if of == stream)
                || matches!(&row.key, RowKey::Member { stream: of, .. } if *of == stream)
        });
        self.ledger = Ledger::load(account(), mine.cloned().collect::<Vec<_>>()).unwrap();
    }

    fn view(&self, key: ViewKey) -> Option<(Value, bool)> {
        let row = self.rows.get(&RowKey::View(StreamKey::Account(account()), key))?;
        match Stored::decode(&row.value).unwrap() {
            Stored::Gone => None,
            Stored::Body(body) => {
                let mut text = String::new();
                std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&body.gzip[..]), &mut text)
                    .unwrap();
                Some((serde_json::from_str(&text).unwrap(), body.meta.complete))
            }
        }
    }

    fn payload(&self) -> (Value, bool) {
        self.view(ViewKey::GithubPayload).unwrap()
    }

    fn open_needs(&self) -> Vec<NeedKey> {
        let needs = self.rows.values().filter_map(|row| match &row.key {
            RowKey::Need(_, key) if Need::decode(&row.value).unwrap().is_open() => Some(key.clone()),
            _ => None,
        });
        needs.collect()
    }

    fn name(&self, name: &str) -> Option<RepoName> {
        let row = self.rows.get(&RowKey::RepoName(account(), name.to_owned()))?;
        Some(RepoName::decode(&row.value).unwrap())
    }

    fn directory(&self) -> Directory {
        Directory::decode(&self.rows[&RowKey::Directory(account())].value).unwrap()
    }
}

fn owner(login: &'static str) -> OwnerReading<'static> {
    OwnerReading {
        id: account(),
        login: login.into(),
        kind: Some("User".into()),
        url: Some(format!("https://forge.test/{login}").into()),
        avatar_url: Some("https://forge.test/a.png".into()),
    }
}

fn repository(id: u64, name: &'static str, at: i64) -> RepositoryReading<'static> {
    RepositoryReading {
        owner: Some(owner("octo")),
        name: Some(name.into()),
        url: Some(format!("https://forge.test/octo/{name}").into()),
        private: Some(false),
        fork: Some(false),
        archived: Some(false),
        default_branch: Some("main".into()),
        description: Some(None),
        license: Some(Some("MIT".into())),
        topics: Some(vec!["web".into()]),
        created_at: Some(Second(1)),
        updated_at: Some(Second(at)),
        pushed_at: Some(Second(at)),
        stars: Some(3),
        forks: Some(1),
        open_issues: Some(0),
        counted_at: Some(Second(at)),
        as_of: Some(Second(at)),
        ..RepositoryReading::of(RepoId::github(id))
    }
}

fn seen(reading: RepositoryReading<'static>) -> Vec<Event<'static>> {
    vec![Event::Tracked(TrackedBy::Delivery), Event::Repository(Box::new(reading))]
}

fn profile(login: &'static str) -> Event<'static> {
    Event::Profile(ProfileReading {
        owner: owner(login),
        name: Some("Octo".into()),
        email: None,
        followers: Some(2),
        public_gists: Some(0),
        public_repos: Some(1),
        as_of: Some(Second(50)),
    })
}

fn commits(repo: u64, head: u64, count: u64) -> Event<'static> {
    Event::Commits(CommitsReading {
        repo: RepoId::github(repo),
        branch: "main".into(),
        head: Some(sha(head)),
        count,
        pushed_at: Some(Second(100)),
    })
}

/// An account with one repository of which everything is known: 10 commits, pull requests 1 (open), 2 (merged).
fn settled() -> Bench {
    let mut bench = Bench::new();
    bench.answer(100, vec![Event::Tracked(TrackedBy::Person), profile("octo")]);
    let listed = Event::RepositoriesListed { since: bench.version() };
    bench.answer(100, vec![Event::Repository(Box::new(repository(1, "Hello", 100))), listed]);
    let repo = RepoId::github(1);
    let full = RepositoryReading { watchers: Some(4), is_whole: true, ..repository(1, "Hello", 100) };
    bench.answer(100, vec![Event::Repository(Box::new(full))]);
    bench.answer(100, vec![commits(1, 10, 10)]);
    bench.answer(100, vec![Event::PullCount { repo, total: 2, newest: 2 }]);
    let pulls = vec![(1, PullState::Open, Second(90)), (2, PullState::Merged, Second(91))];
    let since = bench.version();
    bench.answer(100, vec![Event::Pulls { repo, pulls }, Event::PullsListed { repo, since }]);
    bench.answer(100, vec![Event::Languages { repo, bytes: vec![("Rust".into(), 300), ("C".into(), 100)] }]);
    bench
}

fn push(repo: u64, before: u64, after: u64, added: Option<u32>, at: i64) -> Event<'static> {
    Event::Push(Push {
        repo: RepoId::github(repo),
        branch: Some("main".into()),
        default_branch: Some("main".into()),
        before: Some(sha(before)),
        after: Some(sha(after)),
        added,
        pushed_at: Some(Second(at)),
    })
}

fn pushed(before: u64, after: u64, added: Option<u32>, at: i64) -> Vec<Event<'static>> {
    let mut events = seen(repository(1, "Hello", at));
    events.push(push(1, before, after, added, at));
    events
}

#[test]
fn a_first_delivery_starts_the_tracking_and_says_what_is_missing() {
    let mut bench = Bench::new();
    bench.deliver(seen(repository(1, "Hello", 100)));
    let (payload, complete) = bench.payload();
    assert!(!complete);
    assert_eq!(
        payload,
        json!({"user": {
            "githubHandle": "octo", "githubURL": "https://forge.test/octo",
            "avatarURL": "https://forge.test/a.png", "email": null, "followerCount": null,
            "repositories": [{"name": "Hello", "url": "https://forge.test/octo/Hello",
                "commitCount": null, "pullRequestCount": null}],
        }})
    );
    let repo = RepoId::github(1);
    assert_eq!(
        bench.open_needs(),
        [
            NeedKey::Profile,
            NeedKey::Repositories,
            NeedKey::Repository(repo),
            NeedKey::Commits(repo),
            NeedKey::Pulls(repo),
            NeedKey::Languages(repo)
        ]
    );
    assert_eq!(bench.directory().state, DirectoryState::Kept);
}

#[test]
fn answers_complete_the_pages() {
    let bench = settled();
    let (payload, complete) = bench.payload();
    assert!(complete);
    assert_eq!(payload["user"]["repositories"][0]["commitCount"], 10);
    assert_eq!(payload["user"]["repositories"][0]["pullRequestCount"], 2);
    assert_eq!(bench.open_needs(), []);
    let (account, complete) = bench.view(ViewKey::Account).unwrap();
    assert!(complete, "{account}");
    let (page, complete) = bench.view(ViewKey::Repository(RepoId::github(1))).unwrap();
    assert!(complete, "{page}");
    insta::assert_json_snapshot!("account page", account);
    insta::assert_json_snapshot!("repository page", page);
}

#[test]
fn a_plain_push_counts_and_a_gap_is_doubt_until_it_is_answered() {
    let mut bench = settled();
    bench.deliver(pushed(10, 12, Some(2), 110));
    let (payload, complete) = bench.payload();
    assert_eq!((&payload["user"]["repositories"][0]["commitCount"], complete), (&json!(12), true));

    bench.deliver(pushed(14, 15, Some(1), 120));
    let (_, complete) = bench.payload();
    assert!(!complete);
    let (page, _) = bench.view(ViewKey::Repository(RepoId::github(1))).unwrap();
    assert_eq!(
        page["freshness"]["missing"],
        json!([{"field": "counts.commits", "repository": "octo/Hello", "reason": "recounting"}])
    );
    bench.answer(121, vec![commits(1, 15, 15)]);
    let (payload, complete) = bench.payload();
    assert_eq!((&payload["user"]["repositories"][0]["commitCount"], complete), (&json!(15), true));
}

#[test]
fn hidden_is_sticky() {
    let mut bench = settled();
    let repo = RepoId::github(1);
    let private = RepositoryReading { private: Some(true), ..repository(1, "Hello", 130) };
    let mut events = seen(private);
    events.push(Event::RepositoryHidden { repo, at: Second(130), why: HiddenWhy::Private });
    bench.deliver(events);
    assert_eq!(bench.view(ViewKey::Repository(repo)), None);
    let (payload, _) = bench.payload();
    assert_eq!(payload["user"]["repositories"], json!([]));
    let hidden = HiddenRow::decode(&bench.rows[&RowKey::Hidden(account(), Some(repo))].value).unwrap();
    assert!(hidden.hidden);

    bench.deliver(seen(repository(1, "Hello", 129)));
    assert_eq!(bench.view(ViewKey::Repository(repo)), None, "a late public payload");
    bench.deliver(seen(repository(1, "Hello", 131)));
    assert_eq!(bench.view(ViewKey::Repository(repo)), None, "a newer payload alone does not reopen");
    assert_eq!(bench.open_needs(), [NeedKey::Repository(repo)], "but it is asked");
    assert!(!bench.payload().1, "and the account says that something is open");

    let mut events = seen(repository(1, "Hello", 140));
    events.push(Event::RepositoryPublished { repo, at: Second(140) });
    bench.deliver(events);
    let (_, complete) = bench.view(ViewKey::Repository(repo)).unwrap();
    assert!(!complete, "everything is read again");
    let hidden = HiddenRow::decode(&bench.rows[&RowKey::Hidden(account(), Some(repo))].value).unwrap();
    assert!(!hidden.hidden);
}

#[test]
fn an_answer_asked_before_the_hiding_does_not_reopen() {
    let mut bench = settled();
    let repo = RepoId::github(1);
    let asked = Asked { asked_at: bench.version(), asked_ms: bench.now(), date: Second(150) };
    bench.deliver(vec![Event::RepositoryHidden { repo, at: Second(130), why: HiddenWhy::Private }]);
    let late = repository(1, "Hello", 145);
    bench.fold(Told::Answer(asked), vec![Event::Repository(Box::new(late.clone()))]);
    assert_eq!(bench.view(ViewKey::Repository(repo)), None);
    bench.answer(150, vec![Event::Repository(Box::new(late))]);
    assert!(bench.view(ViewKey::Repository(repo)).is_some());
}

#[test]
fn a_refusal_leaves_the_number_open_and_the_rest_served() {
    let mut bench = settled();
    let refused = Event::Refused { about: NeedKey::Languages(RepoId::github(1)), status: 501 };
    bench.answer(200, vec![refused]);
    let (page, complete) = bench.view(ViewKey::Repository(RepoId::github(1))).unwrap();
    assert!(!complete);
    assert_eq!(page["languages"]["Rust"]["bytes"], 300, "a known number is marked, not forgotten");
    assert_eq!(page["freshness"]["missing"][0]["reason"], "refused");
    assert!(bench.payload().1, "S0 shows no languages");
}

#[test]
fn names_lead_to_their_last_holder() {
    let mut bench = settled();
    let mut events = seen(repository(1, "Bye", 150));
    events.push(Event::RenamedFrom { repo: RepoId::github(1), name: "Hello".into(), at: Second(150) });
    bench.deliver(events);
    assert_eq!(bench.name("hello"), Some(RepoName::Is(RepoId::github(1))));
    assert_eq!(bench.name("bye"), Some(RepoName::Is(RepoId::github(1))));
    bench.deliver(seen(repository(2, "Hello", 160)));
    assert_eq!(bench.name("hello"), Some(RepoName::Is(RepoId::github(2))), "its present holder");
    let to = AccountId::github(77);
    bench.deliver(vec![Event::RepositoryMoved { repo: RepoId::github(2), to, at: Second(170) }]);
    assert_eq!(bench.name("hello"), Some(RepoName::Moved { repo: RepoId::github(2), to }));
    assert_eq!(bench.view(ViewKey::Repository(RepoId::github(2))), None);
}

#[test]
fn a_renamed_account_shows_its_new_login_everywhere() {
    let mut bench = settled();
    bench.answer(200, vec![profile("octa")]);
    let (page, _) = bench.view(ViewKey::Repository(RepoId::github(1))).unwrap();
    assert_eq!(page["repository"]["full_name"], "octa/Hello");
    assert_eq!(page["repository"]["url"], "https://forge.test/octa/Hello");
    assert_eq!(bench.payload().0["user"]["githubHandle"], "octa");

    bench.deliver(seen(repository(1, "Hello", 100)));
    assert_eq!(bench.open_needs(), [NeedKey::Profile], "a payload with another login is asked about");
}

/// Answers that name a login arrive in the streams of several accounts, whose versions do not compare.
#[test]
fn a_login_means_what_the_newest_answer_said_by_the_forges_time() {
    let mut bench = Bench::new();
    let version = |bench: &Bench| bench.rows[&RowKey::Alias(Forge::GitHub, "octo".into())].version;
    bench.deliver(seen(repository(1, "Hello", 100)));
    assert_eq!(version(&bench), Version::LEAST, "any answer beats a payload");
    bench.answer(300, vec![profile("octo")]);
    assert_eq!(version(&bench), Alias::version(Second(300)));
    bench.answer(200, vec![profile("octo")]);
    assert_eq!(version(&bench), Alias::version(Second(300)), "an older answer that came later");
}

#[test]
fn a_muted_account_is_folded_but_asked_for_nothing() {
    let mut bench = settled();
    bench.fold(Told::Command, vec![Event::Untracked]);
    assert_eq!(bench.directory().state, DirectoryState::Muted);
    bench.deliver(pushed(14, 15, Some(1), 120));
    assert_eq!(bench.directory().state, DirectoryState::Muted, "a delivery does not end a mute");
    let renamed = RepositoryReading { owner: Some(owner("octa")), ..repository(1, "Hello", 121) };
    bench.deliver(seen(renamed));
    assert_eq!(bench.open_needs(), [], "nor does a doubt about the account itself");
    bench.fold(Told::Command, vec![Event::Tracked(TrackedBy::Person)]);
    assert_eq!(bench.directory().state, DirectoryState::Kept);
    assert!(bench.open_needs().contains(&NeedKey::Commits(RepoId::github(1))));
    assert!(!bench.payload().1);
}

#[test]
fn the_total_of_pull_requests_is_exact_before_the_list_is_whole() {
    let mut bench = Bench::new();
    bench.deliver(seen(repository(1, "Hello", 100)));
    let repo = RepoId::github(1);
    bench.answer(101, vec![Event::PullCount { repo, total: 5, newest: 9 }]);
    let pull = |number, at| PullReading { repo, number, state: PullState::Open, updated_at: Second(at) };
    bench.deliver(vec![Event::Pull(pull(10, 110)), Event::Pull(pull(9, 111))]);
    let (page, _) = bench.view(ViewKey::Repository(repo)).unwrap();
    assert_eq!(
        page["counts"]["pull_requests"],
        json!({"total": 6, "open": null, "merged": null, "closed": null})
    );
}

#[test]
fn a_contradicted_list_is_read_again() {
    let mut bench = settled();
    let repo = RepoId::github(1);
    bench.answer(120, vec![Event::PullCount { repo, total: 3, newest: 3 }]);
    assert_eq!(bench.open_needs(), [NeedKey::Pulls(repo)]);
    assert!(!bench.payload().1, "until then the number is in doubt");
    let late = PullReading { repo, number: 3, state: PullState::Open, updated_at: Second(119) };
    bench.deliver(vec![Event::Pull(late)]);
    assert_eq!(bench.open_needs(), [], "the delivery on its way explained it");
}

#[test]
fn an_unreadable_record_is_said_and_everything_is_asked_again() {
    let mut bench = settled();
    bench.offset += 1;
    let stamp = Stamp { version: bench.version(), received_at: bench.now(), told: Told::Delivery };
    bench.ledger.unreadable(&stamp);
    bench.write();
    assert_eq!(bench.open_needs(), [NeedKey::Everything]);
    assert!(!bench.payload().1);
    bench.answer(200, vec![Event::Checked { about: NeedKey::Everything }]);
    assert!(bench.payload().1);
}

#[test]
fn replaying_the_whole_history_changes_no_row() {
    let mut bench = settled();
    bench.deliver(pushed(10, 12, Some(2), 110));
    bench.deliver(pushed(14, 15, Some(1), 120));
    bench.deliver(seen(repository(2, "Other", 125)));
    let repo = RepoId::github(1);
    bench.deliver(vec![Event::RepositoryHidden { repo, at: Second(130), why: HiddenWhy::Private }]);
    let before = bench.rows.clone();
    bench.replay();
    assert_same(&bench.rows, &before);
}

/// The same values; of folded facts the same versions too. What is derived may carry a later replay's, and
/// a replay says again that something is not hidden, or that nothing need be asked.
fn assert_same(rows: &BTreeMap<RowKey, Row>, expected: &BTreeMap<RowKey, Row>) {
    assert!(expected.keys().all(|key| rows.contains_key(key)));
    for (key, row) in rows {
        if !expected.contains_key(key) {
            match key {
                RowKey::Hidden(..) => assert!(!HiddenRow::decode(&row.value).unwrap().hidden),
                RowKey::Need(..) => assert_eq!(Need::decode(&row.value).unwrap(), Need::Met),
                _ => panic!("{key:?}"),
            }
            continue;
        }
        if matches!(key, RowKey::Trail(_, _, Field::PullRequests, _)) {
            // What these numbers were before a record is derived from several rows, of which a crash may have written
            // some.
            assert_eq!(row.version, expected[key].version, "{key:?}");
            continue;
        }
        assert_eq!(row.value, expected[key].value, "{key:?}");
        if matches!(key, RowKey::Entity(..) | RowKey::Member { .. }) {
            assert_eq!(row.version, expected[key].version, "{key:?}");
        }
    }
}

#[test]
fn a_crash_between_the_rows_of_a_record_is_mended_by_its_replay() {
    let mut bench = settled();
    let committed = bench.rows.clone();
    let events = vec![
        Event::Repository(Box::new(repository(1, "Hello", 140))),
        Event::Pull(PullReading {
            repo: RepoId::github(1),
            number: 3,
            state: PullState::Open,
            updated_at: Second(140),
        }),
    ];
    bench.deliver(events);
    let whole = bench.rows.clone();
    let changed: Vec<Row> = whole
        .iter()
        .filter(|(key, row)| committed.get(*key) != Some(*row))
        .map(|(_, row)| row.clone())
        .collect();
    assert!(changed.len() > 3);
    // Steps are written before everything else.
    for lost in changed.iter().filter(|row| !matches!(row.key, RowKey::Trail(..))) {
        bench.rows.clone_from(&whole);
        match committed.get(&lost.key) {
            Some(row) => bench.rows.insert(lost.key.clone(), row.clone()),
            None => bench.rows.remove(&lost.key),
        };
        bench.reload();
        let (stamp, events) = bench.history.last().cloned().unwrap();
        bench.ledger.evolve(&stamp, &events);
        bench.write();
        assert_same(&bench.rows, &whole);
    }
}
