//! kill -9 of each role at random under load: what got a 2xx is in the payloads, and nothing is counted twice.

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    place::{Place, Process},
    support::{
        load::{self, Load, Wrongs},
        seconds, seed,
        truth::until_true,
    },
};

/// How often something is killed, unless `TALLYHOOK_TEST_KILLS` says otherwise.
const KILLS: usize = 9;
const SENDERS: usize = 16;
/// Between two kills at most; a member that died is missed after its session.
const LIFE_MS_MAX: u64 = 4_000;

fn kills() -> usize {
    let kills = std::env::var("TALLYHOOK_TEST_KILLS").ok();
    kills.map_or(KILLS, |kills| kills.parse().expect("TALLYHOOK_TEST_KILLS is a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_counted_twice_whichever_role_is_killed() {
    let Some(place) = Place::shared("roles that are killed").await else { return };
    let (forge, clock) = load::forge(SENDERS).await;
    let setup = place.setup(&forge);
    place.migrate(&setup).await;
    let mut door = Process::start(&setup, "ingest").await;
    let mut projectors =
        [Process::start(&setup, "projector").await, Process::start(&setup, "projector").await];
    let mut query = Process::start(&setup, "query-api").await;
    until_true(&forge, &query.reader(), seconds(90)).await;
    let load = Load::new(forge, clock);
    let senders = load.start();
    load.send_to(door.api(), SENDERS);

    let mut rng = StdRng::seed_from_u64(seed(73));
    let mut wrongs = Wrongs::default();
    let begun = Instant::now();
    let kills = kills();
    for kill in 0..kills {
        tokio::time::sleep(Duration::from_millis(rng.random_range(200..LIFE_MS_MAX))).await;
        match kill % 3 {
            0 => {
                let place = rng.random_range(0..projectors.len());
                let fresh = Process::start(&setup, "projector").await;
                std::mem::replace(&mut projectors[place], fresh).kill().await;
            }
            1 => {
                door.kill().await;
                load.pause();
                door = Process::start(&setup, "ingest").await;
                load.send_to(door.api(), SENDERS);
            }
            _ => {
                query.kill().await;
                query = Process::start(&setup, "query-api").await;
                query.ready().await;
            }
        }
    }
    let sent = load.end(door.api(), senders).await;
    // What a killed projector held is taken over when its session has ended.
    load.compare_within(&query.reader(), "at the end", seconds(40), &mut wrongs).await;
    println!(
        "{} deliveries acknowledged ({} sent again on purpose), {kills} kills in {} s, {} lost, {} counted twice",
        sent.acknowledged,
        sent.repeated,
        begun.elapsed().as_secs(),
        wrongs.lost.len(),
        wrongs.doubled.len(),
    );
    wrongs.none();
    assert!(sent.acknowledged > 20 * kills, "there was hardly any load");

    load.forge.fake.faults().stop();
    until_true(&load.forge, &query.reader(), seconds(90)).await;
    for projector in &projectors {
        assert_eq!(projector.metric("tallyhook_dead_letters").await, 0.0);
    }
}
