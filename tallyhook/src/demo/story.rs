//! What happens in the demo: first one of each kind worth seeing, then random life.

use std::time::Duration;

use fake_github::{FakeGithub, Kind, Life, Step, Weights};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::watch::{Seen, Watch, shown};
use crate::failure::Failure;

/// What everybody should see once, in this order.
const OVERTURE: &[Kind] = &[
    Kind::Push,
    Kind::OpenPull,
    Kind::Star,
    Kind::MergePull,
    Kind::StarBurst,
    Kind::ForcePush,
    Kind::RenameRepository,
    Kind::Push,
];

/// Tells the story until it is ended.
pub(super) async fn tell(
    fake: &FakeGithub,
    watch: &Watch,
    seed: u64,
    logins: &[String],
    pause: Duration,
    ended: CancellationToken,
) -> Result<(), Failure> {
    let owners =
        fake.world(|world| logins.iter().filter_map(|login| world.account_id(login)).collect::<Vec<_>>());
    // What no delivery tells shows only in the next sweep: nothing to watch here.
    let silent =
        [Kind::SetSubscribers, Kind::SetLanguages, Kind::SetFollowers, Kind::SetProfile, Kind::PurgeStars];
    let weights = silent.iter().fold(Weights::default(), |weights, kind| weights.with(*kind, 0));
    let mut overture = OVERTURE.iter();
    let mut life = Life::new(seed, weights).within(owners.clone());
    while !ended.is_cancelled() {
        let step = match overture.next() {
            Some(kind) => {
                let mut one = Life::new(seed, Weights::only(&[*kind])).within(owners.clone());
                one_step(fake, &mut one)
            }
            None => one_step(fake, &mut life),
        };
        if let Some((step, begun, former)) = step {
            show(fake, watch, &step, begun, &former).await?;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = ended.cancelled() => break,
        }
    }
    Ok(())
}

/// Does one step; returns when it was done and the repository's name before it.
fn one_step(fake: &FakeGithub, life: &mut Life) -> Option<(Step, Instant, String)> {
    fake.world(|world| {
        let names: Vec<_> = world
            .repositories()
            .into_iter()
            .filter_map(|repo| world.truth(repo).map(|truth| (repo, truth.full_name)))
            .collect();
        let step = life.step(world)?;
        let repo = step.action.repository();
        let former = names.into_iter().find(|(id, _)| Some(*id) == repo).map(|(_, name)| name);
        Some((step, Instant::now(), former.unwrap_or_default()))
    })
}

async fn show(
    fake: &FakeGithub,
    watch: &Watch,
    step: &Step,
    begun: Instant,
    former: &str,
) -> Result<(), Failure> {
    let Some(repo) = step.action.repository() else {
        println!("{:56}", step.text);
        return Ok(());
    };
    let seen = watch.until_true(begun, || fake.world(|world| world.truth(repo)), former).await?;
    match seen {
        Some(Seen { shown: after, settled: None, says }) => {
            println!("{:56} visible after {:>8}   {says}", step.text, shown(after));
        }
        Some(Seen { shown: after, settled: Some(settled), says }) => {
            println!(
                "{:56} in doubt after {:>7}   {says}, settled with GitHub after {}",
                step.text,
                shown(after),
                shown(settled)
            );
        }
        None => println!("{:56} not visible yet", step.text),
    }
    Ok(())
}
