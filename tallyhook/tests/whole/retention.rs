//! A log that forgets: bases replace what is past retention, whenever the process is killed, and rows that are built
//! anew from what is left show the same bytes.

use std::{fs, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tempfile::TempDir;

use super::support::{
    forge::Forge,
    load::{self, Load, Wrongs},
    process::{Service, Setup, is_listening},
    reader::Reader,
    seconds, seed,
    sender::{Delivery, Sender},
    truth::until_true,
    until,
};

const WITHIN: Duration = seconds(90);
const SENDERS: usize = 24;
/// How often the process is killed while it makes bases and forgets.
const KILLS: usize = 8;
const LIFE_MS_MAX: u64 = 3_000;

/// A counter or gauge of a process; 0 where it has none.
async fn metric(service: &Service, name: &str) -> f64 {
    let text = service.ops_reader().get("/metrics").await.text();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or(0.0)
}

/// Waits until a process has forgotten so many records since its start.
async fn until_forgotten(service: &Service, records: f64) {
    until(WITHIN, "the log to forget", async || {
        let forgotten = metric(service, "tallyhook_log_trimmed_records_total").await;
        if forgotten >= records { Ok(()) } else { Err(forgotten) }
    })
    .await;
}

/// Every payload of every account and repository.
async fn payloads(forge: &Forge, reader: &Reader) -> Vec<(String, String)> {
    let mut payloads = Vec::new();
    for account in forge.truths() {
        let mut paths = vec![
            format!("/githubPayload?user={}", account.login),
            format!("/health-check?url=https://github.com/{}", account.login),
            format!("/v1/accounts/{}", account.login),
            format!("/v1/accounts/{}/repos?per_page=100", account.login),
        ];
        paths.extend(account.repositories.iter().map(|truth| format!("/v1/repos/{}", truth.full_name)));
        for path in paths {
            let text = reader.get(&path).await.ok().text();
            payloads.push((path, text));
        }
    }
    payloads
}

/// What is shown must be these payloads, as soon as it is ready.
async fn must_show(service: &Service, wanted: &[(String, String)], when: &str) {
    service.ready().await;
    for (path, wanted) in wanted {
        assert_eq!(&service.reader().get(path).await.ok().text(), wanted, "{when}: {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_that_forgets_loses_nothing_and_builds_the_same_anew() {
    let folder = TempDir::new().unwrap();
    let (forge, clock) = load::forge(SENDERS).await;
    // So short that bases are made all the time.
    let setup = Setup::of(folder.path(), &forge)
        .with("TRACK", &forge.track())
        .with("RECONCILE", "off")
        .with("LOG_RETENTION", "2s");
    let mut service = setup.serve().await;
    until_true(&forge, &service.reader(), WITHIN).await;
    // The forge answers nothing from now on: what is shown comes from the log alone.
    let load = Load::new(forge, clock);
    let senders = load.start();
    load.send_to(service.api, SENDERS);
    until_forgotten(&service, 1.0).await;

    let mut rng = StdRng::seed_from_u64(seed(59));
    let mut wrongs = Wrongs::default();
    for kill in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(rng.random_range(1..LIFE_MS_MAX))).await;
        service.kill().await;
        load.pause();
        if kill % 3 == 1 {
            fs::remove_file(setup.data().join("state.redb")).unwrap();
        }
        let running = setup.begin_serving();
        let line = running.stderr.find(WITHIN, is_listening).await.expect("it starts again");
        service = Service::new(running, &line);
        service.ready().await;
        load.compare(&service.reader(), &format!("after kill {kill}"), &mut wrongs).await;
        load.send_to(service.api, SENDERS);
        if kill % 2 == 0 {
            // A base of this life's, and what is behind it is gone.
            until_forgotten(&service, 1.0).await;
        }
    }
    load.end(service.api, senders).await;
    load.compare(&service.reader(), "at the end", &mut wrongs).await;
    wrongs.none();
    until_forgotten(&service, 1.0).await;

    let shown = payloads(&load.forge, &service.reader()).await;
    let copy = folder.path().join("copy");
    setup.talking_to(&service).run(&["backup", copy.to_str().unwrap()]).await.done();
    service.kill().await;
    let service = setup.serve().await;
    must_show(&service, &shown, "after a restart").await;
    service.terminate().await.done();
    for place in [setup.data(), copy] {
        fs::remove_file(place.join("state.redb")).unwrap();
        let setup = setup.clone().with("DATA_DIR", place.to_str().unwrap());
        let service = setup.serve().await;
        must_show(&service, &shown, &format!("built anew in {}", place.display())).await;
        service.terminate().await.done();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_too_large_becomes_smaller() {
    const BYTES_MAX: f64 = 400_000.0;
    let folder = TempDir::new().unwrap();
    let (forge, clock) = load::forge(4).await;
    let setup = Setup::of(folder.path(), &forge)
        .with("TRACK", &forge.track())
        .with("RECONCILE", "off")
        .with("LOG_RETENTION", "off")
        .with("LOG_RETENTION_BYTES", "off");
    let service = setup.serve().await;
    until_true(&forge, &service.reader(), WITHIN).await;
    let load = Load::new(forge, clock);
    let senders = load.start();
    load.send_to(service.api, 4);
    load.more(800).await;
    load.end(service.api, senders).await;
    let mut wrongs = Wrongs::default();
    load.compare(&service.reader(), "before", &mut wrongs).await;
    wrongs.none();
    let shown = payloads(&load.forge, &service.reader()).await;
    service.terminate().await.done();

    let setup = setup.with("LOG_RETENTION_BYTES", "400KB");
    let service = setup.serve().await;
    let bytes = until(WITHIN, "a log of the right size", async || {
        let bytes = metric(&service, "tallyhook_log_bytes").await;
        if bytes > 0.0 && bytes <= BYTES_MAX { Ok(bytes) } else { Err(bytes) }
    })
    .await;
    assert!(metric(&service, "tallyhook_log_trimmed_bytes_total").await > bytes, "more is gone than is left");
    must_show(&service, &shown, "after the log forgot").await;
    service.terminate().await.done();
    fs::remove_file(setup.data().join("state.redb")).unwrap();
    let service = setup.serve().await;
    must_show(&service, &shown, "built anew").await;
    service.terminate().await.done();
}

/// What a million deliveries take: `TALLYHOOK_TEST_DELIVERIES=20000 cargo test -p tallyhook --test whole retention::pushes --
/// --nocapture` tells, as it is measured here.
#[tokio::test(flavor = "multi_thread")]
async fn pushes_take_less_in_the_log_than_they_were_sent_with() {
    const LINES: usize = 16;
    const COMMITS: usize = 3;
    let wanted = std::env::var("TALLYHOOK_TEST_DELIVERIES").map_or(320, |count| count.parse().unwrap());
    let folder = TempDir::new().unwrap();
    let (forge, clock) = load::forge(LINES).await;
    let setup = Setup::of(folder.path(), &forge)
        .with("TRACK", &forge.track())
        .with("RECONCILE", "off")
        .with("LOG_RETENTION_BYTES", "100GB");
    let service = setup.serve().await;
    until_true(&forge, &service.reader(), WITHIN).await;
    let before = stored(&service, &setup).await;
    let repos: Vec<_> = forge.repositories().iter().map(|truth| truth.id).collect();
    let sender = Sender::new();
    let mut sent = 0;
    for _ in 0..wanted / LINES {
        let pushes = repos.iter().map(|repo| {
            clock.advance_ms(1_000);
            Delivery::of(&forge.fake.world(|world| {
                world.push_commits(*repo, "main", COMMITS).unwrap();
                world.take_events().into_iter().find(|event| event.event == "push").unwrap()
            }))
        });
        let pushes: Vec<Delivery> = pushes.collect();
        sent += pushes.iter().map(|push| push.body.len()).sum::<usize>();
        let all = pushes.iter().map(|push| sender.accepted(service.api, push));
        futures::future::join_all(all).await;
    }
    until_true(&forge, &service.reader(), WITHIN).await;
    // The log is looked at every five seconds.
    let after = until(WITHIN, "the log to be weighed", async || {
        let after = stored(&service, &setup).await;
        if after.0 > before.0 { Ok(after) } else { Err(after) }
    })
    .await;
    let count = (wanted / LINES * LINES) as f64;
    let each =
        [sent as f64, after.0 - before.0, after.1 - before.1, after.2 - before.2].map(|all| all / count);
    let [body, record, log, state] = each;
    println!(
        "{count} pushes of {COMMITS} commits, {body:.0} bytes each: {record:.0} bytes a record, log.redb grew by {log:.0} a \
         delivery and state.redb by {state:.0}; a million: {:.1} GB and {:.1} GB",
        log / 1e3,
        state / 1e3,
    );
    assert!(record < body, "{each:?}");
    service.terminate().await.done();
}

/// What the log's records take, and its file, and the store's file.
async fn stored(service: &Service, setup: &Setup) -> (f64, f64, f64) {
    let size = |name: &str| fs::metadata(setup.data().join(name)).unwrap().len() as f64;
    (metric(service, "tallyhook_log_bytes").await, size("log.redb"), size("state.redb"))
}
