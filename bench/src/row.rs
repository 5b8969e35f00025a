//! The rows of the page, one file each.

mod ack;
mod alone;
#[cfg(feature = "cluster")]
mod cluster;
mod growth;
mod latest;
mod memory;
mod others;
mod read;
mod replay;
mod sync;
mod visible;

use crate::run::Bench;

/// One thing that is measured.
pub(crate) struct Row {
    /// What `--only` takes, and the mark on the page.
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Measures, and returns the figures in Markdown.
    pub(crate) measure: fn(&Bench) -> anyhow::Result<String>,
}

/// All of them, in the order of the page.
pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "ack",
        about: "durable answers to signed deliveries, many connections",
        measure: ack::measure,
    },
    Row {
        name: "ack-alone",
        about: "the same, one sender that waits for each answer",
        measure: alone::measure,
    },
    Row { name: "sync", about: "appends without HTTP: our log and a plain file", measure: sync::measure },
    Row { name: "read", about: "GETs of 5 kB and less from memory", measure: read::small },
    Row { name: "read-large", about: "GETs of 50 kB from memory", measure: read::large },
    Row { name: "latest", about: "S4's newest repositories, whole, from memory", measure: latest::whole },
    Row { name: "latest-filters", about: "the same, filtered in 200 ways", measure: latest::filters },
    Row {
        name: "visible",
        about: "from a delivery to the first GET that shows it",
        measure: visible::measure,
    },
    Row { name: "replay", about: "folding a log of deliveries from its start", measure: replay::measure },
    Row {
        name: "memory",
        about: "memory and start-up, empty and with many repositories",
        measure: memory::measure,
    },
    Row {
        name: "growth",
        about: "what one event costs as accounts and repositories grow",
        measure: growth::measure,
    },
];

/// Those about Kafka and Cassandra, in the order of the page.
#[cfg(feature = "cluster")]
pub(crate) const CLUSTER_ROWS: &[Row] = &[
    Row {
        name: "cluster-ack",
        about: "answers to signed deliveries once Kafka has them, and a bare producer",
        measure: cluster::ack,
    },
    Row {
        name: "cluster-visible",
        about: "from a delivery to the first GET that shows it, all roles apart",
        measure: cluster::visible,
    },
    Row {
        name: "cluster-replay",
        about: "folding a topic from its start, and a bare consumer with a bare driver",
        measure: cluster::replay,
    },
    Row {
        name: "cluster-rows",
        about: "rows written, and the same by a bare driver",
        measure: cluster::rows,
    },
];

/// This build has none.
#[cfg(not(feature = "cluster"))]
pub(crate) const CLUSTER_ROWS: &[Row] = &[];
