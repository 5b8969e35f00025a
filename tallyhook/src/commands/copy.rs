//! `tallyhook copy`: from a data folder to a cluster.

use std::path::Path;

use crate::{
    failure::Failure,
    places::{EMBEDDED, Places, Wrong},
};

/// Copies, and says what that was.
pub(crate) async fn run(from: &str, to: &str) -> Result<(), Failure> {
    match (read_from(from)?, read_to(to)?) {
        (_, Places::Embedded) => Err(wrong_target()),
        #[cfg(feature = "cluster")]
        (folder, Places::Cluster(places)) => cluster::copy(folder, &places).await,
    }
}

fn read_from(from: &str) -> Result<&Path, Failure> {
    match from.strip_prefix(EMBEDDED) {
        Some(folder) if !folder.is_empty() => Ok(Path::new(folder)),
        _ => Err(Failure::Usage("--from is embedded:DIR, with the data folder to copy".to_owned())),
    }
}

/// Two addresses with a comma between them; hosts have commas between them too.
fn read_to(to: &str) -> Result<Places, Failure> {
    let (log, store) = to.split_once(",scylla://").ok_or_else(wrong_target)?;
    Places::read(log, &format!("scylla://{store}")).map_err(|wrong| match wrong {
        Wrong::Log(sentence) | Wrong::Store(sentence) => Failure::Usage(format!("--to: {sentence}")),
        Wrong::Together => wrong_target(),
    })
}

fn wrong_target() -> Failure {
    Failure::Usage(
        "--to is a log and a store with a comma between them: \
         kafka://HOST:PORT[,HOST:PORT]/TOPIC,scylla://HOST:PORT[,HOST:PORT]/KEYSPACE"
            .to_owned(),
    )
}

#[cfg(feature = "cluster")]
mod cluster {
    use std::path::Path;

    use domain::GENERATION;
    use event_log::kafka::{KafkaLog, KafkaLogSettings};
    use view_store::cql::{CqlStore, CqlStoreSettings};

    use crate::{
        copy,
        failure::{Failure, failed},
        places::Cluster,
    };

    pub(super) async fn copy(folder: &Path, places: &Cluster) -> Result<(), Failure> {
        let settings =
            KafkaLogSettings { client_id: "tallyhook-copy".to_owned(), ..KafkaLogSettings::default() };
        let log = KafkaLog::open(&places.log, settings).await.map_err(failed)?;
        let settings = CqlStoreSettings { generation: GENERATION, ..CqlStoreSettings::default() };
        let store = CqlStore::open(&places.store, settings).await.map_err(failed)?;
        let copied = copy::copy(folder, &log, &store).await;
        log.close().await;
        let copied = copied?;
        println!("copied {} records and {} rows", copied.records, copied.compared.rows);
        println!("compared {} views: every byte is the same", copied.compared.views);
        println!(
            "epoch {} began; start the processes of the cluster, and leave the folder stopped",
            copied.epoch.0
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T>(outcome: Result<T, Failure>) -> String {
        match outcome {
            Ok(_) => panic!("this was to be refused"),
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn what_is_no_folder_and_no_cluster_is_refused() {
        for from in ["./data", "embedded:", "kafka://one:9092/events"] {
            assert!(refusal(read_from(from)).contains("embedded:DIR"), "{from}");
        }
        assert_eq!(read_from("embedded:./data").unwrap(), Path::new("./data"));
        for to in ["kafka://one:9092/events", "scylla://one/numbers", "embedded:,embedded:"] {
            assert!(refusal(read_to(to)).contains("with a comma between them"), "{to}");
        }
    }

    #[test]
    fn both_addresses_may_name_several_hosts() {
        let to = read_to("kafka://one:9092,two:9092/events,scylla://three:9042,four:9042/numbers");
        if cfg!(feature = "cluster") {
            assert!(to.unwrap().is_cluster());
        } else {
            assert!(refusal(to).contains("--features cluster"));
        }
    }
}
