//! The load generator: a process of its own, told on its standard input what to do, telling on its standard
//! output what it saw.
//!
//! Closed-loop: every connection sends its next request when it has the last answer; that measures capacity.
//! Open-loop: requests have intended times, whatever became of those before, and latency counts from the
//! intended time, so that a server that stalls cannot hide it (no coordinated omission).

mod pace;
mod visible;
mod wire;
mod work;

use std::{
    cell::RefCell,
    io::Read as _,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Context;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::task::LocalSet;

use crate::{delivery::Kind, process, shape::Shape};

/// Latencies are kept from a microsecond to a minute, to three digits.
const LATENCY_US_MAX: u64 = 60_000_000;

/// What to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) pace: Pace,
    /// Not counted.
    pub(crate) warm_up_ms: u64,
    pub(crate) measured_ms: u64,
    pub(crate) work: Work,
}

/// How fast.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Pace {
    Closed,
    Open { per_second: f64, wait: Wait },
}

/// How a generator passes the time between two looks or requests.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Wait {
    /// Exact, and its core is always busy.
    Awake,
    /// Exact to two milliseconds; its core is left to whoever needs it.
    Asleep,
}

/// What is sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Work {
    /// The same request over and over.
    Get {
        path: String,
        headers: Vec<(String, String)>,
        status: u16,
    },
    /// Each of these in turn, from another place for each connection.
    GetEach {
        paths: Vec<String>,
        status: u16,
    },
    /// Redis' GET of a key.
    RedisGet {
        key: String,
    },
    Deliver(Deliveries),
    /// Deliveries, each followed by reads of its repository until it shows; what is measured is that time.
    /// Always closed-loop, each connection resting in between.
    Visible {
        deliveries: Deliveries,
        rest_ms: u64,
        /// Where to read, where that is another process.
        reader: Option<SocketAddr>,
        wait: Wait,
    },
}

/// Deliveries to repositories that no other run delivers to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Deliveries {
    pub(crate) path: String,
    pub(crate) kind: Kind,
    /// About the size of a body.
    pub(crate) bytes: usize,
    pub(crate) shape: Shape,
    /// Of so many lanes, the one to take: heads of a lane's repositories stand where they were filled.
    pub(crate) lane: u32,
    pub(crate) lanes: u32,
    /// Deliveries that each repository of the lane has had.
    pub(crate) from: u64,
    /// Makes GUIDs unlike those of other runs.
    pub(crate) run: u64,
}

/// What was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Answers within the measured time.
    pub(crate) requests: u64,
    /// All answers, the warm-up's too.
    pub(crate) all_requests: u64,
    /// Answers of another status, and connections lost.
    pub(crate) errors: u64,
    pub(crate) per_second: f64,
    pub(crate) p50_us: u64,
    pub(crate) p90_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) p999_us: u64,
    pub(crate) max_us: u64,
    /// The generator's own share of a core while it measured.
    pub(crate) busy: f64,
}

/// What all connections of a run count together.
struct Tally {
    started: Instant,
    from: Instant,
    until: Instant,
    latencies: Histogram<u64>,
    requests: u64,
    all_requests: u64,
    errors: u64,
}

type Shared = Rc<RefCell<Tally>>;

impl Tally {
    fn note(&mut self, since: Instant, now: Instant, ok: bool) {
        self.all_requests += 1;
        if !ok {
            self.errors += 1;
        }
        if now >= self.from && now <= self.until {
            self.requests += 1;
            let latency = u64::try_from(now.duration_since(since).as_micros()).unwrap_or(LATENCY_US_MAX);
            self.latencies.saturating_record(latency.max(1));
        }
    }
}

/// Reads what to do, does it, writes what it saw.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let spec: Spec = serde_json::from_str(&text).context("what to do")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let seen = LocalSet::new().block_on(&runtime, measure(spec))?;
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

async fn measure(spec: Spec) -> anyhow::Result<Seen> {
    let prepared = pace::prepare(&spec).await?;
    let started = Instant::now();
    let from = started + Duration::from_millis(spec.warm_up_ms);
    let until = from + Duration::from_millis(spec.measured_ms);
    let tally = Rc::new(RefCell::new(Tally {
        started,
        from,
        until,
        latencies: Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)?,
        requests: 0,
        all_requests: 0,
        errors: 0,
    }));
    let cpu = tokio::task::spawn_local(async move {
        tokio::time::sleep_until(from.into()).await;
        process::cpu_seconds(std::process::id())
    });
    pace::drive(prepared, &spec, &tally).await?;
    let busy = process::cpu_seconds(std::process::id())? - cpu.await??;
    let measured = until.duration_since(from).as_secs_f64();
    let tally = tally.borrow();
    let at = |quantile| tally.latencies.value_at_quantile(quantile);
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let per_second = tally.requests as f64 / measured;
    Ok(Seen {
        requests: tally.requests,
        all_requests: tally.all_requests,
        errors: tally.errors,
        per_second,
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        p999_us: at(0.999),
        max_us: tally.latencies.max(),
        busy: busy / measured,
    })
}
