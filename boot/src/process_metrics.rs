//! Metrics of the process itself: which build runs, and what it takes of the machine.

use prometheus::{IntGaugeVec, Opts, Registry};

/// Registers `tallyhook_build_info{version}` (always 1) and, on Linux, the usual `process_*` metrics.
///
/// # Errors
/// When metrics of these names are registered already.
pub fn register(registry: &Registry, version: &str) -> prometheus::Result<()> {
    let build = IntGaugeVec::new(
        Opts::new("tallyhook_build_info", "Always 1; the label says which release runs."),
        &["version"],
    )?;
    build.with_label_values(&[version]).set(1);
    registry.register(Box::new(build))?;
    #[cfg(target_os = "linux")]
    registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
    Ok(())
}
