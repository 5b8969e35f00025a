//! Convergence through append, projector and store: a random coherent history, heard of in any order, doubled,
//! with questions answered at any time in between, ends in the same bytes, and they are the truth.
//!
//! - Once all deliveries are in, whatever differs from the truth says that it is not complete (in a course of
//!   things that are told, see [`history::UNTOLD`]); when no need is open, it is the truth and says so.
//! - With changes that nobody tells, the same after one sweep more.
//! - All plans of a history end in the same bytes, `as_of` included; a restart and a rebuild give every row
//!   again; the power may be cut at any moment.
//! - The log may forget what is behind a base, at any moment; then a rebuild gives every row again all the same.
//! - What was hidden is never shown before it is reopened by the rules.
//!
//! `TALLYHOOK_TEST_CASES` says how many cases each test tries; `TALLYHOOK_TEST_SEED` tries one, and
//! `TALLYHOOK_TEST_STEPS` shortens it.
#![expect(clippy::unwrap_used, reason = "tests")]

mod case;
mod check;
mod hidden;
mod history;
mod plan;
mod play;
mod retention;

use std::{
    num::NonZero,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use case::try_case;
use history::{Course, Recipe};
use tokio::runtime::Runtime;

/// So long a failure is tried with fewer steps, to find one that people can read.
const MINIMISING_MAX: Duration = Duration::from_secs(20);

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Most histories are short; every tenth is long.
fn steps_of(seed: u64) -> usize {
    let (shortest, longest) = if seed.is_multiple_of(10) { (20, 60) } else { (5, 25) };
    usize::try_from(shortest + (seed / 10) % (longest - shortest + 1)).unwrap()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Tries cases of consecutive seeds, on all cores. A failure is tried again with fewer steps, and told.
fn try_cases(first_seed: u64, cases: u64, course: Course) {
    let recipe = |seed: u64, steps: usize| Recipe { seed, steps, course };
    if let Some(seed) = number_from("TALLYHOOK_TEST_SEED") {
        let steps = number_from("TALLYHOOK_TEST_STEPS")
            .map_or(steps_of(seed), |steps| usize::try_from(steps).unwrap());
        if let Err(wrong) = runtime().block_on(try_case(recipe(seed, steps))) {
            panic!("{course:?} seed {seed}, {steps} steps: {wrong}");
        }
        return;
    }
    let cases = number_from("TALLYHOOK_TEST_CASES").unwrap_or(cases);
    let started = Instant::now();
    let next = AtomicU64::new(first_seed);
    let failure: Mutex<Option<(u64, String)>> = Mutex::new(None);
    let work = || {
        let runtime = runtime();
        while failure.lock().unwrap().is_none() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first_seed + cases {
                return;
            }
            if let Err(wrong) = runtime.block_on(try_case(recipe(seed, steps_of(seed)))) {
                failure.lock().unwrap().get_or_insert((seed, wrong));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    let tried = next.into_inner().min(first_seed + cases) - first_seed;
    let forgotten = case::FORGOTTEN.load(Ordering::Relaxed);
    let took = started.elapsed().as_secs_f64();
    println!("{course:?}: {tried} cases in {took:.1} s, {forgotten} plays so far with a log that forgot");
    let Some((seed, wrong)) = failure.into_inner().unwrap() else {
        assert!(tried < 100 || forgotten > tried / 4, "hardly any log forgot");
        return;
    };
    let (steps, wrong) = minimised(steps_of(seed), wrong, |steps| recipe(seed, steps));
    panic!("{course:?} seed {seed}, {steps} steps: {wrong}");
}

/// The shortest beginning of a history that fails, as far as there is time to look for it.
fn minimised(steps: usize, wrong: String, recipe: impl Fn(usize) -> Recipe) -> (usize, String) {
    let (runtime, until) = (runtime(), Instant::now() + MINIMISING_MAX);
    let mut fewer = (0..steps).take_while(|_| Instant::now() < until);
    let shortest = fewer.find_map(|fewer| Some((fewer, runtime.block_on(try_case(recipe(fewer))).err()?)));
    shortest.unwrap_or((steps, wrong))
}

#[test]
fn told_histories_converge() {
    try_cases(0, 400, Course::Told);
}

#[test]
fn silent_changes_are_found_by_a_sweep() {
    try_cases(1_000_000, 300, Course::Silent);
}
