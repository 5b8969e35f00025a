//! A good day: roles apart, two of each, from the first contact with a forge to its live deliveries.

use std::time::Duration;

use fake_github::{HookTarget, NewHook, RepoId};

use crate::{
    place::Place,
    process::Process,
    roles::TRUE_WITHIN,
    support::{
        SECRET,
        forge::{Forge, told},
        seconds, seed,
        sender::{Delivery, Sender},
        truth::until_true,
        until,
    },
};

/// Things that happen.
const STEPS: usize = 150;

/// A delivery of 20 MiB.
const LARGE_BYTES: usize = 20 << 20;

async fn dead_letters(projectors: &[Process]) -> f64 {
    let mut sum = 0.0;
    for process in projectors {
        sum += process.metric("tallyhook_dead_letters").await;
    }
    sum
}

async fn one_dead_letter(projectors: &[Process]) {
    until(TRUE_WITHIN, "one dead letter in all", async || {
        let sum = dead_letters(projectors).await;
        if sum == 1.0 { Ok(()) } else { Err(sum) }
    })
    .await;
}

/// A delivery from a clock that is years ahead.
fn from_the_future(forge: &Forge, repo: RepoId) -> Delivery {
    let push = forge.untold_push(repo);
    let mut body: serde_json::Value = serde_json::from_slice(&push.body).unwrap();
    body["repository"]["updated_at"] = "2099-01-01T00:00:00Z".into();
    Delivery::new("push", "from-the-future", serde_json::to_vec(&body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_each_role_show_the_truth() {
    let Some(place) = Place::shared("roles apart on a good day").await else { return };
    let forge = Forge::with_past(seed(71), 4).await;
    let setup = place.setup(&forge);
    let said = place.migrate(&setup).await;
    assert!(said.contains("partitions"), "{said}");
    let again = setup.run(&["migrate", "--partitions", "6"]).await.done();
    assert!(again.contains("is up to date"), "{again}");
    let wrong = setup.run(&["migrate", "--partitions", "7"]).await.failed(1);
    assert!(wrong.contains("6 partitions"), "{wrong}");

    let query = Process::start(&setup, "query-api").await;
    let not_yet = crate::support::reader::Reader::new(query.ops).get("/readyz").await;
    assert_eq!(not_yet.status, 503, "there are no views yet: {}", not_yet.text());
    let doors = [Process::start(&setup, "ingest").await, Process::start(&setup, "ingest").await];
    let projectors = [Process::start(&setup, "projector").await, Process::start(&setup, "projector").await];
    for process in doors.iter().chain(&projectors).chain([&query]) {
        process.ready().await;
    }
    until_true(&forge, &query.reader(), TRUE_WITHIN).await;
    let other = Process::start(&setup, "query-api").await;
    other.ready().await;
    until_true(&forge, &other.reader(), TRUE_WITHIN).await;
    for projector in &projectors {
        projector.has_partitions().await;
    }

    // One door takes what an App's webhook sends, the other what a second one sends: every delivery twice.
    for door in &doors {
        let url = format!("http://{}/webhooks/github", door.api());
        forge.fake.world(|world| world.create_hook(NewHook::new(HookTarget::App, &url, SECRET))).unwrap();
    }
    let mut life = forge.life(seed(72), told());
    for step in 0..STEPS {
        forge.fake.world(|world| life.step(world).map(drop)).unwrap();
        let pause = if step % 40 == 39 { 600 } else { u64::try_from(step % 4).unwrap() * 10 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    forge.fake.settle().await;
    // What a fork is told of its parent's end is no part of this life: the next sweep would tell.
    until_true(&forge, &query.reader(), TRUE_WITHIN).await;
    until_true(&forge, &other.reader(), TRUE_WITHIN).await;

    for projector in &projectors {
        assert!(projector.metric("tallyhook_projected_records_total").await > 0.0, "both folded");
    }

    // As large as GitHub sends them: the push is what counts, not what surrounds it.
    let repo = forge.open_repository(0).id;
    let mut large = forge.untold_push(repo);
    large.body.resize(LARGE_BYTES, b' ');
    Sender::new().accepted(doors[1].api(), &large).await;
    until_true(&forge, &query.reader(), TRUE_WITHIN).await;

    // Commands reach one window, go through the log, and are done when they return.
    let talking = setup.clone().with("OPS_URL", &format!("http://{}", other.ops));
    let login = forge.logins().remove(0);
    talking.run(&["untrack", &login]).await.done();
    until(seconds(40), "the other window to hear of it", async || {
        let answer = query.reader().get(&format!("/v1/accounts/{login}")).await;
        if answer.status == 404 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    let refused = other.reader().get(&format!("/v1/accounts/{login}")).await;
    assert_eq!(refused.status, 404, "{}", refused.text());
    talking.run(&["track", &login]).await.done();

    // What cannot be folded is counted by the one projector that holds its partition, whichever that is by now.
    assert_eq!(dead_letters(&projectors).await, 0.0);
    Sender::new().accepted(doors[0].api(), &from_the_future(&forge, repo)).await;
    one_dead_letter(&projectors).await;
    let mut projectors = Vec::from(projectors);
    projectors.remove(0).terminate().await.done();
    one_dead_letter(&projectors).await;
    projectors.push(Process::start(&setup, "projector").await);
    projectors[1].has_partitions().await;
    one_dead_letter(&projectors).await;

    for process in projectors.into_iter().chain(doors).chain([query, other]) {
        process.terminate().await.done();
    }
}
