//! Appends without HTTP: a plain file and our log, the same groups.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{AccountId, Millis, StreamKey};
use event_log::{DedupeKey, EmbeddedLog, EmbeddedLogSettings, EventLog, Record};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::delivery::{Kind, Template};
use crate::shape::Shape;

/// What came of appending.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Appended {
    pub(crate) records: u64,
    pub(crate) per_second: f64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
}

fn tell(records: u64, begun: Instant, latencies: &Histogram<u64>) -> anyhow::Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let per_second = records as f64 / begun.elapsed().as_secs_f64();
    let appended = Appended {
        records,
        per_second,
        p50_us: latencies.value_at_quantile(0.5),
        p99_us: latencies.value_at_quantile(0.99),
    };
    println!("{}", serde_json::to_string(&appended)?);
    Ok(())
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// One write of a whole group, then fdatasync.
pub(super) fn plain(folder: &Path, group: usize, bytes: usize, milliseconds: u64) -> anyhow::Result<()> {
    let mut file = File::create(folder.join("plain-append"))?;
    let together = vec![b'x'; group * bytes];
    let mut latencies = Histogram::<u64>::new(3)?;
    let (begun, limit) = (Instant::now(), Duration::from_millis(milliseconds));
    let mut records = 0;
    while begun.elapsed() < limit {
        let since = Instant::now();
        file.write_all(&together)?;
        file.sync_data()?;
        latencies.record(micros(since))?;
        records += group as u64;
    }
    tell(records, begun, &latencies)
}

/// So many tasks that append one delivery after the other: their groups form by themselves.
pub(super) async fn ours(folder: &Path, group: usize, bytes: usize, milliseconds: u64) -> anyhow::Result<()> {
    let log: Arc<dyn EventLog> = Arc::new(EmbeddedLog::open(folder, EmbeddedLogSettings::default())?);
    let template = Template::new(Kind::Push, bytes)?;
    let shape = Shape::new(1, 1000, 1, 0);
    let (begun, limit) = (Instant::now(), Duration::from_millis(milliseconds));
    let mut appending = JoinSet::new();
    for task in 0..group {
        let (log, template) = (Arc::clone(&log), template.clone());
        appending.spawn(async move {
            let mut latencies = Histogram::<u64>::new(3)?;
            let mut body = Vec::new();
            let mut number = 0;
            while begun.elapsed() < limit {
                number += 1;
                let place = shape.place(u32::try_from(task)? % shape.places());
                template.fill(place, number, 0, &mut body);
                let mut key = [0; 16];
                key[..8].copy_from_slice(&number.to_be_bytes());
                key[8..].copy_from_slice(&(task as u64).to_be_bytes());
                let record = Record {
                    stream: StreamKey::Account(AccountId::github(place.account_number())),
                    id: number.to_string(),
                    dedupe: Some(DedupeKey(key)),
                    kind: domain::record::GITHUB_DELIVERY.to_owned(),
                    received_at: Millis(1_700_000_000_000),
                    headers: vec![("x-github-event".to_owned(), "push".to_owned())],
                    body: body.clone().into(),
                };
                let since = Instant::now();
                log.append(vec![record]).await?;
                latencies.record(micros(since))?;
            }
            Ok::<_, anyhow::Error>((number, latencies))
        });
    }
    let mut all = Histogram::<u64>::new(3)?;
    let mut records = 0;
    while let Some(appended) = appending.join_next().await {
        let (number, latencies) = appended??;
        records += number;
        all.add(&latencies)?;
    }
    tell(records, begun, &all)
}
