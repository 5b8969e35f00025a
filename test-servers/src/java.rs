//! The Java that runs the servers, and the flags that keep it small.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The versions that both servers run on: Kafka wants at least 17, Cassandra 5.0 knows nothing after it.
const VERSION: u32 = 17;

/// The program.
pub(crate) fn program() -> PathBuf {
    let home = std::env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java"));
    home.filter(|java| java.is_file()).unwrap_or_else(|| "java".into())
}

/// Why Java cannot be used; `None` when it can.
pub(crate) fn missing() -> Option<String> {
    static MISSING: OnceLock<Option<String>> = OnceLock::new();
    MISSING.get_or_init(ask).clone()
}

fn ask() -> Option<String> {
    let Ok(output) = Command::new(program()).arg("-version").output() else {
        return Some(format!("no Java here (Java {VERSION} is needed, in JAVA_HOME or on the path)"));
    };
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    match major(&text) {
        Some(VERSION) => None,
        Some(other) => {
            Some(format!("Java {VERSION} is needed and this is {other}; JAVA_HOME may name another"))
        }
        None => Some(format!("`java -version` names no version (Java {VERSION} is needed)")),
    }
}

/// 17 of `openjdk version "17.0.15" 2025-04-15`.
fn major(text: &str) -> Option<u32> {
    let version = text.split("version \"").nth(1)?;
    version.split(|char: char| !char.is_ascii_digit()).next()?.parse().ok()
}

/// A small heap, one thread for its garbage and a compiler that starts fast.
pub(crate) fn flags(heap_first_mib: u32, heap_most_mib: u32) -> Vec<String> {
    let mut flags: Vec<String> = [
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        "-Djava.awt.headless=true",
        "-Djava.net.preferIPv4Stack=true",
    ]
    .map(str::to_owned)
    .to_vec();
    flags.push(format!("-Xms{heap_first_mib}m"));
    flags.push(format!("-Xmx{heap_most_mib}m"));
    flags
}

/// `-cp` and every jar of a folder, sorted: which class is found first must not depend on the disk.
pub(crate) fn class_path(jars: &[PathBuf]) -> [String; 2] {
    let jars: Vec<_> = jars.iter().map(|jar| Path::new(jar).display().to_string()).collect();
    ["-cp".to_owned(), jars.join(":")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_java_prints() {
        assert_eq!(major("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK"), Some(17));
        assert_eq!(major("java version \"1.8.0_391\""), Some(1));
        assert_eq!(major("openjdk version \"21\" 2023-09-19"), Some(21));
        assert_eq!(major("command not found"), None);
    }
}
