//! Metrics of the process itself: which build runs, and what it takes of the machine.

use prometheus::{IntGaugeVec, Opts, Registry};

use crate::metrics::{self, Collectors};

/// Registers `tallyhook_build_info{version}` (always 1) and, on Linux, the usual `process_*` metrics.
///
/// # Errors
/// When metrics of these names are registered already.
pub fn register(registry: &Registry, version: &str) -> prometheus::Result<()> {
    metrics::register(registry, collectors(version)?)
}

/// All of them, to register or to describe.
///
/// # Errors
/// When one of them is ill-formed.
pub fn collectors(version: &str) -> prometheus::Result<Collectors> {
    let build = IntGaugeVec::new(
        Opts::new("tallyhook_build_info", "Always 1; the label says which release runs."),
        &["version"],
    )?;
    build.with_label_values(&[version]).set(1);
    Ok(vec![
        Box::new(build),
        #[cfg(target_os = "linux")]
        Box::new(prometheus::process_collector::ProcessCollector::for_self()),
    ])
}
