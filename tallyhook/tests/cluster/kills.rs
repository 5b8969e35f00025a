//! kill -9 of each role at random under load: what got a 2xx is in the payloads, and nothing is counted twice.

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{place::Place, process::Process, roles::Loaded, support::seed};

/// How often something is killed, unless `TALLYHOOK_TEST_KILLS` says otherwise.
const KILLS: usize = 9;
/// Between two kills at most; a member that died is missed after its session.
const LIFE_MS_MAX: u64 = 4_000;

fn kills() -> usize {
    let kills = std::env::var("TALLYHOOK_TEST_KILLS").ok();
    kills.map_or(KILLS, |kills| kills.parse().expect("TALLYHOOK_TEST_KILLS is a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_counted_twice_whichever_role_is_killed() {
    let Some(place) = Place::shared("roles that are killed").await else { return };
    let mut loaded = Loaded::start(&place, 2).await;

    let mut rng = StdRng::seed_from_u64(seed(73));
    let begun = Instant::now();
    let kills = kills();
    for kill in 0..kills {
        tokio::time::sleep(Duration::from_millis(rng.random_range(200..LIFE_MS_MAX))).await;
        let roles = &mut loaded.roles;
        match kill % 3 {
            0 => {
                let place = rng.random_range(0..roles.projectors.len());
                let fresh = Process::start(&roles.setup, "projector").await;
                std::mem::replace(&mut roles.projectors[place], fresh).kill().await;
            }
            1 => {
                roles.door.kill().await;
                loaded.load.pause();
                roles.door = Process::start(&roles.setup, "ingest").await;
                loaded.send();
            }
            _ => {
                roles.query.kill().await;
                roles.query = Process::start(&roles.setup, "query-api").await;
                roles.query.ready().await;
            }
        }
    }
    println!("{kills} kills in {} s", begun.elapsed().as_secs());
    // What a killed projector held is taken over when its session has ended.
    let sent = loaded.end_load("at the end").await;
    assert!(sent.acknowledged > 20 * kills, "there was hardly any load");
    loaded.end().await;
}
