//! Visits of S2's users while gists appear and the process is killed over and over: every file is shown to somebody
//! who read the answer, and none twice to a reader who waited for it and came again to the same process.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::http::Method;
use fake_github::{AccountId, FakeConfig, NewGist};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use tokio::task::JoinSet;

use super::{
    ground::Ground,
    support::{
        forge::{Forge, TOKEN},
        process::Setup,
        reader::Reader,
        seconds, seed, until,
    },
};

/// Lives of the process, the last of which goes on until everything was shown.
const LIVES: usize = 6;
/// Readers of one user's new gists at once.
const READERS: usize = 3;
/// Gists appear for so long in each life.
const LIFE_MS_MAX: u64 = 1_500;
const BETWEEN_GISTS: Duration = Duration::from_millis(50);
const BETWEEN_VISITS: Duration = Duration::from_millis(10);
const SHOWN_WITHIN: Duration = seconds(120);
const REQUESTS_AN_HOUR: u64 = 100_000_000;

/// The names of all files that a reader was shown.
type Shown = Arc<Mutex<BTreeSet<String>>>;

/// One reader in one life of the process, which ends with it. An answer that broke off was not read.
async fn read_on(reader: Reader, shown: Shown) {
    let mut own = BTreeSet::new();
    while let Ok(answer) = reader.try_ask(Method::POST, "/latestgists/ada", &[]).await {
        let files: Vec<Value> = serde_json::from_slice(&answer.ok().body).unwrap();
        for file in files {
            let name = file["filename"].as_str().unwrap().to_owned();
            shown.lock().unwrap().insert(name.clone());
            assert!(own.insert(name.clone()), "{name} was shown twice to one reader");
        }
        tokio::time::sleep(BETWEEN_VISITS).await;
    }
}

/// Makes gists for so long, each with a file that is named as no other.
async fn make_gists(forge: &Forge, ada: AccountId, made: &mut BTreeSet<String>, lasts: Duration) {
    let ends = Instant::now() + lasts;
    while Instant::now() < ends {
        let name = format!("{:04}.txt", made.len());
        forge.fake.world(|world| world.create_gist(ada, NewGist::public(&[(&name, "text")])).unwrap());
        made.insert(name);
        tokio::time::sleep(BETWEEN_GISTS).await;
    }
}

async fn add_user(setup: &Setup) {
    let service = setup.serve().await;
    service.ready().await;
    service.reader().ask(Method::POST, "/users/ada/1", &[]).await.ok();
    service.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_is_shown_and_none_twice_to_who_came_again() {
    let Some(ground) = Ground::new("visits").await else { return };
    let config = FakeConfig { limit_authorised: REQUESTS_AN_HOUR, ..FakeConfig::default() };
    let forge = Forge::empty(config).await;
    let ada = forge.fake.world(|world| {
        let ada = world.create_user("Ada").unwrap();
        world.accept_token(TOKEN, ada);
        ada
    });
    let setup = ground.setup(&forge).await.with("GIST_POLL", "200ms").with("WRITE_LIMIT", "off");
    add_user(&setup).await;

    let mut rng = StdRng::seed_from_u64(seed(61));
    let mut made = BTreeSet::new();
    let shown = Shown::default();
    for life in 1..=LIVES {
        let service = setup.serve().await;
        service.ready().await;
        let mut readers = JoinSet::new();
        for _ in 0..READERS {
            readers.spawn(read_on(service.reader(), Arc::clone(&shown)));
        }
        let lasts = Duration::from_millis(rng.random_range(1..LIFE_MS_MAX));
        make_gists(&forge, ada, &mut made, lasts).await;
        if life == LIVES {
            until(SHOWN_WITHIN, "every file was shown", async || {
                let missing: Vec<_> = made.difference(&shown.lock().unwrap()).cloned().collect();
                if missing.is_empty() { Ok(()) } else { Err(missing) }
            })
            .await;
        }
        service.kill().await;
        while let Some(read) = readers.join_next().await {
            read.unwrap();
        }
    }
    assert_eq!(*shown.lock().unwrap(), made);
}
