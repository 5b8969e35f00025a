//! Everything that can be said of a change without running it.

use crate::{arrows, command, docs, features, files};

/// Formatting, clippy, tidy, generated pages.
pub(crate) fn run() -> anyhow::Result<()> {
    command::run(command::cargo().args(["fmt", "--all", "--check"]))?;
    let mut clippy = command::cargo();
    clippy.args(["clippy", "--workspace", "--all-targets", "--locked"]).args(features::all()?);
    command::run(clippy.args(["--", "-D", "warnings"]))?;
    tidy()?;
    docs::run(true)
}

/// The rules of the tree.
pub(crate) fn tidy() -> anyhow::Result<()> {
    let mut complaints = arrows::check()?;
    complaints.extend(files::check()?);
    for complaint in &complaints {
        eprintln!("tidy: {complaint}");
    }
    anyhow::ensure!(complaints.is_empty(), "the tree breaks {} of its own rules", complaints.len());
    println!("tidy: rooms, arrows and files are in order");
    Ok(())
}
