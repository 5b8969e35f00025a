//! `tallyhook migrate`: the topics and the schema of a cluster.

use crate::{failure::Failure, places::Places, settings::Settings};

/// Makes what is missing, and says what that was.
#[cfg_attr(not(feature = "cluster"), expect(unused_variables, reason = "a data folder needs neither"))]
pub(crate) async fn run(
    settings: &Settings,
    partitions: u16,
    replication: Option<u16>,
) -> Result<(), Failure> {
    match &settings.places {
        Places::Embedded => {
            println!("nothing to do: a data folder is brought up to date when it is opened");
            Ok(())
        }
        #[cfg(feature = "cluster")]
        Places::Cluster(places) => cluster::migrate(places, partitions, replication).await,
    }
}

#[cfg(feature = "cluster")]
mod cluster {
    use domain::GENERATION;
    use event_log::kafka::{Created, TopicSettings, create_topic};
    use view_store::{
        cql::{self, MigrateSettings},
        hints,
    };

    use crate::{
        failure::{Failure, failed},
        places::Cluster,
        ports::cluster::hints_topic,
    };

    pub(super) async fn migrate(
        places: &Cluster,
        partitions: u16,
        replication: Option<u16>,
    ) -> Result<(), Failure> {
        let settings = TopicSettings { partitions: u32::from(partitions), replication };
        match create_topic(&places.log, &settings).await.map_err(failed)? {
            Created::New => println!("made {} with {partitions} partitions", places.log),
            Created::AlreadyThere => println!("{} is there", places.log),
        }
        let topic = hints_topic(places, GENERATION);
        let config = places.log.client_config();
        if hints::kafka::create_topic(&config, &topic, replication).await.map_err(failed)? {
            println!("made the topic {topic} of hints");
        } else {
            println!("the topic {topic} of hints is there");
        }
        let settings = MigrateSettings { generation: GENERATION, replication };
        let applied = cql::migrate(&places.store, settings).await.map_err(failed)?;
        for step in &applied {
            println!("{step}");
        }
        if applied.is_empty() {
            println!("{} is up to date", places.store);
        }
        Ok(())
    }
}
