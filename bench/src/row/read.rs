//! GETs from memory: the whole program against servers of the same bytes.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

use super::others;
use crate::{
    contest::{self, Contender, Outcome},
    load::{Pace, Spec, Wait, Work},
    process::Running,
    program::{Program, get_with},
    run::Bench,
    shape::{Shape, login},
};

/// Repositories of an account whose payload has about 5 kB, and 50 kB.
const SMALL: u32 = 46;
const LARGE: u32 = 460;
/// Connections that keep a core busy.
const CONNECTIONS: usize = 32;
/// Latency is measured at this share of the program's own capacity.
const SHARE: f64 = 0.4;
/// What was filled is complete within this after a start.
const COMPLETE_MAX: Duration = Duration::from_secs(10);

/// How a payload is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Gzip,
    Known,
}

impl Form {
    const ALL: [Form; 3] = [Form::Plain, Form::Gzip, Form::Known];

    fn name(self) -> &'static str {
        match self {
            Form::Plain => "200, as it is",
            Form::Gzip => "200, gzip",
            Form::Known => "304",
        }
    }

    /// Where the servers of constant bytes have it.
    fn path(self) -> &'static str {
        match self {
            Form::Plain => "/plain",
            Form::Gzip => "/gzip",
            Form::Known => "/304",
        }
    }
}

/// A page of the program, and all who serve the same bytes.
pub(super) struct Table<'a> {
    bench: &'a Bench,
    program: Program,
    page: String,
    etags: [String; 2],
    hyper: (Running, SocketAddr),
    axum: (Running, SocketAddr),
    nginx: Option<(others::Other, [String; 2])>,
    redis: Option<others::Other>,
    _folders: [TempDir; 2],
}

pub(super) fn small(bench: &Bench) -> anyhow::Result<String> {
    let mut figures = compare(bench, &Table::filled(bench, SMALL)?)?;
    let (folder, _) = bench.filled(&[Shape::new(1, 20, 20, 10)])?;
    let program = bench.program(folder.path())?;
    let mut outcomes = Vec::new();
    let pages = [
        ("`/v1/accounts/{login}`", format!("/v1/accounts/{}", login(1))),
        ("`/v1/repos/{owner}/{name}`", format!("/v1/repos/{}/repo000003", login(1))),
        ("`/githubPayload?user=`", format!("/githubPayload?user={}", login(1))),
    ];
    for (name, page) in &pages {
        let (_, body) = complete(program.api, page)?;
        let spec = || get(bench, program.api, page, Vec::new(), 200, Pace::Closed);
        let contender = Contender { name, id: program.id(), spec: Box::new(spec) };
        outcomes.extend(contest::contest(bench, bench.pick(1, 3), &[contender])?);
        writeln!(figures, "- {name} of an account with 20 repositories: {} bytes", body.len())?;
    }
    writeln!(figures, "\n{}", contest::latency("other pages, as they are, closed loop", &outcomes))?;
    Ok(figures)
}

pub(super) fn large(bench: &Bench) -> anyhow::Result<String> {
    compare(bench, &Table::filled(bench, LARGE)?)
}

/// A page beside those who serve the same bytes.
pub(super) fn compare(bench: &Bench, table: &Table<'_>) -> anyhow::Result<String> {
    let mut figures = String::new();
    let mut plain = None;
    for form in Form::ALL {
        let outcomes = contest::contest(bench, bench.pick(2, 5), &table.contenders(form, Pace::Closed)?)?;
        writeln!(figures, "{}", contest::capacity(form.name(), &outcomes))?;
        plain = plain.or_else(|| outcomes.first().map(|ours| ours.seen.per_second));
    }
    let pace = Pace::Open { per_second: plain.context("the program answered")? * SHARE, wait: Wait::Awake };
    let outcomes: Vec<Outcome> = contest::contest(bench, 1, &table.contenders(Form::Plain, pace)?)?;
    writeln!(figures, "{}", contest::latency("200, as it is, open loop", &outcomes))?;
    if table.nginx.is_none() {
        figures.push_str(&others::skipped("nginx"));
        figures.push('\n');
    }
    if table.redis.is_none() {
        figures.push_str(&others::skipped("redis-server"));
        figures.push('\n');
    }
    Ok(figures)
}

pub(super) fn get(
    bench: &Bench,
    address: SocketAddr,
    path: &str,
    headers: Vec<(String, String)>,
    status: u16,
    pace: Pace,
) -> Spec {
    Spec {
        address,
        connections: CONNECTIONS,
        pace,
        warm_up_ms: bench.pick(200, 500),
        measured_ms: bench.pick(800, 3000),
        work: Work::Get { path: path.to_owned(), headers, status },
    }
}

/// A page once it may call itself complete: that our door is open is a record too, and must be folded first.
pub(super) fn complete(address: SocketAddr, page: &str) -> anyhow::Result<(String, Vec<u8>)> {
    let begun = Instant::now();
    loop {
        let (status, head, body) = get_with(address, page, "")?;
        ensure!(status == 200, "{page}: {status}");
        if head.contains("tallyhook-complete: true") {
            return Ok((head, body));
        }
        ensure!(begun.elapsed() < COMPLETE_MAX, "the payload is not complete: {head}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn accept_gzip() -> (String, String) {
    ("Accept-Encoding".to_owned(), "gzip".to_owned())
}

fn if_none_match(etag: &str) -> (String, String) {
    ("If-None-Match".to_owned(), etag.to_owned())
}

impl<'a> Table<'a> {
    /// The payload of an account with so many repositories.
    fn filled(bench: &'a Bench, repositories: u32) -> anyhow::Result<Self> {
        let (data, _) = bench.filled(&[Shape::new(1, 1, repositories, 10)])?;
        let program = bench.program(data.path())?;
        Self::lay(bench, data, program, format!("/githubPayload?user={}", login(1)))
    }

    /// A page of a program that runs on this folder.
    pub(super) fn lay(
        bench: &'a Bench,
        data: TempDir,
        program: Program,
        page: String,
    ) -> anyhow::Result<Self> {
        let (head, plain) = complete(program.api, &page)?;
        let (_, gzip_head, gzip) = get_with(program.api, &page, "Accept-Encoding: gzip\r\n")?;
        let folder = bench.folder()?;
        fs::write(folder.path().join("plain"), &plain)?;
        fs::write(folder.path().join("gzip"), &gzip)?;
        let nginx = match others::nginx(bench, folder.path())? {
            Some(nginx) => {
                let etags = nginx_etags(&nginx, folder.path(), &plain)?;
                Some((nginx, etags))
            }
            None => None,
        };
        let redis = others::redis(bench, folder.path())?;
        if let Some(redis) = &redis {
            set(redis.address, "page", &plain)?;
            set(redis.address, "gzip", &gzip)?;
        }
        Ok(Table {
            etags: [etag(&head)?, etag(&gzip_head)?],
            hyper: bench.peer("hyper", Some(folder.path()))?,
            axum: bench.peer("axum", Some(folder.path()))?,
            nginx,
            redis,
            bench,
            program,
            page,
            _folders: [data, folder],
        })
    }

    fn contenders(&self, form: Form, pace: Pace) -> anyhow::Result<Vec<Contender<'_>>> {
        let bench = self.bench;
        let asked = |etags: &[String; 2]| match form {
            Form::Plain => (vec![], 200),
            Form::Gzip => (vec![accept_gzip()], 200),
            Form::Known => (vec![if_none_match(&etags[0])], 304),
        };
        let (headers, status) = asked(&self.etags);
        let mut contenders = vec![Contender {
            name: "Tallyhook, the whole program",
            id: self.program.id(),
            spec: Box::new({
                let headers = headers.clone();
                move || get(bench, self.program.api, &self.page, headers.clone(), status, pace)
            }),
        }];
        for (name, (running, address)) in [("bare hyper", &self.hyper), ("bare axum route", &self.axum)] {
            let headers = headers.clone();
            let spec = move || get(bench, *address, form.path(), headers.clone(), status, pace);
            contenders.push(Contender { name, id: running.id(), spec: Box::new(spec) });
        }
        if let Some((nginx, etags)) = &self.nginx {
            let (headers, status) = asked(etags);
            let spec = move || get(bench, nginx.address, "/page.json", headers.clone(), status, pace);
            contenders.push(Contender {
                name: "nginx, a file",
                id: nginx.running.id(),
                spec: Box::new(spec),
            });
        }
        if let Some(redis) = self.redis.as_ref().filter(|_| form != Form::Known) {
            let key = if form == Form::Gzip { "gzip" } else { "page" };
            let spec = move || Spec {
                work: Work::RedisGet { key: key.to_owned() },
                ..get(bench, redis.address, "", Vec::new(), 200, pace)
            };
            contenders.push(Contender { name: "redis GET", id: redis.running.id(), spec: Box::new(spec) });
        }
        Ok(contenders)
    }
}

/// nginx has its own tags; it compresses ahead of time, as we do.
fn nginx_etags(nginx: &others::Other, folder: &Path, plain: &[u8]) -> anyhow::Result<[String; 2]> {
    fs::write(folder.join("page.json"), plain)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(plain)?;
    fs::write(folder.join("page.json.gz"), encoder.finish()?)?;
    let (status, head, _) = get_with(nginx.address, "/page.json", "")?;
    ensure!(status == 200, "nginx: {status}");
    let (_, gzip_head, _) = get_with(nginx.address, "/page.json", "Accept-Encoding: gzip\r\n")?;
    Ok([etag(&head)?, etag(&gzip_head)?])
}

fn etag(head: &str) -> anyhow::Result<String> {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("etag:"));
    Ok(line.and_then(|line| line.split_once(':')).context("an ETag")?.1.trim().to_owned())
}

fn set(address: SocketAddr, key: &str, value: &[u8]) -> anyhow::Result<()> {
    use std::io::Read as _;
    let mut stream = std::net::TcpStream::connect(address)?;
    write!(stream, "*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${}\r\n", key.len(), value.len())?;
    stream.write_all(value)?;
    stream.write_all(b"\r\n")?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    ensure!(&answer == b"+OK\r\n", "redis refused");
    Ok(())
}
