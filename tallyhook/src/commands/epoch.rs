//! `tallyhook epoch open`: a new life of the log's offsets.

use crate::{failure::Failure, places::Places, settings::Settings};

/// Begins a new epoch. The next start folds what the log has from its beginning.
pub(crate) async fn open(settings: &Settings) -> Result<(), Failure> {
    match &settings.places {
        Places::Embedded => Err(Failure::Usage(
            "a data folder needs no new epoch: where its log was replaced for good, move state.redb away, and it is \
             rebuilt from the log at the next start"
                .to_owned(),
        )),
        #[cfg(feature = "cluster")]
        Places::Cluster(places) => {
            let opened = view_store::cql::epoch_open(&places.store, domain::GENERATION).await;
            let epoch = opened.map_err(crate::failure::failed)?;
            println!("epoch {} began; start the processes again", epoch.0);
            Ok(())
        }
    }
}
