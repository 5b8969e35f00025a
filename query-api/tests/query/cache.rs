//! Rows in memory: read once, never older than the newest hint, and not trusted for ever.

use std::{sync::Arc, time::Duration};

use domain::{Event, Forge, RepoId, RowKey, StreamKey, ViewKey};
use tokio::join;
use view_store::{Hint, Hints as _, Row, ViewStore as _};

use crate::{
    bench::{Bench, impatient, patient},
    forge::OCTO,
};

const PATH: &str = "/v1/repos/octo/a";

fn view() -> RowKey {
    RowKey::View(OCTO.stream(), ViewKey::Repository(RepoId::github(1)))
}

fn commits(reply: &crate::bench::Reply) -> u64 {
    assert_eq!(reply.status, 200);
    reply.json()["counts"]["commits"].as_u64().unwrap()
}

#[tokio::test]
async fn a_row_is_read_once_by_many_and_changes_come_by_hint() {
    let bench = Arc::new(Bench::new(patient()).await);
    OCTO.settle(&bench, &[(1, "a")]).await;
    let gate = bench.store.gate(view());
    let readers: Vec<_> = (0..20)
        .map(|_| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move { commits(&bench.get(PATH).await) })
        })
        .collect();
    gate.arrival().await;
    gate.let_go();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), 10);
    }
    assert_eq!(bench.store.reads_of(&view()), 1);

    OCTO.commit(&bench, 1, 11).await;
    assert_eq!(commits(&bench.get(PATH).await), 11);
    assert_eq!(bench.store.reads_of(&view()), 1, "the hint brought the row along");

    let metric = |name: &str| {
        let families = bench.registry.gather();
        let metric = families.iter().find(|family| family.name() == name).unwrap().get_metric()[0].clone();
        metric.get_counter().get_value() + metric.get_gauge().get_value()
    };
    assert!(metric("tallyhook_query_cache_hits_total") > 0.0);
    assert!(metric("tallyhook_query_cache_misses_total") > 0.0);
    assert!(metric("tallyhook_query_cache_bytes") > 0.0);
}

#[tokio::test]
async fn that_there_is_no_row_is_remembered_until_there_is_one() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    let name = RowKey::RepoName(OCTO.id(), "new".to_owned());
    for _ in 0..3 {
        bench.get("/v1/repos/octo/NEW").await.problem(404, "not-found");
    }
    assert_eq!(bench.store.reads_of(&name), 1);
    bench.answer(OCTO.stream(), OCTO.everything_about(2, "new", 3)).await;
    assert_eq!(commits(&bench.get("/v1/repos/octo/NEW").await), 3);
    assert_eq!(bench.store.reads_of(&name), 1);
}

#[tokio::test]
async fn a_load_that_a_hint_overtakes_gives_what_the_hint_brought() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    let gate = bench.store.gate(view());
    let (first, second, ()) = join!(bench.get(PATH), bench.get(PATH), async {
        gate.arrival().await;
        // The reader holds ten commits in its hands while the eleventh is hinted at.
        OCTO.commit(&bench, 1, 11).await;
        gate.let_go();
    });
    assert_eq!((commits(&first), commits(&second)), (11, 11));
    assert_eq!(commits(&bench.get(PATH).await), 11);
    assert_eq!(bench.store.reads_of(&view()), 1);
}

#[tokio::test]
async fn a_hiding_that_overtakes_a_load_is_seen() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    let gate = bench.store.gate(view());
    let (reply, ()) = join!(bench.get(PATH), async {
        gate.arrival().await;
        OCTO.hide(&bench, 1).await;
        gate.let_go();
    });
    reply.problem(404, "not-found");
    bench.get(PATH).await.problem(404, "not-found");
}

#[tokio::test]
async fn without_values_in_hints_a_changed_row_is_read_again() {
    let bench = Bench::new(patient()).await;
    bench.hints.leave_values_out();
    OCTO.settle(&bench, &[(1, "a")]).await;
    assert_eq!(commits(&bench.get(PATH).await), 10);
    OCTO.commit(&bench, 1, 11).await;
    assert_eq!(commits(&bench.get(PATH).await), 11);
    assert_eq!(bench.store.reads_of(&view()), 2);
    bench.get(PATH).await;
    assert_eq!(bench.store.reads_of(&view()), 2);

    // And a load that began before the hint is done again.
    OCTO.commit(&bench, 1, 12).await;
    let gate = bench.store.gate(view());
    let (reply, ()) = join!(bench.get(PATH), async {
        gate.arrival().await;
        OCTO.commit(&bench, 1, 13).await;
        gate.let_go();
        gate.arrival().await;
        gate.let_go();
    });
    assert_eq!(commits(&reply), 13);
    assert_eq!(bench.store.reads_of(&view()), 4);
}

#[tokio::test]
async fn after_lost_hints_everything_is_read_again() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    assert_eq!(commits(&bench.get(PATH).await), 10);
    bench.hints.lose(view());
    OCTO.commit(&bench, 1, 11).await;
    assert_eq!(commits(&bench.get(PATH).await), 10, "nobody told");
    bench.hints.overrun();
    bench.settle().await;
    assert_eq!(commits(&bench.get(PATH).await), 11);
}

#[tokio::test]
async fn a_load_during_which_hints_were_lost_is_done_again() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    bench.hints.lose(view());
    let gate = bench.store.gate(view());
    let (reply, ()) = join!(bench.get(PATH), async {
        gate.arrival().await;
        OCTO.commit(&bench, 1, 11).await;
        bench.hints.overrun();
        bench.settle().await;
        gate.let_go();
        gate.arrival().await;
        gate.let_go();
    });
    assert_eq!(commits(&reply), 11);
}

#[tokio::test]
async fn a_load_that_hints_or_losses_kept_disturbing_is_not_kept() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    let version = bench.store.get(&view()).await.unwrap().unwrap().version;
    let before = bench.store.reads_of(&view());
    let gate = bench.store.gate(view());
    // A tie: written again, perhaps with another value.
    let ((), ()) = join!(
        async {
            for _ in 0..2 {
                assert_eq!(commits(&bench.get(PATH).await), 10);
            }
        },
        async {
            gate.arrival().await;
            bench.hints.publish(vec![Hint::Row { key: view(), version, value: None }]);
            bench.settle().await;
            gate.let_go();
            // The second reader reads for itself, and hints are lost whenever it has.
            for _ in 0..4 {
                gate.arrival().await;
                bench.hints.overrun();
                bench.settle().await;
                gate.let_go();
            }
        }
    );
    assert_eq!(bench.store.reads_of(&view()), before + 5);
    let (reply, ()) = join!(bench.get(PATH), async {
        gate.arrival().await;
        gate.let_go();
    });
    assert_eq!(commits(&reply), 10);
}

#[tokio::test]
async fn a_waiting_reader_looks_again_after_lost_hints() {
    let bench = Bench::new(patient()).await;
    let alias = RowKey::Alias(Forge::GitHub, "octo".to_owned());
    bench.hints.lose(alias);
    let (reply, ()) = join!(bench.get("/v1/accounts/octo"), async {
        bench.until_commands(StreamKey::Service, 2).await;
        OCTO.settle(&bench, &[(1, "a")]).await;
        bench.hints.overrun();
    });
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn when_nobody_hints_any_more_nothing_is_kept() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    assert_eq!(commits(&bench.get(PATH).await), 10);
    bench.hints.end();
    let mut reads = bench.store.reads_of(&view());
    // The listener hears the end in its own time; from then on every request reads.
    while bench.store.reads_of(&view()) == reads {
        bench.get(PATH).await;
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        reads = bench.store.reads_of(&view());
        assert_eq!(bench.get(PATH).await.status, 200);
        assert_eq!(bench.store.reads_of(&view()), reads + 1);
    }
}

#[tokio::test]
async fn in_a_cluster_a_row_is_looked_at_again_after_a_while() {
    let mut settings = patient();
    settings.cache_age_max = Some(Duration::from_secs(30));
    let bench = Bench::new(settings).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    assert_eq!(commits(&bench.get(PATH).await), 10);
    bench.hints.lose(view());
    OCTO.commit(&bench, 1, 11).await;
    assert_eq!(commits(&bench.get(PATH).await), 10);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(commits(&bench.get(PATH).await), 11);
    let reads = bench.store.reads_of(&view());
    bench.get(PATH).await;
    assert_eq!(bench.store.reads_of(&view()), reads);
}

#[tokio::test]
async fn a_reader_who_leaves_in_the_middle_of_a_load_does_not_strand_the_others() {
    let bench = Arc::new(Bench::new(patient()).await);
    OCTO.settle(&bench, &[(1, "a")]).await;
    let gate = bench.store.gate(view());
    let read = |bench: &Arc<Bench>| {
        let bench = Arc::clone(bench);
        tokio::spawn(async move { bench.get(PATH).await })
    };
    let leader = read(&bench);
    gate.arrival().await;
    let joiner = read(&bench);
    // It looks at everything before the view without waiting.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    gate.arrival().await;
    gate.let_go();
    assert_eq!(commits(&joiner.await.unwrap()), 10);
}

#[tokio::test]
async fn a_store_that_is_away_is_said_so_and_not_remembered() {
    let bench = Bench::new(impatient()).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    bench.store.go_away(true);
    let reply = bench.get(PATH).await;
    reply.problem(503, "unavailable");
    assert_eq!(reply.header("retry-after"), "1");
    bench.store.go_away(false);
    assert_eq!(commits(&bench.get(PATH).await), 10);
    bench.store.go_away(true);
    assert_eq!(commits(&bench.get(PATH).await), 10, "what is in memory needs no store");
}

#[tokio::test]
async fn a_payload_larger_than_the_cache_is_served_all_the_same() {
    let mut settings = patient();
    settings.cache_bytes = 2_000;
    let bench = Bench::new(settings).await;
    OCTO.settle(&bench, &[(1, "a")]).await;
    for round in 11..14 {
        OCTO.commit(&bench, 1, round).await;
        assert_eq!(commits(&bench.get(PATH).await), round);
        assert_eq!(
            bench.get("/v1/accounts/octo/repos").await.json()["repositories"][0]["counts"]["commits"],
            round
        );
    }
}

#[tokio::test]
async fn a_row_of_a_newer_release_is_an_error_of_ours_and_nothing_else() {
    let bench = Bench::new(patient()).await;
    OCTO.settle(&bench, &[(1, "a"), (2, "b")]).await;
    assert_eq!(commits(&bench.get(PATH).await), 10);
    let version = domain::Version::new(domain::Epoch(2), 0);
    let row = Row { key: view(), version, value: vec![250, 1, 2].into() };
    bench.store.write(vec![row.clone()]).await.unwrap();
    bench.hints.publish(vec![Hint::Row { key: view(), version, value: Some(row.value) }]);
    bench.settle().await;
    bench.get(PATH).await.problem(500, "internal");
    assert_eq!(bench.get("/v1/repos/octo/b").await.status, 200);
    bench.command(OCTO.stream(), vec![Event::Read]).await;
    assert_eq!(bench.get("/githubPayload?user=octo").await.status, 200);
}
