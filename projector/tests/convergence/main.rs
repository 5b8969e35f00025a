//! Convergence through append, projector and store: a random coherent history, heard of in any order, doubled,
//! with questions answered at any time in between, ends in the same bytes, and they are the truth.
//!
//! `TALLYHOOK_TEST_CASES` says how many times as many cases are tried, in percent; `TALLYHOOK_TEST_SEED` tries one,
//! and `TALLYHOOK_TEST_STEPS` shortens it.
#![expect(clippy::unwrap_used, reason = "tests")]

mod check;
mod hidden;
mod history;
mod plan;
mod play;

use std::time::Instant;

use history::{Course, History, Recipe};
use plan::Plan;
use play::{Play, Served};
use testkit::{answers::Asker, script::Script, stage::Stage};

/// How many ways of hearing the same history are compared.
const PLANS: u64 = 2;

/// Tries one case; says what is wrong.
async fn try_case(recipe: Recipe) -> Result<(), String> {
    let history = History::of(recipe);
    let mut before: Option<Served> = None;
    for number in 0..PLANS {
        let plan = Plan::of(recipe.seed.wrapping_mul(PLANS) + number);
        let explain = |wrong: String| format!("plan {number}, {plan:?}\n{history}{wrong}");
        let served = play(&history, plan).await.map_err(explain)?;
        if let Some(before) = &before {
            let differs = before.iter().find(|(key, value)| served.get(key) != Some(value));
            if let Some((key, value)) = differs {
                let text = |served: Option<&(Vec<u8>, domain::Second, bool)>| {
                    served.map(|(bytes, as_of, _)| format!("{as_of} {}", String::from_utf8_lossy(bytes)))
                };
                return Err(explain(format!(
                    "another plan gives other bytes of {key:?}:\n{:?}\n{:?}",
                    text(Some(value)),
                    text(served.get(key))
                )));
            }
        }
        before = Some(served);
    }
    Ok(())
}

async fn play(history: &History, plan: Plan) -> Result<Served, String> {
    let stage = Stage::new().await;
    let script = Script::new(history.moments.clone(), plan.skew_ms);
    let asker = Asker::new(&stage, &script, plan.pace());
    let mut play = Play::new(history, plan, &stage, &script, &asker);
    play.run().await?;
    play.sweep().await?;
    let served = play.served().await;

    let streams = stage.streams();
    let rows = stage.rows().all(&streams).await;
    stage.restart().await;
    if rows != stage.rows().all(&streams).await {
        return Err("a restart gives other rows".to_owned());
    }
    stage.rebuild().await;
    let rebuilt = stage.rows().all(&streams).await;
    if let Some((key, _)) = rows.iter().find(|(key, value)| rebuilt.get(key) != Some(value)) {
        return Err(format!("a rebuild gives another row {key:?}"));
    }
    if let Some((key, _)) = rebuilt.iter().find(|(key, _)| !rows.contains_key(key)) {
        return Err(format!("a rebuild gives a row more: {key:?}"));
    }
    Ok(served)
}

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Tries cases of consecutive seeds. The first that fails is tried again with fewer steps, and told.
fn try_cases(first_seed: u64, cases: u64, course: Course) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let recipe = |seed: u64, steps: usize| Recipe { seed, steps, course };
    let steps_of = |seed: u64| 20 + usize::try_from(seed % 41).unwrap();
    if let Some(seed) = number_from("TALLYHOOK_TEST_SEED") {
        let steps = number_from("TALLYHOOK_TEST_STEPS")
            .map_or(steps_of(seed), |steps| usize::try_from(steps).unwrap());
        let outcome = runtime.block_on(try_case(recipe(seed, steps)));
        if let Err(wrong) = outcome {
            panic!("{course:?} seed {seed}, {steps} steps: {wrong}");
        }
        return;
    }
    let cases = cases * number_from("TALLYHOOK_TEST_CASES").unwrap_or(100) / 100;
    let started = Instant::now();
    let mut failures = Vec::new();
    for seed in first_seed..first_seed + cases {
        let Err(wrong) = runtime.block_on(try_case(recipe(seed, steps_of(seed)))) else { continue };
        let shortest = (0..steps_of(seed)).find_map(|steps| {
            let wrong = runtime.block_on(try_case(recipe(seed, steps))).err()?;
            Some((steps, wrong))
        });
        let (steps, wrong) = shortest.unwrap_or((steps_of(seed), wrong));
        failures.push(format!("{course:?} seed {seed}, {steps} steps: {wrong}"));
        if failures.len() >= 1 {
            break;
        }
    }
    println!("{course:?}: {cases} cases in {:.1} s", started.elapsed().as_secs_f64());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn told_histories_converge() {
    try_cases(0, 20, Course::Told);
}

#[test]
fn silent_changes_are_found_by_a_sweep() {
    try_cases(1_000_000, 20, Course::Silent);
}
