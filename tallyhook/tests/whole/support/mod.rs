//! What the tests share: the binary as a child process, a forge to run it against, a reader of its payloads,
//! and the comparison of what is shown with what is true.

pub(crate) mod explained;
pub(crate) mod forge;
pub(crate) mod latest;
pub(crate) mod lies;
pub(crate) mod load;
pub(crate) mod memory;
pub(crate) mod process;
pub(crate) mod reader;
pub(crate) mod room;
pub(crate) mod sender;
pub(crate) mod truth;
pub(crate) mod wire;

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

/// How often a condition is looked at while it is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// What webhooks are signed with.
pub(crate) const SECRET: &str = "It's a Secret to Everybody";

/// Waits until `look` gives a value; panics with what it last said when that takes longer than `within`.
pub(crate) async fn until<T, Why: Debug>(
    within: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, Why>,
) -> T {
    let started = Instant::now();
    loop {
        match look().await {
            Ok(value) => return value,
            Err(why) if started.elapsed() > within => {
                panic!("{what}: not within {} s; last seen: {why:#?}", within.as_secs())
            }
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The seed of a random history: this one, so that a test shows the same each time, or with
/// `TALLYHOOK_TEST_SEED` another.
pub(crate) fn seed(usual: u64) -> u64 {
    let other = std::env::var("TALLYHOOK_TEST_SEED").ok();
    other.map_or(usual, |seed| {
        seed.parse::<u64>().expect("TALLYHOOK_TEST_SEED is a number").wrapping_add(usual)
    })
}
