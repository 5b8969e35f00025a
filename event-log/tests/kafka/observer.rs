//! What the observer hears.

use std::sync::{Arc, Mutex};

use event_log::{
    Wait,
    kafka::{KafkaLog, KafkaLogSettings, KafkaObserver, MemberStats, ProducerStats},
};
use tokio::sync::Notify;

use crate::{
    follow::{PATIENCE, after, join_alone, take},
    sample::fill,
    server::{self, PARTITIONS},
};

#[derive(Default)]
struct Heard {
    producer: Mutex<Option<ProducerStats>>,
    member: Mutex<Option<(String, MemberStats)>>,
    news: Notify,
}

impl KafkaObserver for Heard {
    fn producer(&self, stats: &ProducerStats) {
        *self.producer.lock().unwrap() = Some(stats.clone());
        self.news.notify_one();
    }

    fn member(&self, group: &str, stats: &MemberStats) {
        *self.member.lock().unwrap() = Some((group.to_owned(), stats.clone()));
        self.news.notify_one();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_observer_hears_how_far_a_group_is_behind_and_how_appending_goes() {
    if server::is_missing() {
        return;
    }
    let address = server::made(&server::shared().await, "").await;
    let heard = Arc::new(Heard::default());
    let settings = KafkaLogSettings { observer: Some(heard.clone()), ..KafkaLogSettings::default() };
    let log = KafkaLog::open(&address, settings).await.unwrap();
    fill(&log, 10).await;
    let (mut member, _) = join_alone(&log, "group").await;
    let records = take(&mut *member, 10 * PARTITIONS as usize).await;
    let behind: Vec<_> =
        after(&records).into_iter().map(|end| event_log::Position { offset: 7, ..end }).collect();
    member.commit(&behind, Wait::Durable).await.unwrap();
    let expected: Vec<_> = behind.iter().map(|position| (position.partition, 3)).collect();
    let everything = async {
        loop {
            let is_told = heard.member.lock().unwrap().as_ref().is_some_and(|(group, stats)| {
                *group == format!("{}.group", address.topic())
                    && stats.lag == expected
                    && stats.rebalances >= 1
                    && stats.brokers_up == 1
            });
            let producer = heard.producer.lock().unwrap().clone();
            if is_told && producer.is_some_and(|stats| stats.brokers_up == 1 && stats.waiting_messages == 0) {
                break;
            }
            heard.news.notified().await;
        }
    };
    if tokio::time::timeout(PATIENCE, everything).await.is_err() {
        panic!("{:?} {:?}", heard.producer.lock().unwrap(), heard.member.lock().unwrap());
    }
}
