//! Topics: made, found, made anew, and refused.

use event_log::{
    EventLog, LogError, Wait,
    kafka::{
        Created, KafkaAddress, KafkaLog, KafkaLogSettings, OpenError, TopicSettings, create_topic,
        delete_group,
    },
};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};

use crate::{
    follow::{PATIENCE, after, join_alone, take},
    sample::{ALL, fill},
    server::{self, PARTITIONS, topic_settings},
};

fn admin(address: &KafkaAddress) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", address.brokers()).create().unwrap()
}

async fn refusal(address: &KafkaAddress) -> String {
    match KafkaLog::open(address, KafkaLogSettings::default()).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_is_made_once_and_never_changed() {
    if server::is_missing() {
        return;
    }
    let address = server::unused(&server::shared().await, "");
    let missing = refusal(&address).await;
    assert!(missing.contains("run `tallyhook migrate`"), "{missing}");
    assert_eq!(create_topic(&address, &topic_settings()).await.unwrap(), Created::New);
    let identity = server::open(&address).await.identity();
    assert_eq!(identity.partitions, PARTITIONS);
    assert_eq!(create_topic(&address, &topic_settings()).await.unwrap(), Created::AlreadyThere);
    let other = TopicSettings { partitions: PARTITIONS + 1, replication: None };
    match create_topic(&address, &other).await {
        Err(error @ OpenError::Refused { .. }) => {
            assert!(error.to_string().contains("has 4 partitions and not 5"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server::open(&address).await.identity(), identity, "it was changed");
    let impossible = TopicSettings { partitions: 1, replication: Some(99) };
    let refused = create_topic(&server::unused(&server::shared().await, ""), &impossible).await;
    assert!(matches!(refused, Err(OpenError::Refused { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_make_it_at_once_agree() {
    if server::is_missing() {
        return;
    }
    let address = server::unused(&server::shared().await, "");
    let settings = topic_settings();
    let (first, second) = tokio::join!(create_topic(&address, &settings), create_topic(&address, &settings));
    let mut created = [first.unwrap(), second.unwrap()];
    created.sort_by_key(|created| *created == Created::AlreadyThere);
    assert_eq!(created, [Created::New, Created::AlreadyThere]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_loses_records_is_refused() {
    if server::is_missing() {
        return;
    }
    let brokers = server::shared().await;
    for (setting, value, reason) in [
        ("cleanup.policy", "compact", "it is compacted"),
        ("max.message.bytes", "1000000", "max.message.bytes=33554432"),
    ] {
        let address = server::unused(&brokers, "");
        let topic = NewTopic::new(address.topic(), 4, TopicReplication::Fixed(1)).set(setting, value);
        admin(&address).create_topics([&topic], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
        let refused = create_topic(&address, &topic_settings()).await.unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
        let refused = refusal(&address).await;
        assert!(refused.contains(reason), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_was_made_anew_is_another_log_and_its_followers_stop() {
    if server::is_missing() {
        return;
    }
    let address = server::made(&server::shared().await, "").await;
    let log = server::open(&address).await;
    fill(&log, 5).await;
    let (mut member, _) = join_alone(&log, "group").await;
    take(&mut *member, 5 * PARTITIONS as usize).await;

    admin(&address).delete_topics(&[address.topic()], &AdminOptions::new()).await.unwrap()[0]
        .as_ref()
        .unwrap();
    // The name is free when the brokers have forgotten the old one.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while create_topic(&address, &topic_settings()).await.ok() != Some(Created::New) {
        assert!(tokio::time::Instant::now() < deadline, "it cannot be made anew");
    }
    let anew = server::open(&address).await;
    assert_ne!(anew.identity().incarnation, log.identity().incarnation);
    assert!(anew.bounds().await.unwrap().iter().all(|bounds| bounds.end == 0));

    // What the follower asks for is not there: it must not wait for the new log to grow past it.
    let heard = tokio::time::timeout(PATIENCE, async {
        loop {
            match member.next(ALL).await {
                Err(LogError::Stop(reason)) => break reason,
                Err(LogError::Retry(_)) => {}
                // The group may hand its partitions out anew first; whoever starts then looks at the log itself.
                Ok(event_log::Next::Revoked(_) | event_log::Next::Lost(_)) => break "made anew".to_owned(),
                other => panic!("{other:?}"),
            }
        }
    });
    let reason = heard.await.expect("the follower waits for ever");
    assert!(reason.contains("made anew"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_goes_only_when_its_members_have() {
    if server::is_missing() {
        return;
    }
    let address = server::made(&server::shared().await, "").await;
    assert!(delete_group(&address, "nobody").await.unwrap(), "there was none");
    let log = server::open(&address).await;
    fill(&log, 10).await;
    let (mut member, _) = join_alone(&log, "some").await;
    let records = take(&mut *member, 40).await;
    member.commit(&after(&records), Wait::Durable).await.unwrap();
    assert!(!delete_group(&address, "some").await.unwrap(), "it has a member");
    drop(member);
    log.close().await;
    let gone = async { while !delete_group(&address, "some").await.unwrap() {} };
    tokio::time::timeout(PATIENCE, gone).await.expect("it has no member any more");
    let log = server::open(&address).await;
    let (_member, committed) = join_alone(&log, "some").await;
    assert!(committed.values().all(Option::is_none), "{committed:?}");
}
