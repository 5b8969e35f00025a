//! One run: its rows in order, each into its place on the page.

use std::{
    cell::Cell,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::{
    RunArguments,
    fill::History,
    load::{Seen, Spec},
    machine,
    page::Page,
    process::{self, Core, Cores, Running},
    program::Program,
    row,
    shape::Shape,
};

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Short,
    Full,
    Long,
}

/// What all rows work with.
pub(crate) struct Bench {
    pub(crate) mode: Mode,
    pub(crate) cores: Cores,
    own: PathBuf,
    program: PathBuf,
    scratch: TempDir,
    pub(crate) plots: PathBuf,
    runs: Cell<u64>,
    #[cfg(feature = "cluster")]
    servers: std::cell::OnceCell<crate::cluster::Servers>,
}

/// Runs the rows that are asked for.
pub(crate) fn run(arguments: &RunArguments) -> anyhow::Result<()> {
    let rows = if arguments.cluster { row::CLUSTER_ROWS } else { row::ROWS };
    if arguments.list {
        for row in rows {
            println!("{:12} {}", row.name, row.about);
        }
        return Ok(());
    }
    let known = |name: &String| rows.iter().any(|row| row.name == name);
    if let Some(unknown) = arguments.only.iter().find(|name| !known(name)) {
        bail!("no row is called `{unknown}`; `--list` names them");
    }
    if rows.is_empty() {
        bail!("this build knows no cluster; `cargo xtask bench --cluster` makes one that does");
    }
    let bench = Bench::new(arguments)?;
    let mut page = Page::read(&arguments.root.join("docs/BENCHMARKS.md"))?;
    let machine = if arguments.cluster { "cluster-machine" } else { "machine" };
    page.put(machine, &machine::describe(bench.cores, bench.scratch.path())?)?;
    let begun = Instant::now();
    for row in rows {
        if arguments.only.is_empty() || arguments.only.iter().any(|name| name == row.name) {
            let started = Instant::now();
            eprintln!("== {}: {}", row.name, row.about);
            let figures = (row.measure)(&bench).with_context(|| format!("row {}", row.name))?;
            println!("{figures}");
            page.put(row.name, &format!("{figures}\n*{}*\n", bench.mode.words()))?;
            // Whatever happens to the rows after it.
            page.write()?;
            eprintln!("   {:.1} s", started.elapsed().as_secs_f64());
        }
    }
    eprintln!("all in {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

impl Mode {
    fn words(self) -> &'static str {
        match self {
            Mode::Short => "A short run (`--short`).",
            Mode::Full => "A full run.",
            Mode::Long => "A long run (`--long`).",
        }
    }
}

impl Bench {
    fn new(arguments: &RunArguments) -> anyhow::Result<Self> {
        let own = std::env::current_exe()?;
        let beside = own.parent().context("a program is in a folder")?;
        let program = beside.join("tallyhook");
        if !program.is_file() {
            bail!("the program is not built beside the bench; `cargo xtask bench` builds both");
        }
        let plots = arguments.root.join("docs/benchmarks");
        fs::create_dir_all(&plots)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        Ok(Bench {
            mode: match (arguments.short, arguments.long) {
                (true, _) => Mode::Short,
                (_, true) => Mode::Long,
                _ => Mode::Full,
            },
            cores: Cores::find(),
            program,
            // On the disk of the build, because a temporary folder may be in memory.
            scratch: TempDir::with_prefix_in("bench-", beside)?,
            plots,
            runs: Cell::new(now.as_secs() << 20),
            #[cfg(feature = "cluster")]
            servers: std::cell::OnceCell::new(),
            own,
        })
    }

    /// This in a short run, that in others.
    pub(crate) fn pick<T>(&self, short: T, otherwise: T) -> T {
        if self.mode == Mode::Short { short } else { otherwise }
    }

    /// A number that no other run of the load has.
    pub(crate) fn next_run(&self) -> u64 {
        self.runs.set(self.runs.get() + 1);
        self.runs.get()
    }

    /// An empty folder.
    pub(crate) fn folder(&self) -> anyhow::Result<TempDir> {
        Ok(TempDir::new_in(self.scratch.path())?)
    }

    /// A data folder whose log holds accounts of these shapes, and how many records that took.
    pub(crate) fn filled(&self, shapes: &[Shape]) -> anyhow::Result<(TempDir, u64)> {
        let folder = self.folder()?;
        let mut command = self.cores.command(Core::Any, &self.own);
        command.arg("fill").arg(folder.path()).arg(serde_json::to_string(shapes)?);
        let records = process::converse(&mut command, "")?.trim().parse()?;
        Ok((folder, records))
    }

    /// Appends deliveries to the log of a folder; returns how many.
    pub(crate) fn deliver(&self, folder: &Path, history: &History) -> anyhow::Result<u64> {
        let mut command = self.cores.command(Core::Any, &self.own);
        command.arg("deliver").arg(folder).arg(serde_json::to_string(history)?);
        Ok(process::converse(&mut command, "")?.trim().parse()?)
    }

    /// A data folder with the newest public repositories.
    pub(crate) fn filled_latest(&self) -> anyhow::Result<TempDir> {
        let folder = self.folder()?;
        let mut command = self.cores.command(Core::Any, &self.own);
        command.arg("fill-latest").arg(folder.path());
        process::converse(&mut command, "")?;
        Ok(folder)
    }

    /// The program, ready, on this folder.
    pub(crate) fn program(&self, folder: &Path) -> anyhow::Result<Program> {
        Program::start(self.cores, &self.program, folder, "off")
    }

    /// The same; it shows the newest public repositories, and asks for them so rarely that nothing is asked while
    /// something is measured.
    pub(crate) fn program_following(&self, folder: &Path) -> anyhow::Result<Program> {
        Program::start(self.cores, &self.program, folder, "365d")
    }

    /// Runs the load generator.
    pub(crate) fn load(&self, spec: &Spec) -> anyhow::Result<Seen> {
        let mut command = self.generator();
        Ok(serde_json::from_str(&process::converse(&mut command, &serde_json::to_string(spec)?)?)?)
    }

    /// The load generator, to be told what to do.
    pub(crate) fn generator(&self) -> std::process::Command {
        let mut command = self.cores.command(Core::Generator, &self.own);
        command.arg("load");
        command
    }

    /// A peer and where it listens.
    pub(crate) fn peer(&self, name: &str, folder: Option<&Path>) -> anyhow::Result<(Running, SocketAddr)> {
        let mut command = self.cores.command(Core::Server, &self.own);
        command.args(["peer", name]).args(folder).stdin(Stdio::null());
        let (running, line) = Running::start_and_hear(&mut command)?;
        Ok((running, line.parse()?))
    }

    /// A peer that does something and tells what came of it.
    pub(crate) fn ask_peer(&self, folder: &Path, words: &[String]) -> anyhow::Result<String> {
        let (name, rest) = words.split_first().context("which peer")?;
        let mut command = self.cores.command(Core::Server, &self.own);
        command.args(["peer", name]).arg(folder).args(rest);
        process::converse(&mut command, "")
    }

    /// A program that somebody else wrote, on the server's core.
    pub(crate) fn other(&self, program: &str) -> std::process::Command {
        self.cores.command(Core::Server, Path::new(program))
    }
}

#[cfg(feature = "cluster")]
impl Bench {
    /// Kafka and Cassandra, started when they are first asked for.
    pub(crate) fn servers(&self) -> anyhow::Result<&crate::cluster::Servers> {
        if self.servers.get().is_none() {
            let servers = crate::cluster::Servers::start(self.scratch.path())?;
            assert!(self.servers.set(servers).is_ok(), "it was empty a moment ago");
        }
        self.servers.get().context("they have just been started")
    }

    /// A process of the program on the server's core.
    pub(crate) fn tallyhook(&self) -> std::process::Command {
        self.cores.command(Core::Server, &self.program)
    }

    /// Does something to a server, and tells what came of it.
    pub(crate) fn job<T: serde::de::DeserializeOwned>(
        &self,
        job: &crate::cluster::job::Job,
    ) -> anyhow::Result<T> {
        let mut command = self.cores.command(Core::Server, &self.own);
        command.arg("job");
        Ok(serde_json::from_str(&process::converse(&mut command, &serde_json::to_string(job)?)?)?)
    }
}
