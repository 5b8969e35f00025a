//! The program itself, as users run it: `tallyhook serve` on a data folder, on a core of its own.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::{
    delivery::SECRET,
    process::{Core, Cores, Running},
};

/// A folder of the largest shape is folded within this.
const READY_MAX: Duration = Duration::from_secs(1800);
/// Nothing answers there (the port of `discard`): what asks a forge waits for it, at no cost.
pub(crate) const NO_FORGE: &str = "http://127.0.0.1:9";

/// A running program.
pub(crate) struct Program {
    running: Running,
    pub(crate) api: SocketAddr,
    pub(crate) ops: SocketAddr,
    /// From the start of the process until it takes connections.
    pub(crate) listening_after: Duration,
    /// From the start of the process until it is ready: it has folded what its log held.
    pub(crate) ready_after: Duration,
}

impl Program {
    /// Starts it on a folder and waits until it is ready; `latest_poll` is how often it asks for the newest public
    /// repositories.
    pub(crate) fn start(
        cores: Cores,
        program: &Path,
        folder: &Path,
        latest_poll: &str,
    ) -> anyhow::Result<Self> {
        let (api, ops) = (free_address()?, free_address()?);
        let said: PathBuf = folder.join("bench-output");
        let mut command = cores.command(Core::Server, program);
        forget_settings(&mut command);
        command
            .arg("serve")
            .current_dir(folder)
            .env("TALLYHOOK_LISTEN", api.to_string())
            .env("TALLYHOOK_OPS_LISTEN", ops.to_string())
            .env("TALLYHOOK_DATA_DIR", folder)
            .env("TALLYHOOK_WEBHOOK_SECRET", SECRET)
            .env("TALLYHOOK_GITHUB_API_URL", NO_FORGE)
            .env("TALLYHOOK_LATEST_POLL", latest_poll)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null())
            .stderr(File::create(&said)?);
        let begun = Instant::now();
        let mut running = Running::start(&mut command)?;
        let mut listening_after = None;
        loop {
            if listening_after.is_none() && TcpStream::connect(api).is_ok() {
                listening_after = Some(begun.elapsed());
            }
            if let Some(listening_after) = listening_after
                && get(ops, "/readyz").is_ok_and(|(status, _)| status == 200)
            {
                let ready_after = begun.elapsed();
                return Ok(Program { running, api, ops, listening_after, ready_after });
            }
            if let Some(status) = running.ended()? {
                let said = std::fs::read_to_string(&said).unwrap_or_default();
                bail!("the program ended ({status}) before it was ready: {said}");
            }
            if begun.elapsed() > READY_MAX {
                bail!("the program was not ready within {} s", READY_MAX.as_secs());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }

    /// The number of a metric, summed over its labels.
    pub(crate) fn metric(&self, name: &str) -> anyhow::Result<f64> {
        metric(self.ops, name)
    }

    /// Waits until so many records were folded since it started, and says how long that took.
    pub(crate) fn wait_folded(&self, records: f64) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        while self.metric("tallyhook_projected_records_total")? < records {
            if begun.elapsed() > READY_MAX {
                bail!("the program does not fold what it accepted");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(begun.elapsed())
    }

    /// Ends it in order, everything flushed.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        self.running.end()
    }
}

/// What is set for other processes is not for this one.
pub(crate) fn forget_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TALLYHOOK_") || name == "GITHUB_TOKEN" {
            command.env_remove(name);
        }
    }
}

/// The number of a metric at an ops address, summed over its labels.
pub(crate) fn metric(ops: SocketAddr, name: &str) -> anyhow::Result<f64> {
    let (_, text) = get(ops, "/metrics")?;
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().filter(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('{'))
    });
    Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}

/// An address that is free now.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A GET on a connection of its own: status and body.
pub(crate) fn get(address: SocketAddr, path: &str) -> anyhow::Result<(u16, Vec<u8>)> {
    get_with(address, path, "").map(|(status, _, body)| (status, body))
}

/// The same with a line of headers: status, head and body.
pub(crate) fn get_with(
    address: SocketAddr,
    path: &str,
    headers: &str,
) -> anyhow::Result<(u16, String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n{headers}\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").context("an answer's head")? + 4;
    let body = answer.split_off(head);
    let head = String::from_utf8(answer)?;
    let status = head.get(9..12).context("a status line")?.parse()?;
    Ok((status, head, body))
}
