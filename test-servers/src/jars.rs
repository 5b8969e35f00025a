//! The servers' jars, fetched once from Maven Central into a folder that outlives the tests.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};

/// 110 MB in all; longer than this is no network.
const FETCH_TIME_MAX: Duration = Duration::from_secs(10 * 60);

/// A server, as Maven names it. Each has a list of its own: the versions that the two depend on differ.
pub(crate) struct Product {
    name: &'static str,
    /// Group, artifact, version.
    parts: &'static [(&'static str, &'static str, &'static str)],
}

/// Apache Kafka. Without the second part it writes no log.
pub(crate) const KAFKA: Product = Product {
    name: "kafka-4.3.1",
    parts: &[
        ("org.apache.kafka", "kafka_2.13", "4.3.1"),
        ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4"),
    ],
};

/// Apache Cassandra.
pub(crate) const CASSANDRA: Product =
    Product { name: "cassandra-5.0.9", parts: &[("org.apache.cassandra", "cassandra-all", "5.0.9")] };

/// Fetches the jars of both servers, unless they are there. Safe while other processes do the same.
///
/// # Errors
///
/// Maven fails or takes more than ten minutes; the folder cannot be written.
pub fn fetch() -> anyhow::Result<()> {
    for product in [&KAFKA, &CASSANDRA] {
        product.jars()?;
    }
    Ok(())
}

/// Why jars cannot be had; `None` when they can.
pub(crate) fn missing() -> Option<String> {
    let is_here = [&KAFKA, &CASSANDRA].iter().all(|product| product.is_complete(&cache()));
    let can_fetch = || {
        let asked = Command::new("mvn").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    (!is_here && !can_fetch())
        .then(|| format!("no Maven here, and no jars in {} (TALLYHOOK_TEST_JARS)", cache().display()))
}

impl Product {
    /// The jars, sorted.
    pub(crate) fn jars(&self) -> anyhow::Result<Vec<PathBuf>> {
        let cache = cache();
        if !self.is_complete(&cache) {
            fs::create_dir_all(&cache).with_context(|| format!("making {}", cache.display()))?;
            let lock = File::create(cache.join(format!("{}.lock", self.name)))?;
            lock.lock().context("waiting for another process that fetches jars")?;
            if !self.is_complete(&cache) {
                self.fetch(&cache)?;
            }
        }
        let mut jars: Vec<PathBuf> = fs::read_dir(self.folder(&cache))?
            .map(|entry| Ok(entry?.path()))
            .collect::<anyhow::Result<_>>()?;
        jars.retain(|path| path.extension() == Some(OsStr::new("jar")));
        jars.sort();
        ensure!(!jars.is_empty(), "no jar in {}", self.folder(&cache).display());
        Ok(jars)
    }

    fn folder(&self, cache: &Path) -> PathBuf {
        cache.join(self.name)
    }

    /// A folder gets its name only once everything is in it.
    fn is_complete(&self, cache: &Path) -> bool {
        self.folder(cache).is_dir()
    }

    fn fetch(&self, cache: &Path) -> anyhow::Result<()> {
        println!("fetching {} from Maven Central, once", self.name);
        let work = tempfile::Builder::new().prefix(".fetch-").tempdir_in(cache)?;
        let pom = work.path().join("pom.xml");
        fs::write(&pom, self.pom())?;
        let jars = work.path().join("jars");
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "-ntp", "-f"]).arg(&pom);
        maven.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
        maven.arg(format!("-DoutputDirectory={}", jars.display())).stdin(Stdio::null());
        let mut child = maven.spawn().context("starting mvn")?;
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if started.elapsed() > FETCH_TIME_MAX {
                child.kill()?;
                child.wait()?;
                bail!("Maven took more than {} minutes for {}", FETCH_TIME_MAX.as_secs() / 60, self.name);
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        ensure!(status.success(), "Maven cannot fetch {}: {status}", self.name);
        fs::rename(&jars, self.folder(cache)).with_context(|| format!("keeping the jars of {}", self.name))
    }

    fn pom(&self) -> String {
        let mut pom = String::from(
            "<project><modelVersion>4.0.0</modelVersion><groupId>test.servers</groupId>\
             <artifactId>jars</artifactId><version>1</version><packaging>pom</packaging><dependencies>",
        );
        for (group, artifact, version) in self.parts {
            pom.push_str(&format!(
                "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
                 <version>{version}</version></dependency>"
            ));
        }
        pom.push_str("</dependencies></project>");
        pom
    }
}

/// `TALLYHOOK_TEST_JARS`, or a folder inside cargo's target folder, where `cargo clean` finds it.
fn cache() -> PathBuf {
    if let Some(folder) = std::env::var_os("TALLYHOOK_TEST_JARS") {
        return folder.into();
    }
    // Cargo marks its target folder with this file, and tests run from inside it.
    let program = std::env::current_exe().unwrap_or_default();
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target.map_or_else(std::env::temp_dir, Path::to_path_buf).join("test-servers")
}
