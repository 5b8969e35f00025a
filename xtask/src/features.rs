//! Which features are checked and tested: all of the workspace, but those that need what a new machine lacks.

use anyhow::Context;
use cargo_metadata::MetadataCommand;

use crate::command;

/// One needs the headers of OpenSSL, the other a C build that takes minutes.
const NOT_TESTED: &[&str] = &["kafka-tls", "cql-tls"];

/// The words that tell cargo.
pub(crate) fn all() -> anyhow::Result<[String; 2]> {
    let metadata = MetadataCommand::new()
        .manifest_path(command::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("reading the workspace")?;
    let features = metadata.packages.iter().flat_map(|package| {
        let tested = package.features.keys().filter(|feature| !NOT_TESTED.contains(&feature.as_str()));
        tested.map(|feature| format!("{}/{feature}", package.name))
    });
    Ok(["--features".to_owned(), features.collect::<Vec<_>>().join(",")])
}
