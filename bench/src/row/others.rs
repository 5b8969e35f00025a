//! Programs that others wrote, where they are installed; the bench installs nothing.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::bail;

use crate::{delivery::SECRET, process, process::Running, program::free_address, run::Bench};

/// How long one of them may take to listen.
const LISTENING_MAX: Duration = Duration::from_secs(10);

/// A program of somebody else, listening.
pub(super) struct Other {
    pub(super) running: Running,
    pub(super) address: SocketAddr,
}

/// A line for the page about a program that is not there.
pub(super) fn skipped(program: &str) -> String {
    format!("skipped: {program} is not installed\n")
}

/// nginx with one worker over the folder's files, compressed ones beside them.
pub(super) fn nginx(bench: &Bench, folder: &Path) -> anyhow::Result<Option<Other>> {
    if !process::is_installed("nginx") {
        return Ok(None);
    }
    let address = free_address()?;
    let root = folder.display();
    // Not a daemon and no master, so that its processor time is one process's.
    let settings = format!(
        "daemon off; master_process off; worker_processes 1; pid {root}/nginx.pid; error_log {root}/nginx.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000000; etag on;\n\
         types {{ application/json json; }}\n\
         client_body_temp_path {root}/nginx-body; proxy_temp_path {root}/nginx-proxy;\n\
         fastcgi_temp_path {root}/nginx-fastcgi; uwsgi_temp_path {root}/nginx-uwsgi; scgi_temp_path {root}/nginx-scgi;\n\
         open_file_cache max=100;\n\
         server {{ listen {address}; root {root}; gzip_static on; }} }}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, settings)?;
    let mut command = bench.other("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
    listening(Running::start(&mut command)?, address).map(Some)
}

/// Redis without persistence.
pub(super) fn redis(bench: &Bench, folder: &Path) -> anyhow::Result<Option<Other>> {
    if !process::is_installed("redis-server") {
        return Ok(None);
    }
    let address = free_address()?;
    let mut command = bench.other("redis-server");
    command.args([
        "--port",
        &address.port().to_string(),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ]);
    command.arg("--dir").arg(folder).stdout(Stdio::null()).stderr(Stdio::null());
    listening(Running::start(&mut command)?, address).map(Some)
}

/// Debian's `webhook`: checks the signature, and starts a command that does nothing.
pub(super) fn webhook(bench: &Bench, folder: &Path) -> anyhow::Result<Option<Other>> {
    if !process::is_installed("webhook") {
        return Ok(None);
    }
    let address = free_address()?;
    let hooks = serde_json::json!([{
        "id": "github",
        "execute-command": "/bin/true",
        "http-methods": ["POST"],
        "success-http-response-code": 202,
        "trigger-rule": { "match": {
            "type": "payload-hmac-sha256",
            "secret": SECRET,
            "parameter": { "source": "header", "name": "X-Hub-Signature-256" },
        }},
    }]);
    let file = folder.join("hooks.json");
    fs::write(&file, hooks.to_string())?;
    let mut command = bench.other("webhook");
    command.arg("-hooks").arg(&file).args(["-urlprefix", "webhooks", "-ip", "127.0.0.1"]);
    command.args(["-port", &address.port().to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    listening(Running::start(&mut command)?, address).map(Some)
}

fn listening(mut running: Running, address: SocketAddr) -> anyhow::Result<Other> {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        if running.ended()?.is_some() || begun.elapsed() > LISTENING_MAX {
            bail!("a peer does not listen on {address}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(Other { running, address })
}
