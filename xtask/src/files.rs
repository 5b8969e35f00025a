//! Rules about files: each says what lives in it, and none holds two nouns.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::command;

/// A file longer than this holds two nouns.
const LINES_MAX: usize = 600;

/// Words that a file must not be named.
const NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "manager", "misc"];

/// Complaints about files.
pub(crate) fn check() -> anyhow::Result<Vec<String>> {
    let root = command::root();
    let mut files = Vec::new();
    for entry in fs::read_dir(&root)? {
        let path = entry?.path();
        let is_room = path.join("Cargo.toml").exists();
        if is_room {
            collect(&path, &mut files)?;
        }
    }
    files.sort();
    let mut complaints = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let shown = file.strip_prefix(&root).unwrap_or(&file).display();
        if !text.starts_with("//!") {
            complaints.push(format!("{shown} does not begin by saying what lives in it (`//! …`)"));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            complaints.push(format!("{shown} has {lines} lines, at most {LINES_MAX}: split it by its nouns"));
        }
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if NAMES.contains(&stem) {
            complaints.push(format!("{shown}: name it after what is in it"));
        }
        if text.contains(concat!("[all", "ow(")) {
            complaints.push(format!("{shown}: use `expect(…, reason = …)`, not `allow`"));
        }
    }
    Ok(complaints)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !matches!(name, "target" | "node_modules" | "fixtures") {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
