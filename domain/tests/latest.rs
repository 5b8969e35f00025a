//! The newest public repositories: answers in, fragments out, and the payloads that are joined from them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use domain::{
    AccountId, Asked, Epoch, Event, Millis, RepoId, Second, Stamp, Told, Version,
    entity::latest::{Latest, SHOWN_MAX},
    event::{LatestFacts, LatestFeatures, LatestLanguages, LatestList, LatestReading, LatestTold},
    record::Answer,
    service::LatestFold,
    view::{
        body::Stored,
        latest::{Filter, Flag, Fragments, Selection, stats},
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn version(offset: u64) -> Version {
    Version::new(Epoch::FIRST, offset)
}

/// An answer that was asked for when `asked` records were folded.
fn answered(offset: u64, asked: u64) -> Stamp {
    let ms = 1_000 * i64::try_from(asked).unwrap();
    let asked = Asked { asked_at: version(asked), asked_ms: Millis(ms), date: Second(ms / 1_000) };
    Stamp { version: version(offset), received_at: Millis(ms), told: Told::Answer(asked) }
}

fn facts(id: u64) -> LatestFacts {
    LatestFacts {
        id: RepoId::github(id),
        owner_id: Some(AccountId::github(7)),
        owner: "ada".into(),
        name: format!("Engine-{id}"),
        html_url: format!("https://forge.test/ada/Engine-{id}"),
        languages_url: format!("https://api.forge.test/repos/ada/Engine-{id}/languages"),
        description: Some("a \"machine\"".into()),
        created_at: Some(Second(1_700_000_000)),
        updated_at: Some(Second(1_700_000_100)),
        pushed_at: Some(Second(1_700_000_200)),
        size: Some(3),
        language: Some("Rust".into()),
        license: Some("MIT License".into()),
        forks: Some(2),
        open_issues: Some(1),
        watchers: Some(5),
        features: LatestFeatures { wiki: true, ..LatestFeatures::default() },
    }
}

fn list(after: u64, through: u64, ids: impl IntoIterator<Item = u64>) -> LatestReading {
    let repositories = ids.into_iter().map(|id| (RepoId::github(id), format!("ada/Engine-{id}"))).collect();
    let list = LatestList { after, through, is_to_the_end: true, repositories };
    LatestReading { list: Some(list), ..LatestReading::default() }
}

fn told(facts: impl IntoIterator<Item = LatestFacts>) -> LatestReading {
    let told = facts.into_iter().map(|facts| LatestTold { facts, etag: Some("W/\"1\"".into()) }).collect();
    LatestReading { told, ..LatestReading::default() }
}

fn gone(ids: impl IntoIterator<Item = u64>) -> LatestReading {
    LatestReading { gone: ids.into_iter().map(RepoId::github).collect(), ..LatestReading::default() }
}

fn languages(ids: impl IntoIterator<Item = u64>) -> LatestReading {
    let of = |id| LatestLanguages {
        repo: RepoId::github(id),
        bytes: Some(vec![("Rust".into(), 120), ("Shell".into(), 3)]),
    };
    LatestReading { languages: ids.into_iter().map(of).collect(), ..LatestReading::default() }
}

fn fold(latest: &mut Latest, readings: impl IntoIterator<Item = LatestReading>) {
    for (place, reading) in readings.into_iter().enumerate() {
        let asked = u64::try_from(place).unwrap() + 1;
        latest.evolve(&reading, &answered(asked + 1, asked));
    }
}

fn shown(latest: &Latest) -> Vec<u64> {
    latest.shown().map(|(id, ..)| id.as_github().unwrap()).collect()
}

fn known(ids: impl Iterator<Item = u64> + Clone) -> Latest {
    let mut latest = Latest::default();
    let last = ids.clone().max().unwrap();
    fold(&mut latest, [list(0, last, ids.clone()), told(ids.clone().map(facts)), languages(ids)]);
    latest
}

#[test]
fn the_newest_hundred_that_answer_are_shown_newest_first() {
    let latest = known(1..=130);
    assert_eq!(shown(&latest), (31..=130).rev().collect::<Vec<_>>());
    assert!(latest.is_complete());
}

#[test]
fn one_that_does_not_answer_is_replaced_by_the_next_lower() {
    let mut latest = known(1..=130);
    latest.evolve(&gone([130, 100]), &answered(9, 8));
    assert_eq!(shown(&latest), (29..=129).rev().filter(|id| *id != 100).collect::<Vec<_>>());
    assert!(latest.is_complete());
}

#[test]
fn what_is_only_listed_is_asked_for_newest_first_and_makes_the_answer_incomplete() {
    let mut latest = known(1..=130);
    latest.evolve(&list(130, 133, [131, 133]), &answered(9, 8));
    let unasked: Vec<(u64, &str)> =
        latest.unasked().map(|(id, name)| (id.as_github().unwrap(), name)).collect();
    assert_eq!(unasked, [(133, "ada/Engine-133"), (131, "ada/Engine-131")]);
    assert!(!latest.is_complete());
    assert_eq!(shown(&latest)[0], 130, "nothing is shown of which only the name is known");
    latest.evolve(&told([131, 133].map(facts)), &answered(11, 10));
    assert_eq!((shown(&latest)[0], latest.is_complete()), (133, false), "languages are not known yet");
    latest.evolve(&languages([131, 133]), &answered(13, 12));
    assert!(latest.is_complete());
}

#[test]
fn gone_is_believed_until_it_answers_a_later_question() {
    let mut latest = known(1..=3);
    latest.evolve(&gone([2]), &answered(9, 8));
    latest.evolve(&told([facts(2)]), &answered(10, 7));
    assert_eq!(shown(&latest), [3, 1], "an answer that was asked for earlier");
    latest.evolve(&told([facts(2)]), &answered(11, 8));
    assert_eq!(shown(&latest), [3, 1], "at the same moment gone wins");
    latest.evolve(&list(0, 3, 1..=3), &answered(12, 11));
    assert_eq!(shown(&latest), [3, 1], "a list shows what was taken down too");
    assert_eq!(latest.gone().map(|(id, ..)| id).collect::<Vec<_>>(), [RepoId::github(2)]);
    latest.evolve(&told([facts(2)]), &answered(14, 13));
    assert_eq!(shown(&latest), [3, 2, 1]);
}

#[test]
fn lower_ids_are_looked_for_where_too_few_are_known() {
    let mut latest = Latest::default();
    fold(
        &mut latest,
        [list(900, 1_000, 901..=1_000), told((901..=1_000).map(facts)), languages(901..=1_000)],
    );
    assert!(latest.needs_lower() && latest.is_complete(), "a reserve is kept");
    latest.evolve(&gone([950]), &answered(9, 8));
    assert!(!latest.is_complete(), "perhaps a lower one belongs here");
    latest.evolve(&list(700, 900, (701..=900).step_by(2)), &answered(10, 9));
    assert!(!latest.needs_lower());
    assert_eq!(latest.unasked().next().unwrap().0, RepoId::github(899));
    latest.evolve(&told([facts(899)]), &answered(11, 10));
    latest.evolve(&languages([899]), &answered(12, 11));
    assert_eq!(latest.lowest_shown(), Some(RepoId::github(899)));
    assert!(latest.is_complete());
}

/// After a long rest a list begins far above what is known: until it is joined to that, nobody knows what lies between.
#[test]
fn a_gap_in_the_list_is_not_taken_for_empty() {
    let mut latest = known(1..=120);
    latest.evolve(&list(5_000, 5_010, 5_001..=5_010), &answered(9, 8));
    latest.evolve(&told((5_001..=5_010).map(facts)), &answered(10, 9));
    latest.evolve(&languages(5_001..=5_010), &answered(11, 10));
    assert_eq!((latest.newest, latest.floor), (5_010, 5_000));
    assert!(!latest.is_complete() && latest.needs_lower());
    latest.evolve(&list(4_800, 5_000, [4_900]), &answered(12, 11));
    assert_eq!(latest.floor, 4_800);
    latest.evolve(&list(100, 4_800, []), &answered(13, 12));
    assert_eq!(latest.unasked().next().unwrap().0, RepoId::github(4_900));
}

#[test]
fn memory_is_bounded_whatever_is_listed_and_whatever_vanishes() {
    let mut latest = Latest::default();
    for round in 0..50_u64 {
        let ids = round * 1_000 + 1..=round * 1_000 + 1_000;
        latest.evolve(
            &list(round * 1_000, (round + 1) * 1_000, ids.clone()),
            &answered(3 * round + 2, 3 * round + 1),
        );
        latest.evolve(&told(ids.clone().step_by(3).map(facts)), &answered(3 * round + 3, 3 * round + 2));
        latest.evolve(&gone(ids.skip(1).step_by(3)), &answered(3 * round + 4, 3 * round + 3));
    }
    assert!(latest.repositories.len() <= 750, "{} are kept", latest.repositories.len());
    assert_eq!(shown(&latest).len(), SHOWN_MAX);
    assert!(latest.floor > 49_000, "what was forgotten is not believed to be known");
}

#[test]
fn languages_are_asked_for_again_once_the_forge_has_recomputed_them() {
    let mut latest = known(1..=1);
    let id = RepoId::github(1);
    let pushed = 1_800_000_000;
    let mut changed = facts(1);
    changed.pushed_at = Some(Second(pushed));
    latest.evolve(&told([changed]), &answered(9, 8));
    assert!(latest.repositories[&id].wants_languages(Second(pushed)), "they are of before the push");
    let mut at_once = answered(11, 10);
    let Told::Answer(asked) = &mut at_once.told else { unreachable!() };
    asked.date = Second(pushed + 5);
    latest.evolve(&languages([1]), &at_once);
    assert!(!latest.repositories[&id].wants_languages(Second(pushed + 500)));
    assert!(latest.repositories[&id].wants_languages(Second(pushed + 600)));
}

/// What S4 shows, as its users read it.
#[test]
fn a_repository_is_shown_as_s4_shows_it() {
    let mut latest = Latest::default();
    let mut bare = facts(2);
    (bare.description, bare.language, bare.license, bare.size) = (None, None, None, None);
    fold(&mut latest, [list(0, 2, 1..=2), told([facts(1), bare]), languages([1])]);
    let fragments = Fragments::of(&latest);
    let payload: Value = serde_json::from_slice(&fragments.repos(Selection::all(2))).unwrap();
    insta::assert_json_snapshot!(payload);
    assert_eq!(fragments.as_of(Selection::all(2)), Second(1_700_000_100), "no push is in it");
}

#[test]
fn an_empty_selection_is_an_empty_list() {
    let fragments = Fragments::of(&known(1..=3));
    let nothing = fragments.select(&Filter::default().name("no such"));
    assert_eq!(fragments.repos(nothing), br#"{"repositories":[]}"#);
    let empty: BTreeMap<String, BTreeMap<String, u64>> =
        serde_json::from_slice(&stats(&fragments, nothing)).unwrap();
    assert!(empty.len() == 8 && empty.values().all(BTreeMap::is_empty), "{empty:?}");
}

#[test]
fn filters_are_anded_and_look_where_they_should() {
    let mut latest = Latest::default();
    let mut other = facts(2);
    other.name = "Мотор".into();
    other.language = Some("Go".into());
    other.license = Some("Apache License 2.0".into());
    other.open_issues = Some(0);
    other.features = LatestFeatures { pages: true, allow_forking: true, ..LatestFeatures::default() };
    fold(&mut latest, [list(0, 2, 1..=2), told([facts(1), other]), languages([1])]);
    let fragments = Fragments::of(&latest);
    let selected = |filter: Filter| -> Vec<u64> {
        let selection = fragments.select(&filter);
        fragments.selected(selection).map(|fragment| fragment.id.as_github().unwrap()).collect()
    };
    let any = Filter::default;
    for (filter, ids) in [
        (any(), vec![2, 1]),
        (any().name("ENGINE"), vec![1]),
        (any().name("мОТ"), vec![2]),
        (any().name("ada"), vec![]),
        (any().language("shel"), vec![1]),
        (any().language("rust"), vec![1]),
        (any().language("GO"), vec![2]),
        (any().license("license"), vec![2, 1]),
        (any().license("mit"), vec![1]),
        (any().license("license").name("engine"), vec![1]),
        (any().license("apache").name("engine"), vec![]),
        (any().flag(Flag::OpenIssues, true), vec![1]),
        (any().flag(Flag::OpenIssues, false), vec![2]),
        (any().flag(Flag::Wiki, true), vec![1]),
        (any().flag(Flag::Pages, true).flag(Flag::AllowForking, true), vec![2]),
        (any().flag(Flag::Pages, true).flag(Flag::Wiki, true), vec![]),
        (any().flag(Flag::Projects, false).flag(Flag::Downloads, false), vec![2, 1]),
        (any().flag(Flag::Discussions, true), vec![]),
    ] {
        assert_eq!(selected(filter.clone()), ids, "{filter:?}");
    }
}

#[test]
fn stats_are_averages_by_primary_language_and_by_licence() {
    let mut latest = Latest::default();
    let mut second = facts(2);
    (second.forks, second.open_issues, second.size) = (Some(5), None, Some(4));
    let mut third = facts(3);
    (third.language, third.license, third.forks) = (None, None, Some(1));
    fold(&mut latest, [list(0, 3, 1..=3), told([facts(1), second, third])]);
    let fragments = Fragments::of(&latest);
    let payload: Value = serde_json::from_slice(&stats(&fragments, Selection::all(3))).unwrap();
    assert_eq!(
        payload,
        json!({
            "avg_num_forks_per_repo_by_language": {"": 1, "Rust": 3.5},
            "avg_num_open_issues_by_language": {"": 1, "Rust": 1},
            "avg_size_by_language": {"": 3, "Rust": 3.5},
            "num_repos_by_language": {"": 1, "Rust": 2},
            "avg_num_forks_per_repo_by_license": {"": 1, "MIT License": 3.5},
            "avg_num_open_issues_by_license": {"": 1, "MIT License": 1},
            "avg_size_by_license": {"": 3, "MIT License": 3.5},
            "num_repos_by_license": {"": 1, "MIT License": 2},
        })
    );
}

#[test]
fn a_record_that_is_folded_already_is_only_written_again() {
    let mut fold = LatestFold::load(None).unwrap();
    fold.evolve(&list(0, 3, 1..=3), &answered(5, 4));
    fold.evolve(&told((1..=3).map(facts)), &answered(6, 5));
    let rows = fold.rows();
    let mut again = LatestFold::load(Some(&rows[0])).unwrap();
    again.evolve(&gone(1..=3), &answered(6, 5));
    assert_eq!(again.rows(), rows);
    let Stored::Body(body) = Stored::decode(&rows[1].value).unwrap() else { panic!("there is a view") };
    assert!(!body.meta.complete && body.meta.checked_ms.is_some());
}

/// The log holds it for ever.
#[test]
fn the_body_of_an_answer_is_frozen_and_reads_back() {
    let mut reading = told([facts(3)]);
    reading.list = list(1, 3, [2, 3]).list;
    reading.languages = languages([3]).languages;
    (reading.gone, reading.unchanged) = (vec![RepoId::github(2)], vec![RepoId::github(1)]);
    let Told::Answer(asked) = answered(2, 1).told else { unreachable!() };
    let answer = Answer { asked, events: vec![Event::Latest(Box::new(reading))], cursors: Vec::new() };
    let body = answer.encode();
    insta::assert_snapshot!(String::from_utf8(body.clone()).unwrap());
    assert_eq!(Answer::decode(&body).unwrap(), answer);
}

/// What may happen to one of a few repositories.
fn reading() -> impl Strategy<Value = LatestReading> {
    let ids = || prop::collection::vec(1..12_u64, 0..4);
    let some_facts =
        (1..12_u64, 0..3_u64).prop_map(|(id, forks)| LatestFacts { forks: Some(forks), ..facts(id) });
    prop_oneof![
        prop::collection::vec(some_facts, 0..4).prop_map(told),
        ids().prop_map(gone),
        ids().prop_map(languages),
        ids().prop_map(|mut ids| {
            ids.sort_unstable();
            ids.dedup();
            list(0, 12, ids)
        }),
    ]
}

proptest! {
    #[test]
    fn any_order_and_any_doubling_of_the_same_answers_comes_to_the_same(
        answers in prop::collection::vec((reading(), 1..6_u64), 1..12),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let fold = |order: &mut dyn Iterator<Item = usize>| {
            let mut latest = Latest::default();
            for place in order {
                let (reading, asked) = &answers[place];
                latest.evolve(reading, &answered(100, *asked));
            }
            latest
        };
        let straight = fold(&mut (0..answers.len()));
        let shuffled = order.iter().map(|index| index.index(answers.len()));
        let other = fold(&mut shuffled.chain((0..answers.len()).rev()));
        prop_assert_eq!(Fragments::of(&other), Fragments::of(&straight));
        prop_assert_eq!(other, straight);
    }
}
