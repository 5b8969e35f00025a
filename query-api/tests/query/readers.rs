//! Word that an account is read: once a day, for those that are kept only for their readers.

use std::time::Duration;

use domain::{Event, event::TrackedBy};

use crate::{
    bench::{Bench, patient},
    forge::{HUBOT, OCTO},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn told(bench: &Bench, account: crate::forge::Account) -> usize {
    bench.commands_of(account.stream()).await.iter().filter(|event| **event == Event::Read).count()
}

#[tokio::test]
async fn a_reader_is_told_of_once_a_day() {
    let bench = Bench::new(patient()).await;
    OCTO.settle_by(&bench, &[(1, "a")], TrackedBy::Read).await;
    let paths =
        ["/githubPayload?user=octo", "/v1/repos/octo/a", "/v1/accounts/octo", "/v1/accounts/octo/repos"];
    for path in paths {
        bench.get(path).await;
    }
    assert_eq!(told(&bench, OCTO).await, 0, "it was kept a moment ago");

    for day in 1..=3 {
        bench.pass(DAY);
        for path in paths {
            assert_eq!(bench.get(path).await.status, 200);
        }
        bench.until_commands(OCTO.stream(), day).await;
        for path in paths {
            bench.get(path).await;
        }
        // Whoever would tell once more does it before this record.
        bench.command(OCTO.stream(), vec![]).await;
        assert_eq!(told(&bench, OCTO).await, day);
        tokio::time::pause();
        tokio::time::advance(DAY).await;
        tokio::time::resume();
    }
}

#[tokio::test]
async fn accounts_that_somebody_wants_are_not_told_of() {
    let bench = Bench::new(patient()).await;
    HUBOT.settle_by(&bench, &[(1, "a")], TrackedBy::Person).await;
    bench.pass(10 * DAY);
    assert_eq!(bench.get("/v1/accounts/hubot").await.status, 200);
    bench.command(HUBOT.stream(), vec![]).await;
    assert_eq!(told(&bench, HUBOT).await, 0);
}
