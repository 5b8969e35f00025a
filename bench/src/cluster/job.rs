//! What is done to Kafka and Cassandra by a process of its own: by our log and store, or by a bare client.

use std::{
    io::Read as _,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use domain::{AccountId, Epoch, Millis, RowKey, StreamKey, Version, ViewKey};
use event_log::{
    EventLog, Record,
    kafka::{KafkaLog, KafkaLogSettings},
};
use futures::{StreamExt, TryStreamExt, stream};
use hdrhistogram::Histogram;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    producer::{FutureProducer, FutureRecord},
};
use scylla::{client::session_builder::SessionBuilder, statement::Consistency};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use view_store::{
    Row, ViewStore,
    cql::{CqlAddress, CqlStore, CqlStoreSettings},
};

use super::Place;
use crate::{
    delivery::{Kind, Template},
    fill::{self, History},
    shape::Shape,
};

/// Writes in flight, ours and the bare driver's.
const WRITES_AT_ONCE: usize = 256;
/// As the projector hands them over.
const ROWS_PER_CALL: usize = 4_096;
/// A broker that says nothing for so long has nothing more to say.
const POLL_MAX: Duration = Duration::from_secs(10);

/// What to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Job {
    /// Appends what backfill would for accounts of this shape → how many records.
    Fill { place: Place, shape: Shape },
    /// Appends deliveries as the door does → how many.
    Deliver { place: Place, history: History },
    /// So many tasks append one push after the other, by our log or a bare producer → [`Done`].
    Produce { place: Place, tasks: usize, bytes: usize, milliseconds: u64, is_bare: bool },
    /// Reads a topic from its start to its end with a bare consumer → [`Done`].
    Consume { place: Place },
    /// Writes rows of this size, by our store or the bare driver → [`Done`].
    Write { place: Place, rows: u64, bytes: usize, is_bare: bool },
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) count: u64,
    pub(crate) per_second: f64,
    /// Of one; zero where that was not looked at.
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
}

impl Done {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn of(count: u64, begun: Instant, latencies: &Histogram<u64>) -> Self {
        let per_second = count as f64 / begun.elapsed().as_secs_f64();
        let at = |quantile| latencies.value_at_quantile(quantile);
        Done { count, per_second, p50_us: at(0.5), p99_us: at(0.99) }
    }
}

/// Reads what to do, does it, writes what came of it.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let job: Job = serde_json::from_str(&text).context("what to do")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    println!("{}", runtime.block_on(job.run())?);
    Ok(())
}

impl Job {
    async fn run(self) -> anyhow::Result<String> {
        Ok(match self {
            Job::Fill { place, shape } => {
                let log = open_log(&place).await?;
                let count = fill::fill(&log, &[shape]).await?;
                log.close().await;
                count.to_string()
            }
            Job::Deliver { place, history } => {
                let log = open_log(&place).await?;
                let count = fill::deliver_to(&log, &history).await?;
                log.close().await;
                count.to_string()
            }
            Job::Produce { place, tasks, bytes, milliseconds, is_bare } => {
                let sink = match is_bare {
                    true => Sink::Bare(bare_producer(&place)?, place.topic.clone()),
                    false => Sink::Ours(Arc::new(open_log(&place).await?)),
                };
                serde_json::to_string(&produce(sink, tasks, bytes, milliseconds).await?)?
            }
            Job::Consume { place } => {
                serde_json::to_string(&tokio::task::spawn_blocking(move || consume(&place)).await??)?
            }
            Job::Write { place, rows, bytes, is_bare } => {
                let done = match is_bare {
                    true => write_bare(&place, rows, bytes).await?,
                    false => write_ours(&place, rows, bytes).await?,
                };
                serde_json::to_string(&done)?
            }
        })
    }
}

async fn open_log(place: &Place) -> anyhow::Result<KafkaLog> {
    Ok(KafkaLog::open(&place.log().parse()?, KafkaLogSettings::default()).await?)
}

/// The durability of ours, and nothing else of it.
fn bare_producer(place: &Place) -> anyhow::Result<FutureProducer> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &place.brokers)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", "0")
        .set("compression.type", "lz4");
    Ok(config.create()?)
}

#[derive(Clone)]
enum Sink {
    Ours(Arc<KafkaLog>),
    Bare(FutureProducer, String),
}

impl Sink {
    async fn take(&self, stream: StreamKey, number: u64, body: Vec<u8>) -> anyhow::Result<()> {
        match self {
            Sink::Ours(log) => {
                let mut record = fill::delivery("push", stream, Millis(1_700_000_000_000), body);
                record.id = number.to_string();
                append(log, record).await
            }
            Sink::Bare(producer, topic) => {
                let key = stream.to_bytes();
                let record = FutureRecord::to(topic).key(&key[..]).payload(&body);
                let sent = producer.send_result(record).map_err(|(error, _)| error)?;
                sent.await?.map_err(|(error, _)| error)?;
                Ok(())
            }
        }
    }
}

async fn append(log: &KafkaLog, record: Record) -> anyhow::Result<()> {
    log.append(vec![record]).await?;
    Ok(())
}

async fn produce(sink: Sink, tasks: usize, bytes: usize, milliseconds: u64) -> anyhow::Result<Done> {
    let template = Template::new(Kind::Push, bytes)?;
    let shape = Shape::new(1, 1_000, 1, 0);
    // A client's first send takes up to a second.
    sink.take(StreamKey::Account(shape.place(0).account_id()), 0, b"{}".to_vec()).await?;
    let (begun, limit) = (Instant::now(), Duration::from_millis(milliseconds));
    let mut working = JoinSet::new();
    for task in 0..tasks {
        let (sink, template) = (sink.clone(), template.clone());
        working.spawn(async move {
            let mut latencies = Histogram::<u64>::new(3)?;
            let mut number = 0;
            while begun.elapsed() < limit {
                number += 1;
                let at = task as u64 + number * tasks as u64;
                let place = shape.place(u32::try_from(at % u64::from(shape.places()))?);
                let mut body = Vec::new();
                template.fill(place, number, 0, &mut body);
                let since = Instant::now();
                sink.take(StreamKey::Account(place.account_id()), at, body).await?;
                latencies.record(u64::try_from(since.elapsed().as_micros())?)?;
            }
            Ok::<_, anyhow::Error>((number, latencies))
        });
    }
    let mut all = Histogram::<u64>::new(3)?;
    let mut count = 0;
    while let Some(worked) = working.join_next().await {
        let (number, latencies) = worked??;
        count += number;
        all.add(&latencies)?;
    }
    Ok(Done::of(count, begun, &all))
}

fn consume(place: &Place) -> anyhow::Result<Done> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &place.brokers)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("fetch.message.max.bytes", "4194304")
        .set("queued.max.messages.kbytes", "65536");
    let consumer: BaseConsumer = config.create()?;
    let metadata = consumer.fetch_metadata(Some(&place.topic), POLL_MAX)?;
    let topic = metadata.topics().first().context("the topic is there")?;
    let (mut places, mut end) = (TopicPartitionList::new(), 0);
    for partition in topic.partitions() {
        let (low, high) = consumer.fetch_watermarks(&place.topic, partition.id(), POLL_MAX)?;
        end += u64::try_from(high - low)?;
        places.add_partition_offset(&place.topic, partition.id(), Offset::Beginning)?;
    }
    consumer.assign(&places)?;
    let (mut begun, mut first, mut count, mut bytes) = (Instant::now(), None, 0, 0);
    while count < end {
        let message = consumer.poll(POLL_MAX).context("the topic ended early")??;
        bytes += message.payload_len();
        count += 1;
        // As with a projector, whose joining is not counted either.
        if first.is_none() {
            (begun, first) = (Instant::now(), Some(count));
        }
    }
    ensure!(bytes > 0, "records have bodies");
    Ok(Done::of(count, begun, &Histogram::new(3)?))
}

/// Rows as a projector writes them: views of many accounts.
fn row(number: u64, value: &bytes::Bytes) -> Row {
    let stream = StreamKey::Account(AccountId::github(1_000_000 + number));
    let key = RowKey::View(stream, ViewKey::GithubPayload);
    Row { key, version: Version::new(Epoch::FIRST, 1 + number), value: value.clone() }
}

/// Nothing that a server could compress.
fn value(bytes: usize) -> bytes::Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    std::iter::from_fn(|| Some(next())).flat_map(u64::to_le_bytes).take(bytes).collect()
}

async fn write_ours(place: &Place, rows: u64, bytes: usize) -> anyhow::Result<Done> {
    let address: CqlAddress = place.store().parse()?;
    let settings = CqlStoreSettings {
        generation: domain::GENERATION,
        writes_at_once: WRITES_AT_ONCE,
        ..CqlStoreSettings::default()
    };
    let store = CqlStore::open(&address, settings).await?;
    let value = value(bytes);
    store.write(vec![row(rows, &value)]).await?;
    let begun = Instant::now();
    let mut number = 0;
    while number < rows {
        let upto = rows.min(number + ROWS_PER_CALL as u64);
        store.write((number..upto).map(|number| row(number, &value)).collect()).await?;
        number = upto;
    }
    Ok(Done::of(rows, begun, &Histogram::new(3)?))
}

async fn write_bare(place: &Place, rows: u64, bytes: usize) -> anyhow::Result<Done> {
    let session = SessionBuilder::new().known_nodes(place.node.split(',')).build().await?;
    let table = format!("{}.bare_rows", place.keyspace);
    let made = format!(
        "CREATE TABLE IF NOT EXISTS {table} (partition_key blob, row_key blob, value blob, \
         PRIMARY KEY (partition_key, row_key))"
    );
    session.query_unpaged(made, ()).await?;
    let text =
        format!("INSERT INTO {table} (partition_key, row_key, value) VALUES (?, ?, ?) USING TIMESTAMP ?");
    let mut insert = session.prepare(text).await?;
    insert.set_consistency(Consistency::LocalQuorum);
    insert.set_is_idempotent(true);
    let value = value(bytes);
    let write = |number: u64| {
        let row = row(number, &value);
        let (session, insert) = (&session, &insert);
        async move {
            let key = row.key.encode().bytes;
            let time = i64::try_from(row.version.as_raw())?;
            session.execute_unpaged(insert, (&key[..8], &key[8..], &row.value[..], time)).await?;
            Ok::<_, anyhow::Error>(())
        }
    };
    write(rows).await?;
    let begun = Instant::now();
    stream::iter(0..rows).map(write).buffer_unordered(WRITES_AT_ONCE).try_collect::<()>().await?;
    Ok(Done::of(rows, begun, &Histogram::new(3)?))
}
