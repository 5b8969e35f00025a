//! S4 against a forge that fails: what is known stays, what is not is said, and nobody else is asked.

use std::{net::SocketAddr, time::Duration};

use fake_github::faults::RequestFault;
use serde_json::Value;
use tokio::net::TcpListener;

use super::support::{
    latest::{Scene, WITHIN, ids},
    process::Service,
    until,
};

/// Answers that help nobody.
fn useless(elsewhere: SocketAddr) -> [(&'static str, RequestFault); 8] {
    [
        ("nonsense", RequestFault::Nonsense),
        ("cut short", RequestFault::Truncate),
        ("no answer", RequestFault::Reset),
        ("refused", RequestFault::Refuse(404)),
        ("a redirect to another host", RequestFault::Redirect(elsewhere)),
        ("pages at another host", RequestFault::NextAt(elsewhere)),
        ("pages in a circle", RequestFault::NextLoops),
        ("an error", RequestFault::ServerError(500)),
    ]
}

/// Waits until so many more lists were asked for.
async fn polls(scene: &Scene, count: usize) {
    let lists = || scene.asked(|path| path == "/repositories");
    let before = lists();
    until(WITHIN, "polls", async || if lists() >= before + count { Ok(()) } else { Err(lists()) }).await;
}

async fn until_incomplete(service: &Service, what: &str) {
    let reader = service.reader();
    until(WITHIN, what, async || {
        let answer = reader.get("/repos").await;
        if answer.status == 200 && !answer.is_complete() { Ok(()) } else { Err(answer.status) }
    })
    .await;
}

/// Somebody who must hear nothing.
async fn elsewhere() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn assert_unheard(listener: &TcpListener) {
    let heard = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
    assert!(heard.is_err(), "another host was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn before_anything_is_known_it_says_so_and_then_recovers() {
    let scene = Scene::new(120).await;
    let (listener, address) = elsewhere().await;
    for (what, fault) in useless(address) {
        let folder = tempfile::TempDir::new().unwrap();
        let setup = scene.setup.clone().with("DATA_DIR", folder.path().to_str().unwrap());
        scene.forge.fake.faults().on_requests("/repositories", fault, None);
        let service = setup.serve().await;
        let reader = service.reader();
        polls(&scene, 2).await;
        let answer = reader.get("/repos").await;
        if answer.status == 200 {
            // Pages that lead nowhere still tell something.
            assert!(!answer.is_complete(), "{what}");
        } else {
            let problem = answer.refused(503);
            assert!(problem["type"].as_str().unwrap().ends_with("/errors/computing"), "{what}: {problem}");
            assert!(answer.header("retry-after").is_some(), "{what}");
        }
        scene.forge.fake.faults().stop();
        scene.until_true(&service).await;
        service.terminate().await.done();
    }
    assert_unheard(&listener).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_is_served_while_the_forge_fails() {
    let scene = Scene::new(120).await;
    let (listener, address) = elsewhere().await;
    let service = scene.setup.serve().await;
    let reader = service.reader();
    let known = ids(&scene.until_true(&service).await);
    for (what, fault) in useless(address) {
        // Lists and repositories alike.
        scene.forge.fake.faults().on_requests("/repo*", fault, None);
        polls(&scene, 2).await;
        let answer = reader.get("/repos").await.ok();
        if fault != RequestFault::Refuse(404) {
            assert_eq!(ids(&answer), known, "{what}");
        }
        reader.get("/stats?has_wiki=true").await.ok();
        scene.forge.fake.faults().stop();
        scene.until_true(&service).await;
    }
    assert_unheard(&listener).await;
    service.terminate().await.done();
}

/// Readers never wait for the forge.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_forge_makes_nobody_wait() {
    let scene = Scene::new(110).await;
    let service = scene.setup.serve().await;
    scene.until_true(&service).await;
    scene.forge.fake.faults().on_requests("*", RequestFault::Slow(Duration::from_secs(20)), None);
    let begun = std::time::Instant::now();
    for _ in 0..50 {
        service.reader().get("/repos").await.ok();
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    scene.forge.fake.faults().stop();
    service.terminate().await.done();
}

/// A repository whose numbers cannot be had is not made up, and its neighbours are shown.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_answers_nonsense_is_left_out_and_the_answer_says_so() {
    let scene = Scene::new(60).await;
    let newest = scene.newest();
    let name = scene.world(|world| world.truth(newest[5])).unwrap().full_name;
    let faults = scene.forge.fake.faults();
    faults.on_requests(&format!("/repos/{name}/languages"), RequestFault::Refuse(403), None);
    let service = scene.setup.serve().await;
    until_incomplete(&service, "all but some languages").await;
    let shown = until(WITHIN, "all of them", async || {
        let answer = service.reader().get("/repos").await;
        let list = if answer.status == 200 { ids(&answer) } else { Vec::new() };
        let languages = |repo: &Value| repo["languages"].as_object().is_some_and(|all| !all.is_empty());
        let known = answer.json()["repositories"].as_array().is_some_and(|all| all.iter().any(languages));
        if list.len() == 60 && known { Ok(answer) } else { Err(list.len()) }
    })
    .await;
    assert!(!shown.is_complete());
    assert_eq!(shown.json()["repositories"][5]["languages"], serde_json::json!({}));
    scene.forge.fake.faults().stop();
    service.terminate().await.done();
}
