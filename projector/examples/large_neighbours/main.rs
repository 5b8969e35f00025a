//! Measures large neighbours: 40 000 stargazers with 300 stars each, unless told otherwise.
//!
//! `cargo run --release -p projector --example large_neighbours [STARGAZERS] [STARS]` prints how long the rows of such a
//! repository take to load, what they take in memory, what a star more costs, and how long rendering takes: all of it,
//! and the longest slice, for which other accounts wait. Those times are of the processor, so that they say the same on a
//! busy machine; Linux tells them. Then it stores the rows in a temporary folder and tells how long records of another
//! account wait until they are shown while the large one is read, by the clock.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "figures"
)]

mod made_up;
mod others;

use std::{fs, time::Duration};

use domain::{
    AccountId, Asked, Epoch, Event, Ledger, Millis, RepoId, Second, Stamp, Told, Version,
    event::{StarReading, StarsReading},
    ledger::{LargeViews, Loading},
};
use made_up::{OWNER, TARGET, opening, reading, stargazers_rows, starred_row};

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|text| text.parse::<u64>().ok());
    let stargazers = arguments.next().unwrap_or(40_000);
    let stars = arguments.next().unwrap_or(300);
    let empty = resident();

    let started = processor();
    let mut loading = Loading::of(AccountId::github(OWNER));
    let mut row_bytes = 0;
    let mut making = Duration::ZERO;
    for user in 0..stargazers {
        let begun = processor();
        let row = starred_row(user, stars);
        row_bytes += row.value.len();
        making += processor() - begun;
        loading.take(&row).expect("a row of this release");
    }
    for row in stargazers_rows(stargazers) {
        loading.take(&row).expect("a row of this release");
    }
    let mut ledger = loading.finish();
    println!("rows of {stargazers} stargazers with {stars} stars: {} MB", row_bytes / 1_000_000);
    println!(
        "loaded in {:.1} s, what it took to make the rows left out",
        ((processor() - started) - making).as_secs_f64()
    );
    println!("resident {} MB", (resident() - empty) / 1_000);

    let mut offset = 1_000;
    let mut fold = |ledger: &mut Ledger, told: Told, events: &[Event<'_>]| {
        offset += 1;
        let stamp = Stamp { version: Version::new(Epoch::FIRST, offset), received_at: Millis(1), told };
        ledger.evolve(&stamp, events);
        while ledger.drain(LargeViews::Render).has_more {}
    };
    fold(&mut ledger, Told::Command, &opening(AccountId::github(OWNER), 10));
    render(&mut ledger);

    // The clock of the processor is read coarsely: all of them are measured at once.
    let begun = processor();
    for user in stargazers..stargazers + 100 {
        let star = Event::Star(StarReading {
            repo: RepoId::github(TARGET),
            owner: AccountId::github(OWNER),
            starrer: AccountId::github(user + 1_000_000),
            login: Some(format!("stargazer-{user}").into()),
            given: true,
            at: Second(60),
        });
        fold(&mut ledger, Told::Delivery, &[star]);
        let asked =
            Asked { asked_at: Version::new(Epoch::FIRST, 2), asked_ms: Millis(70_000), date: Second(70) };
        let answer = Event::Stars(Box::new(StarsReading {
            starred: vec![reading(user, stars)],
            ..StarsReading::of(RepoId::github(TARGET))
        }));
        fold(&mut ledger, Told::Answer(asked), &[answer]);
    }
    println!("a star, and what its giver starred: {:?}", (processor() - begun) / 100);
    render(&mut ledger);
    println!("resident at most {} MB, estimated {} MB", peak() / 1_000, ledger.weight() / 1_000_000);
    drop(ledger);

    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be made");
    let waits = runtime.block_on(others::measure(stargazers, stars));
    let at = |share: usize| waits.others[(waits.others.len() - 1) * share / 100];
    println!("after a start the large account is shown in {:.1?}", waits.large);
    println!(
        "meanwhile {} records of another: half within {:.1?}, 99 % within {:.1?}, all within {:.1?}",
        waits.others.len(),
        at(50),
        at(99),
        at(100)
    );
}

fn render(ledger: &mut Ledger) {
    let (mut all, mut longest, mut slices, mut bytes) = (Duration::ZERO, Duration::ZERO, 0, 0);
    loop {
        let begun = processor();
        let drained = ledger.render_neighbours();
        let took = processor() - begun;
        (all, longest, slices) = (all + took, longest.max(took), slices + 1);
        bytes += drained.rows.iter().map(|row| row.value.len()).sum::<usize>();
        if !drained.has_more {
            break;
        }
    }
    println!(
        "rendered in {all:?}, {slices} slices, the longest {longest:?}; {} MB of rows",
        bytes / 1_000_000
    );
}

/// Processor time of this thread so far.
fn processor() -> Duration {
    let text = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

/// Resident memory, in kB.
fn resident() -> usize {
    status("VmRSS:")
}

/// The most of it so far, in kB.
fn peak() -> usize {
    status("VmHWM:")
}

fn status(field: &str) -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
