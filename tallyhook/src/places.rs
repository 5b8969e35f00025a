//! Where log and store are: in the data folder, or in a cluster. Both here or both there.

#[cfg(feature = "cluster")]
use event_log::kafka::KafkaAddress;
#[cfg(feature = "cluster")]
use view_store::cql::CqlAddress;

/// The word for the data folder.
pub(crate) const EMBEDDED: &str = "embedded:";

/// Where log and store are.
#[derive(Debug, Clone)]
pub(crate) enum Places {
    /// In the data folder.
    Embedded,
    /// On Kafka and ScyllaDB.
    #[cfg(feature = "cluster")]
    Cluster(Box<Cluster>),
}

/// The addresses of a cluster.
#[cfg(feature = "cluster")]
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) log: KafkaAddress,
    pub(crate) store: CqlAddress,
}

/// What is wrong with one address, or with the two together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    Log(String),
    Store(String),
    Together,
}

impl Places {
    /// Reads both addresses. No error repeats an address, which may hold a password.
    pub(crate) fn read(log: &str, store: &str) -> Result<Places, Wrong> {
        match (log == EMBEDDED, store == EMBEDDED) {
            (true, true) => Ok(Places::Embedded),
            (true, false) => cluster::store(store).and(Err(Wrong::Together)),
            (false, true) => cluster::log(log).and(Err(Wrong::Together)),
            (false, false) => cluster::both(log, store),
        }
    }

    /// Whether it is a cluster.
    pub(crate) fn is_cluster(&self) -> bool {
        !matches!(self, Places::Embedded)
    }
}

/// An address as it may be shown: without secrets, and nothing of one that cannot be read.
pub(crate) fn shown(address: &str) -> String {
    if address == EMBEDDED {
        return address.to_owned();
    }
    cluster::log(address)
        .or_else(|_| cluster::store(address))
        .unwrap_or_else(|_| "(cannot be read)".to_owned())
}

#[cfg(feature = "cluster")]
mod cluster {
    use super::{Cluster, CqlAddress, KafkaAddress, Places, Wrong};

    pub(super) fn log(text: &str) -> Result<String, Wrong> {
        parse_log(text).map(|address| address.to_string())
    }

    pub(super) fn store(text: &str) -> Result<String, Wrong> {
        parse_store(text).map(|address| address.to_string())
    }

    pub(super) fn both(log: &str, store: &str) -> Result<Places, Wrong> {
        Ok(Places::Cluster(Box::new(Cluster { log: parse_log(log)?, store: parse_store(store)? })))
    }

    fn parse_log(text: &str) -> Result<KafkaAddress, Wrong> {
        if !text.starts_with("kafka://") {
            return Err(Wrong::Log("`embedded:` or kafka://host:9092[,host…]/topic".to_owned()));
        }
        text.parse().map_err(|error: event_log::kafka::BadAddress| Wrong::Log(error.to_string()))
    }

    fn parse_store(text: &str) -> Result<CqlAddress, Wrong> {
        if !text.starts_with("scylla://") {
            return Err(Wrong::Store("`embedded:` or scylla://host:9042[,host…]/keyspace".to_owned()));
        }
        text.parse().map_err(|error: view_store::cql::CqlAddressError| Wrong::Store(error.to_string()))
    }
}

#[cfg(not(feature = "cluster"))]
mod cluster {
    use super::{Places, Wrong};

    const NOT_BUILT: &str = "this build knows only `embedded:`; Kafka and ScyllaDB are in builds with the feature \
                             `cluster` (cargo build --release --features cluster)";

    pub(super) fn log(_: &str) -> Result<String, Wrong> {
        Err(Wrong::Log(NOT_BUILT.to_owned()))
    }

    pub(super) fn store(_: &str) -> Result<String, Wrong> {
        Err(Wrong::Store(NOT_BUILT.to_owned()))
    }

    pub(super) fn both(log: &str, _: &str) -> Result<Places, Wrong> {
        self::log(log).map(|_| Places::Embedded)
    }
}

#[cfg(all(test, feature = "cluster"))]
mod tests {
    use super::*;

    const LOG: &str = "kafka://one:9092,two:9092/events";
    const STORE: &str = "scylla://one:9042/tallyhook";

    #[test]
    fn both_are_in_the_folder_or_both_in_a_cluster() {
        assert!(!Places::read(EMBEDDED, EMBEDDED).unwrap().is_cluster());
        assert!(Places::read(LOG, STORE).unwrap().is_cluster());
        assert_eq!(Places::read(LOG, EMBEDDED).unwrap_err(), Wrong::Together);
        assert_eq!(Places::read(EMBEDDED, STORE).unwrap_err(), Wrong::Together);
    }

    #[test]
    fn a_wrong_address_is_told_by_its_own_name() {
        assert!(matches!(Places::read("kafka:/one", STORE).unwrap_err(), Wrong::Log(_)));
        assert!(matches!(Places::read(STORE, STORE).unwrap_err(), Wrong::Log(_)));
        assert!(matches!(Places::read(LOG, LOG).unwrap_err(), Wrong::Store(_)));
        assert!(matches!(Places::read(LOG, "scylla://one:9042").unwrap_err(), Wrong::Store(_)));
    }

    #[test]
    fn nothing_secret_is_shown() {
        let log = format!(
            "{LOG}?security.protocol=sasl_plaintext&sasl.mechanism=PLAIN&sasl.username=u&sasl.password=hush"
        );
        assert_eq!(shown(&log), LOG);
        assert!(!shown("scylla://user:hush@one:9042/tallyhook").contains("hush"));
        assert!(!shown("kafka:/u:hush@one").contains("hush"));
    }
}
