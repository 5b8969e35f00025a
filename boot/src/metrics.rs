//! Groups of metrics: registered together, and described for the reference page.

use prometheus::{
    Registry,
    core::{Collector, Desc},
    proto::MetricType,
};

/// Metrics that belong together.
pub type Collectors = Vec<Box<dyn Collector>>;

/// Registers all of them.
///
/// # Errors
/// When another metric of one of the names is registered already.
pub fn register(registry: &Registry, collectors: Collectors) -> prometheus::Result<()> {
    collectors.into_iter().try_for_each(|collector| registry.register(collector))
}

/// A metric as people look it up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// What it means.
    pub help: String,
}

/// Describes metrics, whether or not they have counted anything yet; sorted by name.
pub fn describe(collectors: &Collectors) -> Vec<Described> {
    let mut described: Vec<Described> = collectors
        .iter()
        .flat_map(|collector| collector.desc().into_iter().map(|desc| one(&**collector, desc)))
        .collect();
    described.sort();
    described
}

fn one(collector: &dyn Collector, desc: &Desc) -> Described {
    let families = collector.collect();
    let kind =
        families.iter().find(|family| family.name() == desc.fq_name).map(|family| family.get_field_type());
    Described {
        name: desc.fq_name.clone(),
        kind: match kind {
            Some(MetricType::COUNTER) => "counter",
            Some(MetricType::HISTOGRAM) => "histogram",
            _ => "gauge",
        },
        labels: desc.variable_labels.clone(),
        help: desc.help.clone(),
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{HistogramOpts, HistogramVec};

    use super::*;

    #[test]
    fn metrics_are_described_before_they_count() {
        let seconds = HistogramVec::new(HistogramOpts::new("a_seconds", "How long."), &["route"]).unwrap();
        let collectors: Collectors = vec![Box::new(seconds)];
        let described = describe(&collectors);
        assert_eq!(
            described,
            [Described {
                name: "a_seconds".into(),
                kind: "histogram",
                labels: vec!["route".into()],
                help: "How long.".into()
            }]
        );
        let registry = Registry::new();
        register(&registry, collectors).unwrap();
    }
}
