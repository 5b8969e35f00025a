//! The machine on which figures were taken, as far as it matters to them: no names, no paths.

use std::{fs, path::Path, process::Command};

use crate::{process::Cores, table};

/// A paragraph about the machine; `data` is where the data folders are.
pub(crate) fn describe(cores: Cores, data: &Path) -> anyhow::Result<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .map_or_else(|| "unknown".to_owned(), |kilobytes| table::bytes(kilobytes << 10));
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let compiler = Command::new("rustc").arg("--version").output().ok();
    let compiler = compiler.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let pinned = if cores.pinned {
        "servers pinned to one core, the generator to another"
    } else {
        "nothing pinned (no taskset, or one core)"
    };
    let mut text = format!("- Processor: {model}, {count} cores; {pinned}\n- Memory: {memory}\n");
    text.push_str(&format!("- Disk: {}\n", disk(data)));
    text.push_str(&format!("- Kernel: Linux {}\n", kernel.trim()));
    if !compiler.trim().is_empty() {
        text.push_str(&format!("- Compiler: {}, release profile\n", compiler.trim()));
    }
    let load = load.split_whitespace().next().unwrap_or("unknown");
    text.push_str(&format!(
        "- Load average when the run began: {load} (a quiet machine shows less than 0.3)\n"
    ));
    Ok(text)
}

/// File system and kind of disk under a folder.
fn disk(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let under = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let (device, place, system) = (fields.next()?, fields.next()?, fields.next()?);
            folder.starts_with(place).then_some((place.len(), device, system))
        })
        .max_by_key(|(length, ..)| *length);
    let Some((_, device, system)) = under else { return "unknown".to_owned() };
    let device = device.rsplit('/').next().unwrap_or_default();
    let whole = device.trim_end_matches(|digit: char| digit.is_ascii_digit());
    let queue = |name: &str| {
        let text = fs::read_to_string(format!("/sys/block/{whole}/queue/{name}"));
        text.ok().map(|text| text.trim().to_owned())
    };
    let kind = match queue("rotational").as_deref() {
        Some("0") => "not rotating",
        Some("1") => "rotating, or a virtual disk that says so",
        _ => "kind unknown",
    };
    let cache = queue("write_cache").map_or_else(String::new, |cache| format!(", {cache} cache"));
    format!("{system}, {kind}{cache}")
}
