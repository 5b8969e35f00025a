//! Processes of the bench: started on a core of their own, watched from outside, ended in order.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

/// The kernel counts processor time for user space in hundredths of a second, on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;
/// How long a process may take to end when it is asked to.
const END_MAX: Duration = Duration::from_secs(30);

/// Which cores measure what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    /// Whether processes are pinned at all: `taskset` is there and there is more than one core.
    pub(crate) pinned: bool,
}

/// Where a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Core {
    /// What is measured.
    Server,
    /// What measures it.
    Generator,
    Any,
}

impl Cores {
    pub(crate) fn find() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Cores { pinned: cores > 1 && is_installed("taskset") }
    }

    /// A command that runs `program` there.
    pub(crate) fn command(self, core: Core, program: &Path) -> Command {
        let core = match core {
            Core::Server if self.pinned => "0",
            Core::Generator if self.pinned => "1",
            _ => return Command::new(program),
        };
        let mut command = Command::new("taskset");
        command.args(["-c", core]).arg(program);
        command
    }
}

/// Whether a program is on the path.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A process that ends with this value.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        Ok(Running { child })
    }

    /// Starts a process that writes a line when it is ready, and reads that line.
    pub(crate) fn start_and_hear(command: &mut Command) -> anyhow::Result<(Self, String)> {
        let mut running = Self::start(command.stdout(Stdio::piped()))?;
        let output = running.child.stdout.take().context("its output is piped")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        if line.is_empty() {
            bail!("{command:?} ended before it was ready");
        }
        Ok((running, line.trim_end().to_owned()))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM)?;
        }
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() {
            if asked.elapsed() > END_MAX {
                bail!("a process did not end within {} s", END_MAX.as_secs());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, or nobody is interested in how it does.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end with this on its input, and returns its output.
pub(crate) fn converse(command: &mut Command, input: &str) -> anyhow::Result<String> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().context("its input is piped")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Processor time that a process has used, in seconds, exact to a hundredth.
pub(crate) fn cpu_seconds(id: u32) -> anyhow::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name, in parentheses, may hold anything.
    let (_, fields) = text.rsplit_once(')').context("a process's status")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|field| field.parse::<f64>().ok()).context("a process's times");
    Ok((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

/// The same for the threads that it has now, exact to a microsecond: for short times in which none ends.
pub(crate) fn cpu_seconds_of_threads(id: u32) -> anyhow::Result<f64> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{id}/task"))? {
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else {
            // The kernel does not say, or the thread has ended just now.
            return cpu_seconds(id);
        };
        nanoseconds += text.split(' ').next().and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    }
    Ok(nanoseconds / 1e9)
}

/// Memory of a process: what it has now, and the most it ever had, in bytes.
pub(crate) fn memory(id: u32) -> anyhow::Result<(u64, u64)> {
    let file = BufReader::new(File::open(format!("/proc/{id}/status"))?);
    let (mut now, mut most) = (0, 0);
    for line in file.lines() {
        let line = line?;
        let kilobytes = || line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
        if line.starts_with("VmRSS:") {
            now = kilobytes().unwrap_or(0) << 10;
        } else if line.starts_with("VmHWM:") {
            most = kilobytes().unwrap_or(0) << 10;
        }
    }
    Ok((now, most))
}
