//! Alerts that one process can be made to raise, by real faults; each ends when its fault does. The rules are the
//! shipped ones with shorter times. Alerts of a lag, and of partitions that nobody folds, are raised on a cluster.

use std::net::SocketAddr;

use fake_github::{Clock, FakeConfig, RepoId};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    program::is_there,
    prometheus::{Prometheus, hasty},
    support::{
        forge::{Forge, TOKEN},
        process::{Service, Setup},
        reader::http_client,
        seconds,
        sender::{Delivery, Sender},
        truth::until_true,
        until,
    },
};

/// A first load, and an alert that something must be done for until it fires.
const WITHIN: std::time::Duration = seconds(120);

/// Requests that the forge allows in an hour: more than a start needs.
const HOURLY: u64 = 1000;

/// A body of which a few fill all room that the door has for large ones.
const LARGE_BYTES: usize = 24 << 20;

struct Place {
    forge: Forge,
    clock: Clock,
    repo: RepoId,
    setup: Setup,
    prometheus: Prometheus,
}

impl Place {
    async fn of(folder: &TempDir, forge: Forge, clock: Clock) -> (Self, Service) {
        let repo = forge.open_repository(0).id;
        let setup = Setup::of(folder.path(), &forge)
            .with("TRACK", &forge.track())
            .with("RECONCILE", "off")
            // What is left of an hour may be spent on a backfill.
            .with("REPAIR_SHARE", "off");
        let service = setup.serve().await;
        until_true(&forge, &service.reader(), WITHIN).await;
        let setup = setup.with("OPS_LISTEN", &service.ops.to_string());
        let prometheus = Prometheus::start(folder.path(), &[service.ops], hasty).await;
        (Place { forge, clock, repo, setup, prometheus }, service)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_fire_by_real_faults_and_end_with_them() {
    if !is_there("prometheus", "prometheus") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let clock = Clock::scripted(Clock::Real.now());
    let config =
        FakeConfig { seed: 132, clock: clock.clone(), limit_authorised: HOURLY, ..FakeConfig::default() };
    let forge = Forge::with_past_of(config, 1).await;
    let (place, service) = Place::of(&folder, forge, clock).await;

    nobody_sends(&place, &service).await;
    strangers_knock(&place, &service).await;
    the_door_is_full(&place, &service).await;
    a_record_cannot_be_folded(&place, &service).await;
    an_hours_requests_are_spent(&place, &service).await;
    a_proxy_sends_the_secret_along(&place, &service).await;
    let service = the_process_is_gone(&place, service).await;
    let service = it_starts_over_and_over(&place, service).await;
    nobody_is_watched(&place, &service).await;
    service.terminate().await.done();
}

async fn nobody_sends(place: &Place, service: &Service) {
    place.prometheus.fires("TallyhookHookSilent").await;
    let sender = Sender::new();
    until(WITHIN, "TallyhookHookSilent ends", async || {
        sender.accepted(service.api, &place.forge.untold_push(place.repo)).await;
        let firing = place.prometheus.firing().await;
        if firing.iter().any(|name| name == "TallyhookHookSilent") { Err(firing) } else { Ok(()) }
    })
    .await;
}

async fn strangers_knock(place: &Place, service: &Service) {
    let sender = Sender::new();
    let forged = place.forge.untold_push(place.repo).signed_with("a guess");
    until(WITHIN, "TallyhookSignatureFailures fires", async || {
        assert_eq!(sender.send(service.api, &forged).await.unwrap().0, 401);
        let firing = place.prometheus.firing().await;
        if firing.iter().any(|name| name == "TallyhookSignatureFailures") { Ok(()) } else { Err(firing) }
    })
    .await;
    place.prometheus.ends("TallyhookSignatureFailures").await;
}

async fn the_door_is_full(place: &Place, service: &Service) {
    let mut begun = Vec::new();
    loop {
        let (stream, status) = begin(service.api).await;
        begun.push(stream);
        match status.as_str() {
            "100" => assert!(begun.len() < 50, "there is room without end"),
            other => {
                assert_eq!(other, "503");
                break;
            }
        }
    }
    place.prometheus.fires("TallyhookDeliveriesUnavailable").await;
    drop(begun);
    place.prometheus.ends("TallyhookDeliveriesUnavailable").await;
}

/// Begins to send a large body; what the door says to its headers.
async fn begin(api: SocketAddr) -> (TcpStream, String) {
    let mut head = format!("POST /webhooks/github HTTP/1.1\r\nhost: {api}\r\n");
    for (name, value) in Delivery::new("push", "large", b"{}".to_vec()).headers() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {LARGE_BYTES}\r\nexpect: 100-continue\r\n\r\n"));
    let mut stream = TcpStream::connect(api).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut line = [0; 12];
    stream.read_exact(&mut line).await.unwrap();
    let status = String::from_utf8_lossy(&line).split(' ').nth(1).unwrap().to_owned();
    (stream, status)
}

async fn a_record_cannot_be_folded(place: &Place, service: &Service) {
    let push = place.forge.untold_push(place.repo);
    let mut body: Value = serde_json::from_slice(&push.body).unwrap();
    body["repository"]["updated_at"] = "2099-01-01T00:00:00Z".into();
    let from_the_future = Delivery::new("push", "from-the-future", serde_json::to_vec(&body).unwrap());
    Sender::new().accepted(service.api, &from_the_future).await;
    place.prometheus.fires("TallyhookDeadLetters").await;
    let calls = place.setup.talking_to(service);
    let table = calls.run(&["dead-letters", "list"]).await.done();
    let id = table.lines().find(|line| line.contains("from-the-future")).unwrap();
    calls.run(&["dead-letters", "drop", id.split_whitespace().next().unwrap()]).await.done();
    place.prometheus.ends("TallyhookDeadLetters").await;
}

async fn an_hours_requests_are_spent(place: &Place, service: &Service) {
    let http = http_client();
    // Somebody else uses the same token.
    loop {
        let url = format!("{}/user", place.forge.fake.url());
        let answer =
            http.get(url).bearer_auth(TOKEN).header("user-agent", "monitoring").send().await.unwrap();
        let left: u64 = answer.headers()["x-ratelimit-remaining"].to_str().unwrap().parse().unwrap();
        if left < HOURLY / 20 {
            break;
        }
    }
    let calls = place.setup.talking_to(service);
    let login = place.forge.track();
    calls.run(&["backfill", &login]).await.done();
    place.prometheus.fires("TallyhookRateBudgetNearlySpent").await;
    place.clock.advance_ms(3_601_000);
    calls.run(&["backfill", &login]).await.done();
    place.prometheus.ends("TallyhookRateBudgetNearlySpent").await;
}

async fn a_proxy_sends_the_secret_along(place: &Place, service: &Service) {
    let push = place.forge.untold_push(place.repo);
    let mut request = http_client().post(service.hook_url()).body(push.body.clone());
    for (name, value) in push.headers() {
        request = request.header(name, value);
    }
    let answer = request.header("x-github-encoded-secret", "c2VjcmV0").send().await.unwrap();
    assert_eq!(answer.status(), 202);
    place.prometheus.fires("TallyhookSecretSentAlong").await;
    place.prometheus.ends("TallyhookSecretSentAlong").await;
}

/// Returns its next life.
async fn the_process_is_gone(place: &Place, service: Service) -> Service {
    let alerts =
        ["TallyhookDown", "TallyhookIngestAbsent", "TallyhookProjectorAbsent", "TallyhookQueryApiAbsent"];
    service.kill().await;
    for alert in alerts {
        place.prometheus.fires(alert).await;
    }
    let service = place.setup.serve().await;
    for alert in alerts {
        place.prometheus.ends(alert).await;
    }
    service
}

/// Returns the last of its lives.
async fn it_starts_over_and_over(place: &Place, mut service: Service) -> Service {
    let begun = async || {
        let series = place.prometheus.query("process_start_time_seconds").await;
        series.first().map(|series| series["value"][1].to_string())
    };
    for _ in 0..4 {
        let before = begun().await;
        service.terminate().await.done();
        // Lives that begin in the same second count as one.
        tokio::time::sleep(seconds(1)).await;
        service = place.setup.serve().await;
        until(WITHIN, "the new life is looked at", async || {
            let now = begun().await;
            if now.is_some() && now != before { Ok(()) } else { Err(now) }
        })
        .await;
    }
    place.prometheus.fires("TallyhookRestarting").await;
    place.prometheus.ends("TallyhookRestarting").await;
    service
}

async fn nobody_is_watched(place: &Place, service: &Service) {
    place.prometheus.watch(&[]).await;
    place.prometheus.fires("TallyhookAbsent").await;
    place.prometheus.watch(&[service.ops]).await;
    place.prometheus.ends("TallyhookAbsent").await;
}
