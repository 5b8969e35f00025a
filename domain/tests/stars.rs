//! Star sets and neighbours against models that keep everything and compute anew.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use domain::{
    AccountId, Asked, Epoch, Millis, RepoId, Second, Stamp, Told, Version,
    entity::{
        stargazers::{Given, StarBucket},
        starred::{Repo, Starred, StarredCheck},
        stars::Stars,
    },
    event::GazersListed,
    view::{
        body::Meta,
        neighbours::{CHUNK_BYTES_MAX, Chunk, Head, NEIGHBOURS_MAX, Neighbourhood, Reader, Shown},
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn version(offset: u64) -> Version {
    Version::new(Epoch::FIRST, offset)
}

fn user(id: u64) -> AccountId {
    AccountId::github(id)
}

fn delivered(offset: u64) -> Stamp {
    Stamp { version: version(offset), received_at: Millis(0), told: Told::Delivery }
}

fn asked(asked_at: u64, date: i64) -> Asked {
    Asked { asked_at: version(asked_at), asked_ms: Millis(date * 1_000), date: Second(date) }
}

fn answered(offset: u64, asked: Asked) -> Stamp {
    Stamp { version: version(offset), received_at: Millis(0), told: Told::Answer(asked) }
}

fn given(id: u64, is_given: bool, at: i64) -> Given<'static> {
    Given { user: user(id), login: None, is_given, at: Second(at) }
}

fn stargazers(set: &StarBucket) -> BTreeSet<AccountId> {
    set.members().filter(|(_, member)| member.is_given).map(|(id, _)| id).collect()
}

proptest! {
    /// Deliveries come late, doubled and in any order, some never; then the list is read.
    #[test]
    fn a_list_and_deliveries_in_any_order_come_to_the_true_set(
        flips in prop::collection::vec((1u64..5, 0i64..3), 1..24),
        order in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..40),
        late in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut now = 100;
        let mut truth: BTreeMap<u64, i64> = BTreeMap::new();
        let mut told = Vec::new();
        for (id, pause) in &flips {
            now += pause;
            let is_given = truth.remove(id).is_none();
            if is_given {
                truth.insert(*id, now);
            }
            told.push(given(*id, is_given, now));
        }
        let mut set = StarBucket::default();
        let mut offset = 0;
        for (which, twice) in &order {
            for _ in 0..=usize::from(*twice) {
                offset += 1;
                set.read(*which.get(&told), &delivered(offset));
            }
        }
        // A second later the list is read, after all of that was folded.
        let since = offset;
        let list = asked(since, now + 1);
        let known = stargazers(&set);
        for (id, at) in &truth {
            offset += 1;
            set.read(given(*id, true, *at), &answered(offset, list));
        }
        offset += 1;
        for id in known.iter().filter(|id| !truth.contains_key(&id.as_github().unwrap())) {
            set.absent(*id, version(since), &list, &answered(offset, list));
        }
        let expected: BTreeSet<AccountId> = truth.keys().copied().map(user).collect();
        prop_assert_eq!(stargazers(&set), expected.clone());

        // What still comes is older than the list. What turns anybody all the same is asked about.
        let mut stars = Stars::default();
        stars.listed(&GazersListed { since: version(since), is_whole: true, absent: Vec::new() }, &list);
        for which in &late {
            offset += 1;
            set.read(*which.get(&told), &delivered(offset));
        }
        let listed = stars.listed.unwrap();
        let doubtful: BTreeSet<AccountId> =
            set.members().filter(|(_, member)| member.is_doubtful(&listed)).map(|(id, _)| id).collect();
        let wrong: BTreeSet<AccountId> = stargazers(&set).symmetric_difference(&expected).copied().collect();
        prop_assert!(wrong.is_subset(&doubtful), "{wrong:?} are wrong and not doubted");

        // The list is read again, and settles it.
        let since = offset;
        let list = asked(since, now + 2);
        for (id, at) in &truth {
            offset += 1;
            set.read(given(*id, true, *at), &answered(offset, list));
        }
        offset += 1;
        for id in wrong.iter().filter(|id| !expected.contains(id)) {
            set.absent(*id, version(since), &list, &answered(offset, list));
        }
        stars.listed(&GazersListed { since: version(since), is_whole: true, absent: Vec::new() }, &list);
        let listed = stars.listed.unwrap();
        prop_assert!(!set.members().any(|(_, member)| member.is_doubtful(&listed)));
        prop_assert_eq!(stargazers(&set), expected);
    }
}

#[test]
fn what_was_told_after_a_list_was_asked_for_is_not_absent() {
    let mut set = StarBucket::default();
    set.read(given(1, true, 50), &delivered(7));
    let list = asked(6, 60);
    set.absent(user(1), version(6), &list, &answered(8, list));
    assert_eq!(stargazers(&set).len(), 1);
    let list = asked(7, 61);
    set.absent(user(1), version(7), &list, &answered(9, list));
    assert!(stargazers(&set).is_empty());
    // An old page does not bring it back, a new star does.
    set.read(given(1, true, 50), &answered(10, list));
    assert!(stargazers(&set).is_empty());
    set.read(given(1, true, 62), &delivered(11));
    assert_eq!(stargazers(&set).len(), 1);
}

#[test]
fn a_star_given_and_taken_within_a_second_is_asked_about() {
    let mut set = StarBucket::default();
    let is_tied = |set: &StarBucket| set.get(user(1)).unwrap().is_tied;
    set.read(given(1, true, 50), &delivered(1));
    set.read(given(1, false, 50), &delivered(2));
    assert!(is_tied(&set));
    // Asked before the second was folded: it says nothing. Asked after: it settles it.
    let early = asked(1, 51);
    set.read(given(1, true, 50), &answered(3, early));
    assert!(stargazers(&set).is_empty() && is_tied(&set));
    let later = asked(3, 52);
    set.read(given(1, true, 50), &answered(4, later));
    assert_eq!(stargazers(&set).len(), 1);
    assert!(!is_tied(&set));
    assert_eq!(StarBucket::decode(&set.encode()), Ok(set));
}

/// The repository whose neighbours are sought.
const TARGET: u64 = 1;

fn starred(id: u64, asked: u64, repos: &BTreeSet<u64>) -> Starred {
    let date = i64::try_from(asked).unwrap();
    Starred {
        login: format!("user-{id}"),
        asked: (version(asked), Second(date)),
        asked_ms: Millis(date * 1_000),
        checked_ms: Millis(date * 1_000),
        is_whole: true,
        pages: Vec::new(),
        // Every few answers the repository has another name.
        repositories: repos
            .iter()
            .map(|repo| Repo {
                id: RepoId::github(*repo),
                owner: user(900 + repo % 3),
                full_name: format!("o{}/r{}-{}", repo % 3, repo, if *repo == 4 { asked / 3 } else { 0 }),
            })
            .collect(),
    }
}

#[derive(Debug, Clone)]
enum Step {
    Add(u64),
    Remove(u64),
    Starred(u64, BTreeSet<u64>),
    /// Confirms the answer of this step.
    Confirmed(u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let repos = prop::collection::btree_set(1u64..9, 0..6);
    prop_oneof![
        2 => (1u64..7).prop_map(Step::Add),
        1 => (1u64..7).prop_map(Step::Remove),
        3 => (1u64..7, repos).prop_map(|(id, repos)| Step::Starred(id, repos)),
        2 => (1u64..7, 1u64..40).prop_map(|(id, step)| Step::Confirmed(id, step)),
    ]
}

/// What the contract says, computed anew from all that is known.
fn naive(gazers: &BTreeSet<u64>, known: &BTreeMap<u64, Starred>, shared_min: usize, limit: usize) -> Value {
    let mut names: BTreeMap<RepoId, ((Version, Second), String)> = BTreeMap::new();
    let mut shared: BTreeMap<RepoId, Vec<String>> = BTreeMap::new();
    for starred in gazers.iter().filter_map(|id| known.get(id)) {
        for repo in starred.repositories.iter().filter(|repo| repo.id != RepoId::github(TARGET)) {
            let name = (starred.asked, repo.full_name.clone());
            let newest = names.entry(repo.id).or_insert_with(|| name.clone());
            *newest = name.max(newest.clone());
            shared.entry(repo.id).or_default().push(starred.login.clone());
        }
    }
    let mut rows: Vec<(Reverse<usize>, String, Vec<String>)> = shared
        .into_iter()
        .map(|(id, mut logins)| {
            logins.sort();
            (Reverse(logins.len()), names[&id].1.clone(), logins)
        })
        .collect();
    rows.sort();
    let shown = rows.into_iter().filter(|(count, ..)| count.0 >= shared_min).take(limit);
    shown.map(|(_, repo, stargazers)| json!({"repo": repo, "stargazers": stargazers})).collect()
}

fn joined(hood: &Neighbourhood, shared_min: u32, limit: usize) -> Value {
    let chunks = Chunk::render(version(1), hood.ranked());
    read(&chunks, shared_min, limit)
}

fn head(chunks: &[Chunk]) -> Head {
    let meta =
        Meta { hash: 1, length: 2, as_of: Second(3), checked_ms: None, complete: false, name: "o/n".into() };
    Head {
        version: version(1),
        at: version(1),
        chunks: u32::try_from(chunks.len()).unwrap(),
        meta,
        is_closed: false,
    }
}

fn read(chunks: &[Chunk], shared_min: u32, limit: usize) -> Value {
    let mut reader = Reader::new(&head(chunks), limit, shared_min);
    let mut body = Vec::new();
    for chunk in chunks {
        let chunk = Chunk::decode(&chunk.encode()).unwrap();
        body.extend(reader.read(&chunk, |_, _| false).unwrap());
        if reader.is_done(&chunk) {
            break;
        }
    }
    body.extend_from_slice(reader.end());
    serde_json::from_slice(&body).unwrap()
}

proptest! {
    #[test]
    fn neighbours_folded_one_by_one_are_those_computed_anew(
        steps in prop::collection::vec(step(), 0..40),
        shared_min in 0usize..4,
        limit in 0usize..9,
    ) {
        let mut hood = Neighbourhood::new(RepoId::github(TARGET));
        let mut gazers = BTreeSet::new();
        let mut known: BTreeMap<u64, Starred> = BTreeMap::new();
        let mut checks: BTreeMap<u64, StarredCheck> = BTreeMap::new();
        for (place, step) in (1u64..).zip(&steps) {
            match step {
                Step::Add(id) => {
                    hood.add(user(*id), version(place));
                    gazers.insert(*id);
                }
                Step::Remove(id) => {
                    hood.remove(user(*id));
                    gazers.remove(id);
                }
                Step::Starred(id, repos) => {
                    let answer = starred(*id, place, repos);
                    prop_assert!(hood.starred(user(*id), &answer, version(place)));
                    // The same once more, or an older one, changes nothing.
                    prop_assert!(!hood.starred(user(*id), &answer, version(place)));
                    prop_assert!(!hood.starred(user(*id), &starred(*id, 0, &BTreeSet::new()), version(place + 1)));
                    known.insert(*id, answer);
                }
                Step::Confirmed(id, step) => {
                    let read_ms = Millis(i64::try_from(*step).unwrap() * 1_000);
                    let checked_ms = Millis(i64::try_from(place).unwrap() * 1_000);
                    let check = StarredCheck { read_ms, checked_ms };
                    prop_assert!(hood.confirm(user(*id), check, version(place)));
                    let older = StarredCheck { checked_ms: Millis(1), ..check };
                    prop_assert!(!hood.confirm(user(*id), older, version(place + 1)));
                    checks.insert(*id, check);
                }
            }
            // Only what the present answer said is confirmed.
            let checked = gazers.iter().filter_map(|id| {
                let answer = known.get(id)?;
                let check = checks.get(id).filter(|check| check.read_ms == answer.asked_ms);
                Some(check.map_or(answer.asked_ms, |check| check.checked_ms.max(answer.asked_ms)))
            });
            prop_assert_eq!(hood.checked_ms(), checked.min());
            let missing: BTreeSet<AccountId> = hood.missing().map(|(_, id)| id).collect();
            let expected = gazers.iter().filter(|id| !known.contains_key(*id)).copied().map(user);
            prop_assert_eq!(missing, expected.collect::<BTreeSet<_>>());
            let all = joined(&hood, 0, NEIGHBOURS_MAX);
            prop_assert_eq!(all, naive(&gazers, &known, 0, NEIGHBOURS_MAX));
        }
        let some = joined(&hood, u32::try_from(shared_min).unwrap(), limit);
        prop_assert_eq!(some, naive(&gazers, &known, shared_min, limit));

        // From its rows, in another order, it is the same.
        let mut again = Neighbourhood::new(RepoId::github(TARGET));
        for (id, answer) in known.iter().rev() {
            again.starred(user(*id), answer, version(1));
        }
        for id in gazers.iter().rev() {
            again.add(user(*id), version(1));
        }
        for (id, check) in &checks {
            again.confirm(user(*id), *check, version(1));
        }
        prop_assert_eq!(again.ranked(), hood.ranked());
        prop_assert_eq!(again.is_complete(), hood.is_complete());
        prop_assert_eq!(again.checked_ms(), hood.checked_ms());
    }
}

#[test]
fn neighbours_larger_than_a_chunk_are_joined_again() {
    let logins: Vec<String> = (0..90_000).map(|id| format!("stargazer-größe-{id:06}")).collect();
    let logins: Vec<&str> = logins.iter().map(String::as_str).collect();
    let shown = |id: u64, name: &'static str, stargazers: &[&'static str]| Shown {
        id: RepoId::github(id),
        owner: user(id),
        full_name: name,
        stargazers: stargazers.to_vec(),
    };
    let large =
        Shown { id: RepoId::github(2), owner: user(2), full_name: "o/large", stargazers: logins.clone() };
    let neighbours = [large.clone(), shown(3, "o/b", &["x", "y"]), shown(4, "o/c", &["x"])];
    let chunks = Chunk::render(version(1), neighbours);
    assert!(chunks.len() > 2);
    for chunk in &chunks {
        let bytes: usize = chunk.pieces.iter().map(|piece| piece.json.len()).sum();
        assert!(bytes <= CHUNK_BYTES_MAX && bytes > 0);
    }
    let all = json!([
        {"repo": "o/large", "stargazers": logins},
        {"repo": "o/b", "stargazers": ["x", "y"]},
        {"repo": "o/c", "stargazers": ["x"]},
    ]);
    assert_eq!(read(&chunks, 0, 10), all);
    assert_eq!(read(&chunks, 2, 10), json!([all[0], all[1]]));
    assert_eq!(read(&chunks, 0, 1), json!([all[0]]));
    assert_eq!(read(&chunks, 0, 0), json!([]));

    // What is hidden is left out with all its parts.
    let mut reader = Reader::new(&head(&chunks), 10, 0);
    let mut body = Vec::new();
    for chunk in &chunks {
        body.extend(reader.read(chunk, |id, owner| (id, owner) == (RepoId::github(2), user(2))).unwrap());
    }
    body.extend_from_slice(reader.end());
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), json!([all[1], all[2]]));

    let other = Chunk::render(version(2), [shown(3, "o/b", &["x"])]);
    assert!(reader.read(&other[0], |_, _| false).is_err(), "chunks of two versions are never joined");
}
