//! kill -9 of the real binary under load, over and over on one data folder: what got a 2xx is in the payloads
//! after every restart, and nothing is counted twice.
//!
//! `TALLYHOOK_TEST_KILLS=300 cargo test -p tallyhook --test whole kill -- --nocapture` is the long form.

use std::{
    fs,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tempfile::TempDir;

use super::support::{
    load::{self, Load, Wrongs},
    process::{Service, Setup, is_listening},
    seconds, seed,
    truth::until_true,
};

/// How often it is killed, unless `TALLYHOOK_TEST_KILLS` says otherwise.
const KILLS: usize = 32;
/// Connections at once; how many of them are busy changes with every life.
const SENDERS: usize = 64;
const SENDERS_MIN: usize = 16;
/// The process lives at most so long after it was started.
const LIFE_MS_MAX: u64 = 1_200;
/// From the start of the process until it is ready, each time: a start looks only at the end of the log.
const READY_WITHIN: Duration = seconds(20);
/// The same where `state.redb` is gone and all of the log is folded again.
const REBUILT_WITHIN: Duration = seconds(60);

fn kills() -> usize {
    let kills = std::env::var("TALLYHOOK_TEST_KILLS").ok();
    kills.map_or(KILLS, |kills| kills.parse().expect("TALLYHOOK_TEST_KILLS is a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_counted_twice() {
    let kills = kills();
    let folder = TempDir::new().unwrap();
    let (forge, clock) = load::forge(SENDERS).await;
    let setup = Setup::of(folder.path(), &forge).with("TRACK", &forge.track());
    let service = setup.serve().await;
    until_true(&forge, &service.reader(), seconds(60)).await;
    let load = Load::new(forge, clock);
    let senders = load.start();
    load.send_to(service.api, SENDERS);

    let mut rng = StdRng::seed_from_u64(seed(51));
    let mut wrongs = Wrongs::default();
    let (mut slowest, mut rebuilt) = (Duration::ZERO, Duration::ZERO);
    let mut service = service;
    for kill in 0..kills {
        let life = Duration::from_millis(rng.random_range(1..LIFE_MS_MAX));
        tokio::time::sleep(life).await;
        // Killed with requests on their way; who comes after that waits for the next life.
        service.kill().await;
        load.pause();
        let is_rebuilt = kill == kills / 2;
        if is_rebuilt {
            fs::remove_file(setup.data().join("state.redb")).unwrap();
        }
        if kill % 4 == 1 {
            // Killed while it starts, wherever it is by then.
            let mut starting = setup.begin_serving();
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..250))).await;
            starting.kill().await;
        }
        let within = if is_rebuilt { REBUILT_WITHIN } else { READY_WITHIN };
        let started = Instant::now();
        let running = setup.begin_serving();
        let line = running.stderr.find(within, is_listening).await.expect("it starts again");
        service = Service::new(running, &line);
        // Some restarts are looked at before the load goes on, in others it goes on at once.
        if kill % 2 == 0 {
            service.ready().await;
            let took = started.elapsed();
            assert!(took < within, "the start after kill {kill} took {} ms", took.as_millis());
            let slowest = if is_rebuilt { &mut rebuilt } else { &mut slowest };
            *slowest = took.max(*slowest);
            load.compare(&service.reader(), &format!("after kill {kill}"), &mut wrongs).await;
        }
        load.send_to(service.api, rng.random_range(SENDERS_MIN..=SENDERS));
    }
    let sent = load.end(service.api, senders).await;
    service.ready().await;
    load.compare(&service.reader(), "at the end", &mut wrongs).await;
    println!(
        "{} deliveries acknowledged ({} sent again on purpose) over {SENDERS_MIN} to {SENDERS} connections, \
         {kills} kills, {} lost, {} counted twice, slowest start {} ms (rebuilt from the log: {} ms)",
        sent.acknowledged,
        sent.repeated,
        wrongs.lost.len(),
        wrongs.doubled.len(),
        slowest.as_millis(),
        rebuilt.as_millis(),
    );
    wrongs.none();
    assert!(sent.acknowledged > 50 * kills, "there was hardly any load");

    load.forge.fake.faults().stop();
    until_true(&load.forge, &service.reader(), seconds(60)).await;
    assert!(service.ops_reader().get("/metrics").await.text().contains("tallyhook_dead_letters 0"));
}
