//! One case: a history, played by several plans, each to the truth and all to the same bytes.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use testkit::{
    answers::Asker,
    script::Script,
    stage::{Disks, Stage},
};

use crate::{
    history::{History, Recipe},
    plan::Plan,
    play::{Play, Served},
    retention::{Forgetting, aliases, has_forgotten, of_service},
};

/// How many ways of hearing the same history are compared.
const PLANS: u64 = 2;
/// The same for every eighth history.
const PLANS_OF_EIGHTH: u64 = 5;

/// Of a partition with so many records some can be forgotten behind a base.
const RECORDS_MIN: u64 = 8;

/// It is looked for so long at most.
const LOOKS_MAX: u32 = 500;
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// In how many plays so far the log forgot.
pub(crate) static FORGOTTEN: AtomicU64 = AtomicU64::new(0);

/// Tries one case; says what is wrong.
pub(crate) async fn try_case(recipe: Recipe) -> Result<(), String> {
    let history = History::of(recipe);
    let mut before: Option<Served> = None;
    let plans = if recipe.seed.is_multiple_of(8) { PLANS_OF_EIGHTH } else { PLANS };
    for number in 0..plans {
        let plan = Plan::of(recipe.seed.wrapping_mul(PLANS_OF_EIGHTH) + number);
        let explain = |wrong: String| format!("plan {number}, {plan:?}\n{history}{wrong}");
        let served = play(&history, plan).await.map_err(explain)?;
        if let Some(before) = &before {
            compare(before, &served).map_err(explain)?;
        }
        before = Some(served);
    }
    Ok(())
}

fn compare(before: &Served, served: &Served) -> Result<(), String> {
    let keys = before.keys().chain(served.keys());
    let Some(key) = keys.into_iter().find(|key| before.get(key) != served.get(key)) else { return Ok(()) };
    let text = |served: &Served| match served.get(key) {
        Some((bytes, as_of, complete)) => {
            format!("as of {as_of}, complete {complete}: {}", String::from_utf8_lossy(bytes))
        }
        None => "nothing".to_owned(),
    };
    let (one, other) = (text(before), text(served));
    Err(format!("another plan gives other bytes of {key:?}:\n{one}\n{other}"))
}

async fn play(history: &History, plan: Plan) -> Result<Served, String> {
    let disks = (plan.cut > 0).then(Disks::new);
    let stage = match &disks {
        Some(disks) => {
            let (log, store) = disks.open();
            Stage::over(log, store, plan.settings()).await
        }
        None => Stage::with(plan.settings()).await,
    };
    let script = Script::new(history.moments.clone(), plan.skew_ms);
    let asker = Asker::new(&stage, &script, plan.pace());
    let mut play = Play::new(history, plan, &stage, &script, &asker, disks.as_ref());
    play.run().await?;
    play.sweep().await?;
    let served = play.served().await;
    play.forgetting.end().await;
    let forgets = play.forgetting.looks > 0;
    start_again(&stage).await?;
    if forgets {
        forget_and_start_again(&stage, &mut play.forgetting).await?;
    }
    Ok(served)
}

/// A restart, and a store built anew from the log, or from what it still has, give the same rows again.
async fn start_again(stage: &Stage) -> Result<(), String> {
    let streams = stage.streams();
    let rows = stage.rows().all(&streams).await;
    let beside = (aliases(stage).await, of_service(stage).await);
    stage.restart().await;
    if rows != stage.rows().all(&streams).await {
        return Err("a restart gives other rows".to_owned());
    }
    stage.rebuild().await;
    let rebuilt = stage.rows().all(&streams).await;
    let keys = rows.keys().chain(rebuilt.keys());
    if let Some(key) = keys.into_iter().find(|key| rows.get(key) != rebuilt.get(key)) {
        return Err(format!(
            "a rebuild gives another row {key:?}:\n{:?}\n{:?}",
            rows.get(key),
            rebuilt.get(key)
        ));
    }
    if beside != (aliases(stage).await, of_service(stage).await) {
        return Err(format!("a rebuild gives other rows beside: {beside:?}"));
    }
    Ok(())
}

/// The same once everything is forgotten that can be.
async fn forget_and_start_again(stage: &Stage, forgetting: &mut Forgetting) -> Result<(), String> {
    // A store that was built anew is not durable yet: nothing can be forgotten then.
    let mut looks_left = LOOKS_MAX;
    while !has_forgotten(stage, RECORDS_MIN).await {
        if looks_left == 0 {
            return Err("a log with bases has forgotten nothing".to_owned());
        }
        looks_left -= 1;
        forgetting.begin(stage).await;
        forgetting.end().await;
        tokio::time::sleep(LOOK_EVERY).await;
    }
    start_again(stage).await?;
    FORGOTTEN.fetch_add(1, Ordering::Relaxed);
    Ok(())
}
