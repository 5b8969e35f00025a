//! The summary of an account (S1), kept while deliveries and answers are folded: what it shows of each forge, and
//! that what is hidden leaves it in the same write.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use domain::{
    AccountId, Asked, Epoch, Event, Forge, Ledger, Millis, NeedKey, RepoId, Row, RowKey, Second, Stamp,
    StreamKey, Told, Version, ViewKey,
    directory::Directory,
    event::{HiddenWhy, OwnerReading, ProfileReading, RepositoryReading, TrackedBy},
    ledger::LargeViews,
    need::Need,
    view::{
        body::{self, Stored},
        summary::StoredSummary,
    },
};

struct Bench {
    account: AccountId,
    rows: BTreeMap<RowKey, Row>,
    ledger: Ledger,
    offset: u64,
}

impl Bench {
    fn new(account: AccountId) -> Self {
        Bench { account, rows: BTreeMap::new(), ledger: Ledger::load(account, []).unwrap(), offset: 0 }
    }

    fn fold(&mut self, told: Told, events: &[Event<'_>]) {
        self.fold_with(told, events, LargeViews::Render);
    }

    fn fold_with(&mut self, told: Told, events: &[Event<'_>], large_views: LargeViews) {
        self.offset += 1;
        let version = Version::new(Epoch::FIRST, self.offset);
        self.ledger.evolve(&Stamp { version, received_at: self.now(), told }, events);
        loop {
            let drained = self.ledger.drain(large_views);
            self.rows.extend(drained.rows.into_iter().map(|row| (row.key.clone(), row)));
            if !drained.has_more {
                return;
            }
        }
    }

    fn now(&self) -> Millis {
        Millis(1_000_000 + i64::try_from(self.offset).unwrap() * 1000)
    }

    /// An answer that was asked for after everything so far.
    fn answer(&mut self, events: &[Event<'_>]) {
        let asked_at = Version::new(Epoch::FIRST, self.offset);
        let date = Second(1_000 + i64::try_from(self.offset).unwrap());
        self.fold(Told::Answer(Asked { asked_at, asked_ms: self.now(), date }), events);
    }

    /// The views that have a text in them.
    fn telling_of(&self, text: &str) -> Vec<&RowKey> {
        let tells = |row: &Row| match Stored::decode(&row.value) {
            Ok(Stored::Body(body)) => {
                let payload = body::inflate(&body.gzip, body.meta.length).unwrap();
                String::from_utf8_lossy(&payload).contains(text)
            }
            _ => false,
        };
        let views = self.rows.iter().filter(|(key, row)| matches!(key, RowKey::View(..)) && tells(row));
        views.map(|(key, _)| key).collect()
    }

    fn row(&self, key: &RowKey) -> Option<&Row> {
        self.rows.get(key)
    }

    fn summary(&self) -> StoredSummary {
        let key = RowKey::View(StreamKey::Account(self.account), ViewKey::Summary);
        StoredSummary::decode(&self.row(&key).unwrap().value).unwrap()
    }

    fn directory(&self) -> Directory {
        Directory::decode(&self.row(&RowKey::Directory(self.account)).unwrap().value).unwrap()
    }

    fn open_needs(&self) -> Vec<NeedKey> {
        let open = |row: &Row| Need::decode(&row.value).unwrap().is_open();
        let needs = self.rows.iter().filter_map(|(key, row)| match key {
            RowKey::Need(_, need) if open(row) => Some(need.clone()),
            _ => None,
        });
        needs.collect()
    }

    /// Kept, with a profile, and its list known to be whole.
    fn listed(&mut self, login: &'static str) {
        let owner =
            OwnerReading { id: self.account, login: login.into(), kind: None, url: None, avatar_url: None };
        let profile = ProfileReading {
            owner,
            name: None,
            email: None,
            followers: (self.account.forge() == Forge::GitHub).then_some(2),
            public_gists: None,
            public_repos: None,
            as_of: Some(Second(50)),
        };
        let listed = Event::RepositoriesListed { since: Version::LEAST };
        self.answer(&[Event::Tracked(TrackedBy::Read), Event::Profile(profile), listed]);
    }
}

fn github() -> Bench {
    let mut bench = Bench::new(AccountId::github(9));
    bench.listed("octo");
    bench
}

fn reading(id: RepoId, at: i64, stars: u64, watchers: u64) -> RepositoryReading<'static> {
    RepositoryReading {
        name: Some(id.to_string().into()),
        private: Some(false),
        fork: Some(false),
        topics: Some(vec!["web".into()]),
        updated_at: Some(Second(at)),
        stars: Some(stars),
        forks: Some(0),
        open_issues: Some(0),
        watchers: Some(watchers),
        is_whole: true,
        ..RepositoryReading::of(id)
    }
}

fn repository(reading: RepositoryReading<'static>) -> Event<'static> {
    Event::Repository(Box::new(reading))
}

fn languages(repo: RepoId, names: &[&'static str]) -> Event<'static> {
    Event::Languages { repo, bytes: names.iter().map(|name| ((*name).into(), 10)).collect() }
}

#[test]
fn sums_and_sets_follow_each_repository() {
    let mut bench = github();
    let [one, two] = [1, 2].map(RepoId::github);
    bench.answer(&[repository(reading(one, 100, 3, 4)), languages(one, &["C", "Rust"])]);
    let fork = RepositoryReading {
        fork: Some(true),
        topics: Some(vec!["cli".into(), "web".into()]),
        ..reading(two, 110, 5, 6)
    };
    bench.answer(&[repository(fork), languages(two, &["c"])]);
    let stored = bench.summary();
    assert!(stored.complete);
    let shown = stored.summary;
    assert_eq!((shown.original, shown.forked, shown.watchers, shown.stars), (1, 1, Some(10), Some(8)));
    assert_eq!(
        (shown.languages, shown.topics),
        (vec!["c".into(), "rust".into()], vec!["cli".into(), "web".into()])
    );
    assert_eq!((stored.name.as_str(), stored.as_of), ("octo", Second(50)));

    bench.answer(&[languages(one, &["Zig"])]);
    assert_eq!(bench.summary().summary.languages, ["c", "zig"], "what one drops the other still has");
}

#[test]
fn what_is_hidden_leaves_in_the_same_write_even_when_large_views_are_put_off() {
    let mut bench = github();
    let [one, two] = [1, 2].map(RepoId::github);
    bench.answer(&[repository(reading(one, 100, 3, 4)), languages(one, &["Rust"])]);
    bench.answer(&[repository(reading(two, 100, 5, 6)), languages(two, &["Go"])]);
    let hidden = Event::RepositoryHidden { repo: one, at: Second(200), why: HiddenWhy::Private };
    bench.fold_with(Told::Delivery, &[hidden], LargeViews::Later);
    let shown = bench.summary().summary;
    assert_eq!((shown.original, shown.watchers, shown.stars), (1, Some(6), Some(5)));
    assert_eq!(shown.languages, ["go"]);
}

#[test]
fn what_is_hidden_leaves_large_views_in_the_same_write_too() {
    let mut bench = github();
    let named = |number: u64| RepositoryReading {
        name: Some(format!("repository-{number:03}").into()),
        ..reading(RepoId::github(number), 100, 3, 4)
    };
    let all: Vec<_> = (1..=2_000).map(|number| repository(named(number))).collect();
    bench.answer(&all);
    assert!(bench.ledger.has_large_views());
    assert!(!bench.telling_of("repository-007").is_empty());

    let push = repository(RepositoryReading { stars: Some(9), ..named(8) });
    bench.fold_with(Told::Delivery, &[push], LargeViews::Later);
    assert!(bench.ledger.has_deferred_views(), "large views can wait");
    let hidden =
        Event::RepositoryHidden { repo: RepoId::github(7), at: Second(200), why: HiddenWhy::Private };
    bench.fold_with(Told::Delivery, &[hidden], LargeViews::Later);
    let telling = bench.telling_of("repository-007");
    assert!(telling.is_empty(), "{telling:?}");
}

#[test]
fn what_a_list_leaves_out_is_missing_until_each_repository_is_asked() {
    let mut bench = github();
    let repo = RepoId::github(1);
    let listed = RepositoryReading { watchers: None, is_whole: false, ..reading(repo, 100, 3, 0) };
    bench.answer(&[repository(listed), languages(repo, &["Rust"])]);
    let stored = bench.summary();
    assert_eq!((stored.summary.watchers, stored.summary.stars, stored.complete), (None, Some(3), false));
    assert_eq!(stored.checked_ms, None, "its watchers were never asked for");

    bench.answer(&[repository(reading(repo, 100, 3, 7))]);
    let stored = bench.summary();
    assert_eq!((stored.summary.watchers, stored.complete), (Some(7), true));
    assert!(stored.checked_ms.is_some());

    let left_out = RepositoryReading { watchers: None, ..reading(repo, 100, 3, 0) };
    bench.answer(&[repository(left_out)]);
    let stored = bench.summary();
    assert_eq!((stored.summary.watchers, stored.complete), (Some(7), false), "kept, and marked");
}

#[test]
fn the_summary_waits_neither_for_commits_nor_for_pull_requests() {
    let mut bench = github();
    let repo = RepoId::github(1);
    bench.answer(&[repository(reading(repo, 100, 3, 4)), languages(repo, &["Rust"])]);
    assert!(bench.summary().complete);
    assert!(!bench.directory().complete, "commits are not known yet");
    assert!(bench.open_needs().contains(&NeedKey::Commits(repo)));
}

#[test]
fn bitbucket_is_asked_for_what_it_tells_and_complete_without_the_rest() {
    let mut bench = Bench::new(AccountId::bitbucket(7));
    bench.listed("team");
    let repo = RepoId::bitbucket(8);
    let listed = RepositoryReading {
        stars: None,
        forks: None,
        open_issues: None,
        watchers: None,
        topics: None,
        is_whole: false,
        ..reading(repo, 100, 0, 0)
    };
    bench.answer(&[repository(listed), languages(repo, &["C#"])]);
    assert_eq!(bench.open_needs(), [NeedKey::Repository(repo)], "only the watchers are open");
    assert!(!bench.summary().complete);

    let watchers = RepositoryReading { watchers: Some(4), is_whole: true, ..RepositoryReading::of(repo) };
    bench.answer(&[repository(watchers)]);
    assert_eq!(bench.open_needs(), []);
    let stored = bench.summary();
    let shown = stored.summary;
    assert!(stored.complete && bench.directory().complete);
    assert_eq!((shown.original, shown.watchers, shown.stars), (1, Some(4), Some(0)));
    assert_eq!((shown.languages, shown.topics.len()), (vec!["c#".to_owned()], 0));
    let others =
        bench.rows.keys().filter(|key| matches!(key, RowKey::View(_, view) if *view != ViewKey::Summary));
    assert_eq!(others.count(), 0, "nobody reads other views of it");
}

/// The same rows after a restart, and after every record was folded twice.
#[test]
fn a_loaded_ledger_shows_the_same() {
    let mut bench = github();
    let repo = RepoId::github(1);
    bench.answer(&[repository(reading(repo, 100, 3, 4)), languages(repo, &["Rust", "C"])]);
    let before = bench.summary();
    bench.ledger = Ledger::load(bench.account, bench.rows.values().cloned()).unwrap();
    bench.fold(Told::Command, &[Event::Read]);
    assert_eq!(bench.summary(), before);
}
