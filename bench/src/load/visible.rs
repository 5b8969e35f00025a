//! From a delivery's first byte to the first answer that shows it.

use std::time::{Duration, Instant};

use super::{
    Shared, Wait,
    pace::Connection,
    wire::{Wire, find},
    work::{Requests, get},
};
use crate::shape::{COMMITS, Place};

/// Between two looks; what is measured is exact to this.
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// The same for who sleeps in between.
const LOOK_EVERY_ASLEEP: Duration = Duration::from_millis(1);
/// What is not seen within this is an error.
const PATIENCE: Duration = Duration::from_secs(5);

/// Delivers, and looks until it shows.
pub(super) async fn follow(
    mut connection: Connection,
    mut reader: Wire,
    rest: Duration,
    between: Wait,
    tally: Shared,
) -> anyhow::Result<()> {
    let until = tally.borrow().until;
    let Requests::Deliveries(deliveries) = &mut connection.requests else {
        anyhow::bail!("only deliveries become visible");
    };
    let mut commits_each = None;
    while Instant::now() < until {
        let (request, place, number) = deliveries.next();
        let looking = get(&format!("/v1/repos/{}/{}", place.login(), place.name()), &[]);
        let before = commits(&mut reader, &looking).await?;
        let since = Instant::now();
        let accepted = connection.wire.http(request).await?.status == 202;
        let shown = wait(&mut reader, &looking, before, between).await?;
        let now = Instant::now();
        // The first one tells how many commits each brings; it also warms this connection's repositories.
        let each = *commits_each.get_or_insert(shown.unwrap_or(before) - before);
        let right = shown == Some(before + each) && shown == Some(expected(place, number, each));
        tally.borrow_mut().note(since, now, accepted && right);
        tokio::time::sleep(rest).await;
    }
    Ok(())
}

fn expected(_: Place, number: u64, each: u64) -> u64 {
    COMMITS + number * each
}

async fn wait(reader: &mut Wire, looking: &[u8], before: u64, between: Wait) -> anyhow::Result<Option<u64>> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let shown = commits(reader, looking).await?;
        if shown != before {
            return Ok(Some(shown));
        }
        match between {
            Wait::Asleep => tokio::time::sleep(LOOK_EVERY_ASLEEP).await,
            Wait::Awake => {
                let pause = Instant::now() + LOOK_EVERY;
                while Instant::now() < pause {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
    Ok(None)
}

/// The number of commits that a repository's page shows.
async fn commits(reader: &mut Wire, looking: &[u8]) -> anyhow::Result<u64> {
    const FIELD: &[u8] = b"\"commits\":";
    let answer = reader.http(looking).await?;
    let body = reader.body(&answer);
    let at = find(body, FIELD).ok_or_else(|| anyhow::anyhow!("an answer without a number of commits"))?;
    let digits = body[at + FIELD.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    Ok(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}
