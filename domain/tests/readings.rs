//! What a repository takes from readings that come late, or tell something else of the same second.
#![expect(clippy::unwrap_used, reason = "tests")]

use domain::{
    Asked, Epoch, Millis, RepoId, Second, Stamp, Told, Version, entity::repository::Repository,
    event::RepositoryReading,
};

fn delivery(offset: u64) -> Stamp {
    // Our clock runs the other way round: nothing may depend on it.
    let received_at = Millis(1_000_000 - i64::try_from(offset).unwrap() * 10_000);
    Stamp { version: Version::new(Epoch::FIRST, offset), received_at, told: Told::Delivery }
}

fn answer(offset: u64, asked_at: u64) -> Stamp {
    let asked =
        Asked { asked_at: Version::new(Epoch::FIRST, asked_at), asked_ms: Millis(0), date: Second(200) };
    Stamp { told: Told::Answer(asked), ..delivery(offset) }
}

fn reading(name: &'static str, topic: &'static str, at: i64) -> RepositoryReading<'static> {
    RepositoryReading {
        name: Some(name.into()),
        private: Some(false),
        topics: Some(vec![topic.into()]),
        updated_at: Some(Second(at)),
        pushed_at: Some(Second(at)),
        as_of: Some(Second(at)),
        ..RepositoryReading::of(RepoId::github(1))
    }
}

fn folded(readings: &[(RepositoryReading<'_>, Stamp)]) -> Repository {
    let mut repo = Repository::new(&readings[0].1);
    for (reading, stamp) in readings {
        repo.read(reading, stamp);
    }
    repo
}

fn topics(repo: &Repository) -> &[String] {
    &repo.facts.topics.as_ref().unwrap().value
}

#[test]
fn the_forges_time_decides_and_not_the_time_of_arrival() {
    for order in [[100, 110], [110, 100]] {
        let told = order.map(|at| if at == 110 { reading("new", "b", at) } else { reading("old", "a", at) });
        let [first, second] = told;
        let repo = folded(&[(first, delivery(1)), (second, delivery(2))]);
        assert_eq!((repo.name(), topics(&repo)), (Some("new"), ["b".to_owned()].as_slice()), "{order:?}");
        assert_eq!(repo.facts.doubt, None, "{order:?}");
        assert_eq!(repo.facts.former_names[0].value, "old", "the old name leads here in either order");
    }
}

#[test]
fn another_fact_of_the_same_second_is_doubt_until_it_is_asked() {
    let tie = [(reading("hello", "a", 100), delivery(1)), (reading("hello", "b", 100), delivery(2))];
    assert!(folded(&tie).facts.doubt.is_some());

    let early = [tie.as_slice(), &[(reading("hello", "a", 100), answer(3, 1))]].concat();
    assert!(folded(&early).facts.doubt.is_some(), "asked before the tie was folded");

    let asked = [tie.as_slice(), &[(reading("hello", "a", 100), answer(3, 2))]].concat();
    let repo = folded(&asked);
    assert_eq!((topics(&repo), repo.facts.doubt), (["a".to_owned()].as_slice(), None));
}
