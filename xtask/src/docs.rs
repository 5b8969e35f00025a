//! Pages that are generated from the code, so that they cannot lie.

use std::fs;

use anyhow::{Context, bail};

use crate::command;

/// A page and the words that print it.
const PAGES: &[(&str, &[&str])] = &[
    ("docs/reference/settings.md", &["reference", "settings"]),
    ("docs/reference/metrics.md", &["reference", "metrics"]),
    ("docs/reference/openapi.json", &["reference", "openapi"]),
];

/// Writes the pages, or checks that they are current.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    for (page, words) in PAGES {
        let mut print = command::cargo();
        print.args(["run", "--quiet", "--locked", "--package", "tallyhook", "--"]).args(*words);
        let text = command::output(&mut print)?;
        let path = command::root().join(page);
        if check {
            let current = fs::read_to_string(&path).unwrap_or_default();
            if current != text {
                bail!("{page} is not current: run `cargo xtask docs` and commit what it writes");
            }
        } else {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&path, text).with_context(|| format!("writing {page}"))?;
        }
        println!("docs: {page} is current");
    }
    Ok(())
}
