//! Members that share partitions and hand them over.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use event_log::{EventLog, Next, Partition, Position, Subscription, Wait};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    follow::{PATIENCE, after, join_alone, next, start, take},
    sample::{ALL, append, fill, record},
    server::{self, PARTITIONS},
};

/// What was delivered, in the order in which it was, and to whom.
type Delivered = Arc<Mutex<Vec<(&'static str, Position)>>>;

/// A member that takes records, commits them when it must let go, and leaves when told.
struct Follower {
    owned: watch::Receiver<usize>,
    leave: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Follower {
    async fn join(log: &Arc<dyn EventLog>, name: &'static str, delivered: &Delivered) -> Self {
        let subscription = log.subscribe("group").await.unwrap();
        let (owned, sees_owned) = watch::channel(0);
        let leave = watch::Sender::new(false);
        let task = tokio::spawn(follow(subscription, name, delivered.clone(), owned, leave.subscribe()));
        Follower { owned: sees_owned, leave, task }
    }

    async fn owns(&mut self, count: impl Fn(usize) -> bool) {
        let owned = self.owned.wait_for(|owned| count(*owned));
        tokio::time::timeout(PATIENCE, owned).await.expect("partitions do not come").unwrap();
    }

    async fn leave(self) {
        self.leave.send_replace(true);
        self.task.await.unwrap();
    }
}

async fn follow(
    mut subscription: Box<dyn Subscription>,
    name: &'static str,
    delivered: Delivered,
    owned: watch::Sender<usize>,
    mut leave: watch::Receiver<bool>,
) {
    let mut ends = BTreeMap::<Partition, u64>::new();
    let positions = |ends: &BTreeMap<Partition, u64>| -> Vec<Position> {
        ends.iter().map(|(partition, offset)| Position { partition: *partition, offset: *offset }).collect()
    };
    loop {
        let next = tokio::select! {
            biased;
            _ = leave.wait_for(|leave| *leave) => break,
            next = subscription.next(ALL) => next.unwrap(),
        };
        match next {
            Next::Assigned(assignments) => {
                start(&mut *subscription, &assignments).await;
                ends.extend(assignments.iter().map(|a| (a.partition, a.committed.unwrap_or(0))));
            }
            Next::Records(records) => {
                delivered.lock().unwrap().extend(records.iter().map(|(position, _)| (name, *position)));
                let ended = after(&records);
                ends.extend(ended.iter().map(|position| (position.partition, position.offset)));
                subscription.commit(&ended, Wait::No).await.unwrap();
            }
            Next::Revoked(partitions) => {
                subscription.commit(&positions(&ends), Wait::Durable).await.unwrap();
                ends.retain(|partition, _| !partitions.contains(partition));
            }
            Next::Lost(partitions) => panic!("{name} lost {partitions:?}"),
        }
        owned.send_replace(ends.len());
    }
    subscription.commit(&positions(&ends), Wait::Durable).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_come_and_go_while_appends_go_on_and_nothing_is_lost_doubled_or_reordered() {
    if server::is_missing() {
        return;
    }
    let log: Arc<dyn EventLog> =
        Arc::new(server::open(&server::made(&server::shared().await, "").await).await);
    let stop = watch::Sender::new(false);
    let appender = tokio::spawn({
        let (log, stop) = (Arc::clone(&log), stop.subscribe());
        async move {
            let mut number = 0;
            while !*stop.borrow() {
                append(&*log, record(number % 50, number)).await;
                number += 1;
            }
        }
    });
    let delivered = Delivered::default();
    let all = PARTITIONS as usize;
    let mut ann = Follower::join(&log, "ann", &delivered).await;
    ann.owns(|owned| owned == all).await;
    let mut ben = Follower::join(&log, "ben", &delivered).await;
    ben.owns(|owned| owned == all / 2).await;
    ann.owns(|owned| owned == all / 2).await;
    let mut cem = Follower::join(&log, "cem", &delivered).await;
    cem.owns(|owned| owned > 0).await;
    ann.leave().await;
    ben.owns(|owned| owned == all / 2).await;
    cem.owns(|owned| owned == all / 2).await;
    ben.leave().await;
    cem.owns(|owned| owned == all).await;
    stop.send_replace(true);
    appender.await.unwrap();

    let ends: BTreeMap<Partition, u64> =
        log.bounds().await.unwrap().into_iter().map(|bounds| (bounds.partition, bounds.end)).collect();
    let total: u64 = ends.values().sum();
    let everything = async {
        while (delivered.lock().unwrap().len() as u64) < total {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, everything).await.expect("records are missing");
    let mut next = BTreeMap::<Partition, u64>::new();
    for (name, position) in delivered.lock().unwrap().iter() {
        let due = next.entry(position.partition).or_insert(0);
        assert_eq!(position.offset, *due, "{position} was delivered to {name}");
        *due += 1;
    }
    assert_eq!(next, ends);
    let names: std::collections::BTreeSet<_> =
        delivered.lock().unwrap().iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), 3, "only {names:?} were given records");
    cem.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_revoked_goes_only_when_its_owner_comes_back_and_what_it_committed_till_then_counts() {
    if server::is_missing() {
        return;
    }
    let log: Arc<dyn EventLog> =
        Arc::new(server::open(&server::made(&server::shared().await, "").await).await);
    fill(&*log, 10).await;
    let (mut owner, _) = join_alone(&*log, "group").await;
    let records = take(&mut *owner, 10 * PARTITIONS as usize).await;
    let let_go = Arc::new(AtomicBool::new(false));
    let newcomer = tokio::spawn({
        let (log, let_go) = (Arc::clone(&log), Arc::clone(&let_go));
        async move {
            let mut newcomer = log.subscribe("group").await.unwrap();
            match next(&mut *newcomer).await {
                Next::Assigned(assignments) => {
                    assert!(
                        let_go.load(Ordering::SeqCst),
                        "{assignments:?} were given before they were free"
                    );
                    (assignments, newcomer)
                }
                other => panic!("{other:?}"),
            }
        }
    });
    let revoked = match next(&mut *owner).await {
        Next::Revoked(partitions) => partitions,
        other => panic!("{other:?}"),
    };
    assert_eq!(revoked.len(), PARTITIONS as usize / 2, "as few as possible move");
    // One that is behind and one that counts, while nothing of these is delivered any more.
    fill(&*log, 1).await;
    let going: Vec<Position> =
        after(&records).into_iter().filter(|position| revoked.contains(&position.partition)).collect();
    let behind: Vec<Position> = going.iter().map(|at| Position { offset: 3, ..*at }).collect();
    owner.commit(&behind, Wait::No).await.unwrap();
    owner.commit(&going, Wait::Durable).await.unwrap();
    assert!(!newcomer.is_finished());
    let_go.store(true, Ordering::SeqCst);
    let kept = take(&mut *owner, PARTITIONS as usize / 2).await;
    assert!(kept.iter().all(|(position, _)| !revoked.contains(&position.partition)), "{kept:?}");

    let (assignments, mut newcomer) = newcomer.await.unwrap();
    let given: Vec<Partition> = assignments.iter().map(|assignment| assignment.partition).collect();
    assert_eq!(given, {
        let mut revoked = revoked.clone();
        revoked.sort_unstable();
        revoked
    });
    assert!(assignments.iter().all(|assignment| assignment.committed == Some(10)), "{assignments:?}");
    start(&mut *newcomer, &assignments).await;
    let new = take(&mut *newcomer, revoked.len()).await;
    assert!(new.iter().all(|(position, _)| position.offset == 10), "{new:?}");
    // What the old owner says about them now is nobody's business any more.
    let back: Vec<Position> = going.iter().map(|at| Position { offset: 1, ..*at }).collect();
    owner.commit(&back, Wait::Durable).await.unwrap();
    drop(newcomer);
    let reassigned = next(&mut *owner).await;
    match reassigned {
        Next::Assigned(again) => {
            assert!(again.iter().all(|assignment| assignment.committed == Some(10)), "{again:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_never_comes_back_loses_what_was_revoked() {
    if server::is_missing() {
        return;
    }
    let query = "?session.timeout.ms=6000&max.poll.interval.ms=6000";
    let log: Arc<dyn EventLog> =
        Arc::new(server::open(&server::made(&server::shared().await, query).await).await);
    fill(&*log, 2).await;
    let (mut owner, _) = join_alone(&*log, "group").await;
    let records = take(&mut *owner, 2 * PARTITIONS as usize).await;
    let mut newcomer = log.subscribe("group").await.unwrap();
    let revoked = match next(&mut *owner).await {
        Next::Revoked(partitions) => partitions,
        other => panic!("{other:?}"),
    };
    let given = match next(&mut *newcomer).await {
        Next::Assigned(assignments) => assignments,
        other => panic!("{other:?}"),
    };
    assert_eq!(given.len(), revoked.len());
    // Too late: it must not undo what the new owner may have committed.
    owner.commit(&after(&records), Wait::Durable).await.unwrap();
    match next(&mut *owner).await {
        Next::Lost(lost) => assert_eq!(lost, revoked),
        other => panic!("{other:?}"),
    }
    drop(newcomer);
    match next(&mut *owner).await {
        Next::Assigned(again) => assert!(again.iter().all(|a| a.committed.is_none()), "{again:?}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_caller_gets_everything_and_hears_of_a_rebalance_meanwhile() {
    if server::is_missing() {
        return;
    }
    const PER_PARTITION: u64 = 6_000;
    let log: Arc<dyn EventLog> =
        Arc::new(server::open(&server::made(&server::shared().await, "").await).await);
    fill(&*log, PER_PARTITION).await;
    let (mut owner, _) = join_alone(&*log, "group").await;
    // It takes one record and then nothing, so that the member is full and pauses, and must still hear the group.
    let first = match owner.next(event_log::Limit { records_max: 1, bytes_max: 1 }).await.unwrap() {
        Next::Records(records) => records,
        other => panic!("{other:?}"),
    };
    assert_eq!(first.len(), 1);
    let mut newcomer = log.subscribe("group").await.unwrap();
    let mut delivered = first;
    let revoked = loop {
        match owner.next(event_log::Limit { records_max: 0, bytes_max: 0 }).await.unwrap() {
            Next::Records(records) => {
                delivered.extend(records);
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            Next::Revoked(partitions) => break partitions,
            other => panic!("{other:?}"),
        }
    };
    assert!(delivered.len() < 10_000, "the group was heard only after everything was taken");
    owner.commit(&after(&delivered), Wait::Durable).await.unwrap();
    let owner = tokio::spawn(async move {
        let left = (PARTITIONS as usize - revoked.len()) * usize::try_from(PER_PARTITION).unwrap();
        let kept = |records: &[(Position, _)]| {
            records.iter().filter(|(position, _)| !revoked.contains(&position.partition)).count()
        };
        while kept(&delivered) < left {
            match next(&mut *owner).await {
                Next::Records(records) => delivered.extend(records),
                other => panic!("{other:?}"),
            }
        }
        (delivered, owner)
    });
    let mut all = Vec::new();
    let assignments = match next(&mut *newcomer).await {
        Next::Assigned(assignments) => assignments,
        other => panic!("{other:?}"),
    };
    start(&mut *newcomer, &assignments).await;
    let behind: u64 = assignments.iter().map(|a| PER_PARTITION - a.committed.unwrap_or(0)).sum();
    all.extend(take(&mut *newcomer, usize::try_from(behind).unwrap()).await);
    all.extend(owner.await.unwrap().0);
    let mut positions: Vec<Position> = all.into_iter().map(|(position, _)| position).collect();
    let total = usize::try_from(PER_PARTITION).unwrap() * PARTITIONS as usize;
    assert_eq!(positions.len(), total);
    positions.sort_unstable();
    positions.dedup();
    assert_eq!(positions.len(), total, "records were delivered twice");
}
