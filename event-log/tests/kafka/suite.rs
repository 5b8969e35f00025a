//! The contract suite, on a broker that is killed wherever a case crashes the log.

use std::sync::Arc;

use async_trait::async_trait;
use event_log::{
    EventLog,
    contract::{CASES, Capabilities, Failure, Harness, run},
    kafka::{KafkaAddress, KafkaLog, KafkaLogSettings, create_topic},
};

use crate::{
    follow::PATIENCE,
    server::{self, Broker},
};

struct KafkaHarness<'a> {
    broker: &'a Broker,
    address: KafkaAddress,
}

impl KafkaHarness<'_> {
    async fn open_at(&self, address: &KafkaAddress) -> Result<Arc<dyn EventLog>, Failure> {
        let failed = |error: event_log::kafka::OpenError| Failure(error.to_string());
        let settings = server::topic_settings();
        server::once_answered(|| create_topic(address, &settings)).await.map_err(failed)?;
        let open = || KafkaLog::open(address, KafkaLogSettings::default());
        let opened = server::once_answered(open).await;
        Ok(Arc::new(opened.map_err(failed)?))
    }
}

#[async_trait]
impl Harness for KafkaHarness<'_> {
    fn capabilities(&self) -> Capabilities {
        Capabilities { remembers_duplicates: false, appends_are_atomic: false, patience: PATIENCE }
    }

    async fn open(&self) -> Result<Arc<dyn EventLog>, Failure> {
        self.open_at(&self.address).await
    }

    async fn crash(&self) -> Result<(), Failure> {
        self.broker.kill();
        self.broker.restart();
        Ok(())
    }

    async fn open_another(&self) -> Result<Arc<dyn EventLog>, Failure> {
        self.open_at(&server::unused(&self.broker.addresses(), "")).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_holds_when_the_broker_is_killed() {
    if server::is_missing() {
        return;
    }
    let broker = server::killable().await;
    let mut failures = Vec::new();
    for case in CASES {
        let harness = KafkaHarness { broker: &broker, address: server::unused(&broker.addresses(), "") };
        if let Err(Failure(failure)) = run(*case, &harness).await {
            failures.push(failure);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
