//! A server that ends with whoever started it, however that one ends.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal};

/// Starts the server, says its process id, and waits on a pipe to us. The pipe closes when we let go of it or die;
/// then the server is killed. Until the shell has waited for its child the system gives that id to nobody else.
/// The server alone keeps the other pipe open, so its end is our news of the server's death.
const SHELL: &str = r#"
log=$1 temporary=$2; shift 2
"$@" 3>&1 >"$log" 2>&1 </dev/null &
server=$!
trap '' HUP INT TERM
echo "$server"
exec >/dev/null 2>&1
read -r word
kill -KILL "$server"
wait "$server"
if [ -n "$temporary" ] && [ "$word" != keep ]; then
    rm -rf -- "$temporary"
fi
"#;

/// How much of a log goes into an error.
const LOG_TAIL_LINES: usize = 25;

/// A running server, or one that has died and was not yet let go.
pub(crate) struct Supervised {
    shell: Child,
    /// Open while the server may live.
    line: Option<ChildStdin>,
    server: Pid,
    death: Arc<Death>,
}

#[derive(Default)]
struct Death {
    is_dead: Mutex<bool>,
    changed: Condvar,
}

impl Supervised {
    /// Starts `command` in its folder. `temporary`: a folder that goes with the server unless it is [released].
    ///
    /// [released]: Supervised::release
    pub(crate) fn start(
        command: &[String],
        folder: &Path,
        temporary: Option<&Path>,
    ) -> anyhow::Result<Supervised> {
        let log = log(folder);
        if log.exists() {
            fs::rename(&log, folder.join("server.log.old"))?;
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", SHELL, "sh"]).arg(&log);
        shell.arg(temporary.unwrap_or(Path::new(""))).args(command);
        // Signals from a terminal are for the test; the shell follows by the pipe.
        shell.current_dir(folder).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn().context("starting sh")?;
        let line = shell.stdin.take();
        let mut output = BufReader::new(shell.stdout.take().context("the shell's output")?);
        let mut first = String::new();
        output.read_line(&mut first)?;
        let server: i32 = first.trim().parse().context("the server's process id")?;
        let death = Arc::new(Death::default());
        let told = Arc::clone(&death);
        std::thread::spawn(move || {
            let mut rest = Vec::new();
            drop(output.read_to_end(&mut rest));
            *told.is_dead.lock().unwrap_or_else(PoisonError::into_inner) = true;
            told.changed.notify_all();
        });
        let server = Pid::from_raw(server).context("a process id is positive")?;
        Ok(Supervised { shell, line, server, death })
    }

    /// The server's process id.
    pub(crate) fn id(&self) -> u32 {
        self.server.as_raw_nonzero().get().unsigned_abs()
    }

    /// Whether the server has died.
    pub(crate) fn is_dead(&self) -> bool {
        *self.death.is_dead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a signal to the server itself.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        ensure!(!self.is_dead(), "the server is dead already");
        rustix::process::kill_process(self.server, signal).context("signalling a server")
    }

    /// Waits for the server's death; whether it came in time.
    pub(crate) fn wait_for_death(&self, limit: Duration) -> bool {
        let is_dead = self.death.is_dead.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.death.changed.wait_timeout_while(is_dead, limit, |is_dead| !*is_dead);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Lets go of the server, killing it if it lives; its folder stays.
    pub(crate) fn release(mut self) {
        if let Some(line) = &mut self.line {
            // A shell that is gone needs no word.
            drop(line.write_all(b"keep\n"));
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.line.take());
        // The shell ends at once: it has nothing to wait for but the death of a process that it killed.
        drop(self.shell.wait());
    }
}

/// Whether every thread of a process is stopped; one that is gone runs no more either.
pub(crate) fn is_stopped(process: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return true };
    threads.flatten().all(|thread| {
        let line = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // Number, name in brackets, state: the name may hold anything.
        let state = line.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        state.is_none_or(|state| state == 'T')
    })
}

/// The last lines that a server wrote, for an error.
pub(crate) fn log_tail(folder: &Path) -> String {
    let text = fs::read(log(folder)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}

/// What a server wrote since it was started.
pub(crate) fn log(folder: &Path) -> PathBuf {
    folder.join("server.log")
}
