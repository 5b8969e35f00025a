//! docs/BENCHMARKS.md: prose by people, figures between marks by the bench.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// The page.
pub(crate) struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Page { path: path.to_owned(), text })
    }

    /// Puts figures between the marks of that name.
    pub(crate) fn put(&mut self, name: &str, figures: &str) -> anyhow::Result<()> {
        self.text = replaced(&self.text, name, figures)
            .with_context(|| format!("{} has no place for `{name}`", self.path.display()))?;
        Ok(())
    }

    pub(crate) fn write(&self) -> anyhow::Result<()> {
        fs::write(&self.path, &self.text).with_context(|| format!("writing {}", self.path.display()))
    }
}

fn replaced(text: &str, name: &str, figures: &str) -> Option<String> {
    let (open, close) = (format!("<!-- bench:{name} -->\n"), format!("<!-- /bench:{name} -->"));
    let (before, rest) = text.split_once(&open)?;
    let (_, after) = rest.split_once(&close)?;
    Some(format!("{before}{open}\n{}\n\n{close}{after}", figures.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_replace_those_of_before_and_nothing_else() {
        let page = "a\n<!-- bench:x -->\nold\n<!-- /bench:x -->\nb\n<!-- bench:y -->\n<!-- /bench:y -->\n";
        let once = replaced(page, "x", "new").unwrap();
        assert_eq!(once, page.replace("old\n", "\nnew\n\n"));
        assert_eq!(replaced(&once, "x", "new").unwrap(), once);
        assert_eq!(replaced(page, "z", "new"), None);
    }

    #[test]
    fn the_page_has_a_place_for_every_row() {
        let page = include_str!("../../docs/BENCHMARKS.md");
        let rows = crate::row::ROWS.iter().chain(crate::row::CLUSTER_ROWS);
        for name in rows.map(|row| row.name).chain(["machine", "cluster-machine"]) {
            assert!(replaced(page, name, "").is_some(), "{name}");
        }
    }
}
