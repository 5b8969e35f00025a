//! Signals: a drain loses nothing that was begun, a second signal waits for nothing, a hang-up reads the secrets
//! again.

use std::{fs, io::ErrorKind, net::SocketAddr};

use fake_github::{NewRepository, RepoId};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::support::{
    forge::Forge,
    process::{Service, Setup},
    seconds,
    sender::{Delivery, Sender},
    truth::until_true,
    until,
};

const WITHIN: std::time::Duration = seconds(60);

/// A delivery of which the first half has arrived.
struct HalfSent {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl HalfSent {
    async fn to(address: SocketAddr, delivery: &Delivery) -> Self {
        let mut head = format!("POST /webhooks/github HTTP/1.1\r\nhost: {address}\r\n");
        for (name, value) in delivery.headers() {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        // The service says that it reads the body: it has begun.
        head.push_str(&format!("content-length: {}\r\nexpect: 100-continue\r\n\r\n", delivery.body.len()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut begun = [0; 25];
        stream.read_exact(&mut begun).await.unwrap();
        assert_eq!(begun, *b"HTTP/1.1 100 Continue\r\n\r\n");
        let (sent, rest) = delivery.body.split_at(delivery.body.len() / 2);
        stream.write_all(sent).await.unwrap();
        HalfSent { stream, rest: rest.to_vec() }
    }

    /// Sends the rest; the whole answer.
    async fn finish(mut self) -> String {
        self.stream.write_all(&self.rest).await.unwrap();
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

/// A forge with one repository, and the service that keeps it.
async fn served(folder: &TempDir, seed: u64) -> (Forge, Setup, Service, RepoId) {
    let forge = Forge::with_past(seed, 1).await;
    let repo = forge.open_repository(0).id;
    let setup = Setup::of(folder.path(), &forge).with("TRACK", &forge.track()).with("RECONCILE", "off");
    let service = setup.serve().await;
    until_true(&forge, &service.reader(), WITHIN).await;
    (forge, setup, service, repo)
}

async fn shutting_down(service: &Service) {
    let line = service.running.stderr.find(WITHIN, |line| line.contains("shutting down")).await;
    line.expect("it says so");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_what_was_begun_and_keeps_what_was_acknowledged() {
    for signal in ["TERM", "INT"] {
        let folder = TempDir::new().unwrap();
        let (forge, setup, service, repo) = served(&folder, 81).await;
        let half = HalfSent::to(service.api, &forge.untold_push(repo)).await;
        service.running.signal(signal).await;
        shutting_down(&service).await;
        // Nobody new is let in; who is on the way is not cut off.
        loop {
            match TcpStream::connect(service.api).await {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => break,
                // Still in the kernel's queue: it is closed without an answer.
                _ => tokio::task::yield_now().await,
            }
        }
        let answer = half.finish().await;
        assert!(answer.starts_with("HTTP/1.1 202"), "{signal}: {answer}");
        let ended = service.running.ended().await;
        assert_eq!(ended.code, Some(0), "{signal}: {ended:?}");
        assert!(ended.stderr.contains("ended in order"), "{signal}: {ended:?}");

        // The forge is down: what the next start shows was on disk.
        forge.fake.faults().on_requests("*", fake_github::faults::RequestFault::ServerError(503), None);
        let service = setup.serve().await;
        service.ready().await;
        let truth = forge.truth(repo);
        let shown = service.reader().get(&format!("/v1/repos/{}", truth.full_name)).await.ok().json();
        assert_eq!(shown["counts"]["commits"], truth.commits, "{signal}");
        service.terminate().await.done();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_is_cut_off_in_time_or_by_a_second_signal() {
    let folder = TempDir::new().unwrap();
    let (forge, setup, service, repo) = served(&folder, 82).await;
    let half = HalfSent::to(service.api, &forge.untold_push(repo)).await;
    service.running.signal("TERM").await;
    shutting_down(&service).await;
    service.running.signal("TERM").await;
    let ended = service.running.ended().await;
    assert_eq!(ended.code, Some(128 + 15), "{ended:?}");
    drop(half);

    let service = setup.clone().with("SHUTDOWN_TIMEOUT", "1s").serve().await;
    let half = HalfSent::to(service.api, &forge.untold_push(repo)).await;
    let ended = service.terminate().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    drop(half);

    let service = setup.serve().await;
    until_true(&forge, &service.reader(), WITHIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_reads_the_secrets_again() {
    let folder = TempDir::new().unwrap();
    let forge = Forge::with_past(83, 1).await;
    let [current, previous] = ["current", "previous"].map(|name| folder.path().join(name));
    let keep = |first: &str, second: &str| {
        fs::write(&current, format!("{first}\n")).unwrap();
        fs::write(&previous, second).unwrap();
    };
    keep("first", "zeroth");
    let setup = Setup::of(folder.path(), &forge)
        .without("WEBHOOK_SECRET")
        .with("WEBHOOK_SECRET_FILE", current.to_str().unwrap())
        .with("WEBHOOK_SECRET_PREVIOUS_FILE", previous.to_str().unwrap());
    let service = setup.serve().await;
    let repo = forge.fake.world(|world| {
        let repo = world.create_repository(forge.owners[0], NewRepository::public("signed")).unwrap();
        world.take_events();
        repo
    });
    let sender = Sender::new();
    let status = async |secret: &str| {
        let delivery = forge.untold_push(repo).signed_with(secret);
        sender.send(service.api, &delivery).await.unwrap().0
    };
    assert_eq!((status("first").await, status("zeroth").await, status("second").await), (202, 202, 401));

    keep("second", "first");
    service.running.signal("HUP").await;
    let reread = service.running.stderr.find(WITHIN, |line| line.contains("secrets were read again")).await;
    reread.expect("it says so");
    assert_eq!((status("second").await, status("first").await, status("zeroth").await), (202, 202, 401));
    let metrics = service.ops_reader().get("/metrics").await.text();
    for count in [
        r#"tallyhook_signatures_total{secret="current"} 2"#,
        r#"tallyhook_signatures_total{secret="previous"} 2"#,
        r#"tallyhook_signatures_total{secret="none"} 2"#,
    ] {
        assert!(metrics.contains(count), "no {count} in {metrics}");
    }

    let used = metrics
        .lines()
        .find_map(|line| line.strip_prefix(r#"tallyhook_secret_used_timestamp_seconds{secret="previous"} "#));
    assert!(
        used.unwrap().parse::<u64>().unwrap() > 1_700_000_000,
        "when the former one was last used: {metrics}"
    );

    // Files that change are seen without a word.
    keep("third", "second");
    until(WITHIN, "the third secret fits", async || match status("third").await {
        202 => Ok(()),
        other => Err(other),
    })
    .await;

    // A file that is not there shuts nobody out.
    fs::remove_file(&current).unwrap();
    service.running.signal("HUP").await;
    let kept = service.running.stderr.find(WITHIN, |line| line.contains("stay as they were")).await;
    let kept = kept.expect("it says so");
    assert!(kept.contains(current.to_str().unwrap()), "{kept}");
    assert_eq!((status("third").await, status("second").await), (202, 202));
    let log = service.running.stderr.text();
    assert!(
        !["\"first\"", "\"second\"", "\"third\"", "zeroth"].iter().any(|secret| log.contains(secret)),
        "{log}"
    );
    service.terminate().await.done();
}
