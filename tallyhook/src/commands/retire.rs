//! `tallyhook retire`: the tables and the topic of hints of older generations, once nobody needs them.

use crate::{failure::Failure, places::Places, settings::Settings};

/// Drops them, or says why not.
pub(crate) async fn run(settings: &Settings) -> Result<(), Failure> {
    match &settings.places {
        Places::Embedded => {
            println!("nothing to do: a data folder drops older generations by itself once it has caught up");
            Ok(())
        }
        #[cfg(feature = "cluster")]
        Places::Cluster(places) => cluster::retire(places).await,
    }
}

#[cfg(feature = "cluster")]
mod cluster {
    use domain::GENERATION;
    use event_log::{
        EventLog as _,
        kafka::{KafkaLog, KafkaLogSettings, delete_group},
    };
    use projector::Projector;
    use view_store::{
        cql::{CqlStore, CqlStoreSettings},
        hints::kafka::delete_topic,
        served,
    };

    use crate::{
        failure::{Failure, failed},
        places::Cluster,
        ports::cluster::hints_topic,
    };

    pub(super) async fn retire(places: &Cluster) -> Result<(), Failure> {
        let settings = CqlStoreSettings { generation: GENERATION, ..CqlStoreSettings::default() };
        let store = CqlStore::open(&places.store, settings).await.map_err(failed)?;
        let older: Vec<u32> = store.generations().await.map_err(failed)?;
        let older: Vec<u32> = older.into_iter().filter(|generation| *generation < GENERATION).collect();
        if older.is_empty() {
            println!("nothing to do: there is no generation older than {GENERATION}");
            return Ok(());
        }
        refuse_before_it_is_built(places, &store).await?;
        for generation in older {
            refuse_while_it_is_folded(places, generation).await?;
            store.retire(generation).await.map_err(failed)?;
            println!("dropped the tables of generation {generation}");
            let topic = hints_topic(places, generation);
            if delete_topic(&places.log.client_config(), &topic).await.map_err(failed)? {
                println!("deleted the topic {topic} of its hints");
            }
        }
        Ok(())
    }

    async fn refuse_before_it_is_built(places: &Cluster, store: &CqlStore) -> Result<(), Failure> {
        let log = KafkaLog::open(&places.log, KafkaLogSettings::default()).await.map_err(failed)?;
        let active = served::active(store, log.identity().partitions).await.map_err(failed)?;
        log.close().await;
        let open = active.iter().position(|active| active.is_none_or(|active| active < GENERATION));
        match open {
            Some(partition) => Err(Failure::Failed(format!(
                "nothing was dropped: no projector of generation {GENERATION} has caught up with partition {partition} \
                 yet, and readers need the older one until then"
            ))),
            None => Ok(()),
        }
    }

    async fn refuse_while_it_is_folded(places: &Cluster, generation: u32) -> Result<(), Failure> {
        let group = Projector::group_of(generation);
        // Kafka itself deletes no group that has members, so that nobody can join between the look and the end.
        if delete_group(&places.log, &group).await.map_err(failed)? {
            return Ok(());
        }
        Err(Failure::Failed(format!(
            "generation {generation} was not dropped: projectors of it still run (group {group}); stop every process of \
             the older release first"
        )))
    }
}
