//! Three roles on Kafka and Cassandra under a real Prometheus: alerts of a lag, and of partitions that nobody folds,
//! are raised by real faults and end with them. The rules are the shipped ones with shorter times.

use tempfile::TempDir;

use crate::{
    place::Place,
    process::Process,
    program::is_there,
    prometheus::{Prometheus, hasty},
    roles::Loaded,
    support::{seconds, until},
};

const WITHIN: std::time::Duration = seconds(120);

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_a_cluster_fire_by_real_faults_and_end_with_them() {
    if !is_there("prometheus", "prometheus") {
        return;
    }
    let Some(place) = Place::alone("roles under Prometheus").await else { return };
    let mut loaded = Loaded::start(&place, 1).await;
    let roles = &mut loaded.roles;
    let (door, query) = (roles.door.ops, roles.query.ops);
    let folder = TempDir::new().unwrap();
    let targets = [door, roles.projectors[0].ops, query];
    let prometheus = Prometheus::start(folder.path(), &targets, hasty).await;
    until(WITHIN, "three roles are scraped", async || {
        let up = prometheus.query("up == 1").await;
        if up.len() == targets.len() { Ok(()) } else { Err(up) }
    })
    .await;

    // The store sleeps: deliveries are taken in, and wait.
    place.to_cassandra(|cassandra| cassandra.pause(0));
    loaded.load.more(100).await;
    prometheus.fires("TallyhookLagGrowing").await;
    prometheus.fires("TallyhookLagLong").await;
    place.to_cassandra(|cassandra| cassandra.resume(0));
    // They were seen late.
    prometheus.fires("TallyhookFreshnessOverBound").await;
    for alert in ["TallyhookLagLong", "TallyhookLagGrowing", "TallyhookFreshnessOverBound"] {
        prometheus.ends(alert).await;
    }

    let alerts = ["TallyhookDown", "TallyhookPartitionsUnfolded", "TallyhookProjectorAbsent"];
    loaded.roles.projectors[0].kill().await;
    for alert in alerts {
        prometheus.fires(alert).await;
    }
    let projector = Process::start(&loaded.roles.setup, "projector").await;
    prometheus.watch(&[door, projector.ops, query]).await;
    loaded.roles.projectors = vec![projector];
    for alert in alerts {
        prometheus.ends(alert).await;
    }
    loaded.end_load("after all alerts").await;
    loaded.end().await.terminate().await;
}
