//! One case: a history, played by several plans, each to the truth and all to the same bytes.

use testkit::{
    answers::Asker,
    script::Script,
    stage::{Disks, Stage},
};

use crate::{
    history::{History, Recipe},
    plan::Plan,
    play::{Play, Served},
};

/// How many ways of hearing the same history are compared.
const PLANS: u64 = 2;
/// The same for every eighth history.
const PLANS_OF_EIGHTH: u64 = 5;

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
    start_again(&stage).await?;
    Ok(served)
}

/// A restart, and a store built anew from the log, give the same rows again.
async fn start_again(stage: &Stage) -> Result<(), String> {
    let streams = stage.streams();
    let rows = stage.rows().all(&streams).await;
    stage.restart().await;
    if rows != stage.rows().all(&streams).await {
        return Err("a restart gives other rows".to_owned());
    }
    stage.rebuild().await;
    let rebuilt = stage.rows().all(&streams).await;
    let keys = rows.keys().chain(rebuilt.keys());
    match keys.into_iter().find(|key| rows.get(key) != rebuilt.get(key)) {
        Some(key) => Err(format!("a rebuild gives another row {key:?}")),
        None => Ok(()),
    }
}
