//! Measures large neighbours in memory: 40 000 stargazers with 300 stars each, unless told otherwise.
//!
//! `cargo run --release -p domain --example large_neighbours [STARGAZERS] [STARS]` prints how long the rows of such a
//! repository take to load, what they take in memory, what a star more costs, and how long rendering takes: all of it,
//! and the longest slice, for which other accounts wait. Times are of the processor, so that they say the same on a
//! busy machine; Linux tells them.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "figures"
)]

use std::{fs, time::Duration};

use domain::{
    AccountId, Asked, EntityKey, Epoch, Event, Ledger, MemberSet, Millis, RepoId, Row, RowKey, Second, Stamp,
    StreamKey, Told, Version,
    entity::{
        stargazers::{BUCKETS, Given, StarBucket, bucket_of},
        starred::{Repo, Starred},
        stars::{Listed, Stars, Wanted},
    },
    event::{
        OwnerReading, RepositoryReading, StarReading, StarredReading, StarredRepository, StarsReading,
        TrackedBy,
    },
    ledger::{LargeViews, Loading},
};

/// Repositories of which everybody stars some, the first the most often.
const REPOSITORIES: f64 = 2_000_000.0;
const OWNER: u64 = 9;
const TARGET: u64 = 70;

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|text| text.parse::<u64>().ok());
    let stargazers = arguments.next().unwrap_or(40_000);
    let stars = arguments.next().unwrap_or(300);
    let empty = resident();

    let started = processor();
    let mut loading = Loading::of(AccountId::github(OWNER));
    let mut row_bytes = 0;
    let mut making = Duration::ZERO;
    for user in 0..stargazers {
        let begun = processor();
        let row = starred_row(user, stars);
        row_bytes += row.value.len();
        making += processor() - begun;
        loading.take(&row).expect("a row of this release");
    }
    for row in stargazers_rows(stargazers) {
        loading.take(&row).expect("a row of this release");
    }
    let mut ledger = loading.finish();
    println!("rows of {stargazers} stargazers with {stars} stars: {} MB", row_bytes / 1_000_000);
    println!(
        "loaded in {:.1} s, what it took to make the rows left out",
        ((processor() - started) - making).as_secs_f64()
    );
    println!("resident {} MB", (resident() - empty) / 1_000);

    let mut offset = 1_000;
    let mut fold = |ledger: &mut Ledger, told: Told, events: &[Event<'_>]| {
        offset += 1;
        let stamp = Stamp { version: Version::new(Epoch::FIRST, offset), received_at: Millis(1), told };
        ledger.evolve(&stamp, events);
        while ledger.drain(LargeViews::Render).has_more {}
    };
    fold(&mut ledger, Told::Command, &opening());
    render(&mut ledger);

    // The clock of the processor is read coarsely: all of them are measured at once.
    let begun = processor();
    for user in stargazers..stargazers + 100 {
        let star = Event::Star(StarReading {
            repo: RepoId::github(TARGET),
            owner: AccountId::github(OWNER),
            starrer: AccountId::github(user + 1_000_000),
            login: Some(format!("stargazer-{user}").into()),
            given: true,
            at: Second(60),
        });
        fold(&mut ledger, Told::Delivery, &[star]);
        let asked =
            Asked { asked_at: Version::new(Epoch::FIRST, 2), asked_ms: Millis(70_000), date: Second(70) };
        let answer = Event::Stars(Box::new(StarsReading {
            starred: vec![reading(user, stars)],
            ..StarsReading::of(RepoId::github(TARGET))
        }));
        fold(&mut ledger, Told::Answer(asked), &[answer]);
    }
    println!("a star, and what its giver starred: {:?}", (processor() - begun) / 100);
    render(&mut ledger);
    println!("resident at most {} MB, estimated {} MB", peak() / 1_000, ledger.weight() / 1_000_000);
}

fn render(ledger: &mut Ledger) {
    let (mut all, mut longest, mut slices, mut bytes) = (Duration::ZERO, Duration::ZERO, 0, 0);
    loop {
        let begun = processor();
        let drained = ledger.render_neighbours();
        let took = processor() - begun;
        (all, longest, slices) = (all + took, longest.max(took), slices + 1);
        bytes += drained.rows.iter().map(|row| row.value.len()).sum::<usize>();
        if !drained.has_more {
            break;
        }
    }
    println!(
        "rendered in {all:?}, {slices} slices, the longest {longest:?}; {} MB of rows",
        bytes / 1_000_000
    );
}

/// What somebody starred: numbers that look like chance, and are the same each time.
fn repositories(user: u64, stars: u64) -> Vec<u64> {
    let mut state = user.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..stars).map(|_| 1_000 + (REPOSITORIES * next().powi(3)) as u64).collect()
}

fn name(repo: u64) -> String {
    format!("owner-{}/repository-{repo}", repo % 500_000)
}

fn starred_row(user: u64, stars: u64) -> Row {
    let mut repositories: Vec<Repo> = repositories(user, stars)
        .into_iter()
        .map(|repo| Repo {
            id: RepoId::github(repo),
            owner: AccountId::github(repo % 500_000),
            full_name: name(repo),
        })
        .collect();
    repositories.sort_unstable();
    repositories.dedup_by_key(|repo| repo.id);
    let starred = Starred {
        login: format!("stargazer-{user}"),
        asked: (Version::LEAST, Second(50)),
        asked_ms: Millis(50_000),
        checked_ms: Millis(50_000),
        is_whole: true,
        repositories,
        pages: Vec::new(),
    };
    let id = AccountId::github(user + 1_000_000);
    let mut bytes = Vec::new();
    id.write_key(&mut bytes);
    row(member(MemberSet::Starred, bucket_of(id), bytes), starred.encode())
}

fn reading(user: u64, stars: u64) -> StarredReading<'static> {
    let repositories = repositories(user, stars).into_iter().map(|repo| StarredRepository {
        id: RepoId::github(repo),
        owner: AccountId::github(repo % 500_000),
        full_name: name(repo).into(),
    });
    StarredReading {
        starrer: AccountId::github(user + 1_000_000),
        login: format!("stargazer-{user}").into(),
        repositories: repositories.collect(),
        is_whole: true,
        older_ms: None,
        pages: Vec::new(),
    }
}

fn stargazers_rows(stargazers: u64) -> Vec<Row> {
    let mut slices: Vec<StarBucket> = (0..BUCKETS).map(|_| StarBucket::default()).collect();
    let stamp = Stamp { version: Version::LEAST, received_at: Millis(1), told: Told::Delivery };
    for user in 0..stargazers {
        let id = AccountId::github(user + 1_000_000);
        let login = format!("stargazer-{user}");
        let given = Given { user: id, login: Some(&login), is_given: true, at: Second(40) };
        slices[bucket_of(id) as usize].read(given, &stamp);
    }
    let stars = Stars {
        wanted: Some(Wanted { at: Version::LEAST, ms: Millis(1) }),
        erased_at: None,
        listed: Some(Listed { since: Version::LEAST, date: Second(45), is_whole: true }),
        list_check: domain::entity::check::Check::default(),
    };
    let entity = RowKey::Entity(stream(), EntityKey::Stars(RepoId::github(TARGET)));
    let slices = (0..BUCKETS).zip(slices);
    let slices =
        slices.map(|(number, slice)| row(member(MemberSet::Stargazers, number, Vec::new()), slice.encode()));
    std::iter::once(row(entity, stars.encode())).chain(slices).collect()
}

fn opening() -> Vec<Event<'static>> {
    let owner = OwnerReading {
        id: AccountId::github(OWNER),
        login: "ada".into(),
        kind: None,
        url: None,
        avatar_url: None,
    };
    let reading = RepositoryReading {
        name: Some("engine".into()),
        private: Some(false),
        updated_at: Some(Second(10)),
        ..RepositoryReading::of(RepoId::github(TARGET))
    };
    vec![Event::Tracked(TrackedBy::Person), Event::Owner(owner), Event::Repository(Box::new(reading))]
}

fn stream() -> StreamKey {
    StreamKey::Account(AccountId::github(OWNER))
}

fn member(set: MemberSet, bucket: u32, id: Vec<u8>) -> RowKey {
    RowKey::Member { stream: stream(), set, parent: RepoId::github(TARGET), wipe: 0, bucket, id }
}

fn row(key: RowKey, value: Vec<u8>) -> Row {
    Row { key, version: Version::LEAST, value: value.into() }
}

/// Processor time of this thread so far.
fn processor() -> Duration {
    let text = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

/// Resident memory, in kB.
fn resident() -> usize {
    status("VmRSS:")
}

/// The most of it so far, in kB.
fn peak() -> usize {
    status("VmHWM:")
}

fn status(field: &str) -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
