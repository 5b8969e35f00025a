//! Whether the files under `deploy/` are what they say, as far as that can be told without running them: by the tools
//! that are there. Those that are missing are named.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};

use crate::command;

/// The release of Kubernetes whose schemas the chart is held to.
const KUBERNETES: &str = "1.34";

/// systemd's own measure of what a service could still do, of 100.
const EXPOSURE_MAX: &str = "20";

/// Variables of docker-compose.yml that are not the program's.
const OF_COMPOSE: &[&str] =
    &["TALLYHOOK_IMAGE", "TALLYHOOK_PORT", "TALLYHOOK_INGEST_PORT", "TALLYHOOK_QUERY_PORT"];

/// Checks everything that can be.
pub(crate) fn run() -> anyhow::Result<()> {
    settings_are_known()?;
    let scratch = scratch()?;
    let mut missing = BTreeSet::new();
    let mut with = |tool: &'static str, check: &dyn Fn() -> anyhow::Result<()>| {
        if is_there(tool) {
            return check();
        }
        missing.insert(tool);
        Ok(())
    };
    with("cargo-deny", &dependencies)?;
    with("promtool", &prometheus)?;
    with("systemd-analyze", &|| systemd(&scratch))?;
    with("check-jsonschema", &compose_and_workflows)?;
    with("helm", &|| chart(&scratch))?;
    with("kubernetes-validate", &|| if is_there("helm") { kubernetes(&scratch) } else { Ok(()) })?;
    for tool in &missing {
        println!("deploy: skipped what {tool} would check: it is missing");
    }
    println!(
        "deploy: the files are in order, as far as {}",
        if missing.is_empty() { "tools tell" } else { "was checked" }
    );
    Ok(())
}

/// Every setting that a file gives is one that the program knows.
fn settings_are_known() -> anyhow::Result<()> {
    let root = command::root();
    let known = fs::read_to_string(root.join("docs/reference/settings.md"))?;
    let mut files = vec![root.join("docker-compose.yml")];
    collect(&root.join("deploy"), &mut files)?;
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for (at, _) in text.match_indices("TALLYHOOK_") {
            let end =
                text[at..].find(|c: char| !(c.is_ascii_uppercase() || c == '_')).unwrap_or(text.len() - at);
            let name = text[at..at + end].trim_end_matches("_FILE");
            // A name that a template completes.
            let is_begun = name == "TALLYHOOK_";
            let is_known = known.contains(&format!("`{name}`")) || OF_COMPOSE.contains(&name);
            ensure!(is_begun || is_known, "{}: there is no setting {name}", file.display());
        }
    }
    Ok(())
}

/// Licences, bans and sources; the database of advisories is fetched from where not every machine may go.
fn dependencies() -> anyhow::Result<()> {
    let mut check = tool("cargo-deny", ".");
    check.args(["--log-level", "error", "check", "--hide-inclusion-graph"]);
    command::run(check.args(["licenses", "bans", "sources"]))
}

fn prometheus() -> anyhow::Result<()> {
    let mut check = tool("promtool", "deploy/prometheus");
    command::run(check.args(["check", "config", "prometheus.yml", "compose.yml"]))
}

/// The unit, with a program and a user that are there.
fn systemd(scratch: &Path) -> anyhow::Result<()> {
    let unit = fs::read_to_string(command::root().join("deploy/systemd/tallyhook.service"))?;
    let program = "/usr/local/bin/tallyhook";
    ensure!(unit.contains(program), "the unit runs another program");
    let unit = unit
        .replace(program, "/bin/true")
        .replace("User=tallyhook", "User=root")
        .replace("Group=tallyhook", "Group=root");
    let path = scratch.join("tallyhook.service");
    fs::write(&path, unit)?;
    // It takes what it does not know for a warning.
    let verified = tool("systemd-analyze", ".").arg("verify").arg(&path).output()?;
    let said = String::from_utf8_lossy(&verified.stderr);
    let complaints: Vec<&str> = said.lines().filter(|line| line.contains("tallyhook.service")).collect();
    ensure!(complaints.is_empty(), "systemd-analyze verify: {}", complaints.join("; "));
    let mut security = tool("systemd-analyze", ".");
    security.args(["security", "--offline=yes", "--threshold", EXPOSURE_MAX]).arg(&path);
    command::run(security.stdout(Stdio::null()))
}

fn compose_and_workflows() -> anyhow::Result<()> {
    let check = |schema: &str, files: &[&str]| {
        let mut check = tool("check-jsonschema", ".");
        command::run(check.args(["--builtin-schema", schema]).args(files))
    };
    check("vendor.compose-spec", &["docker-compose.yml", "test-servers/compose.yml"])?;
    check("vendor.github-workflows", &[".github/workflows/ci.yml", ".github/workflows/release.yml"])
}

fn chart(scratch: &Path) -> anyhow::Result<()> {
    let everything = ["--values", "deploy/helm/everything.values.yaml"];
    for (name, values) in [("usual", &[][..]), ("everything", &everything)] {
        command::run(tool("helm", ".").args(["lint", "--strict", "deploy/helm"]).args(values))?;
        let mut render = tool("helm", ".");
        render
            .args(["template", "tallyhook", "deploy/helm", "--kube-version"])
            .arg(format!("{KUBERNETES}.0"));
        let rendered = command::output(render.args(values))?;
        // What the Prometheus operator brings has no schema there.
        let (of_operator, own): (Vec<&str>, Vec<&str>) = rendered
            .split("\n---\n")
            .partition(|object| object.contains("apiVersion: monitoring.coreos.com"));
        ensure!(own.len() > 5, "the chart makes hardly anything: {rendered}");
        ensure!(values.is_empty() || of_operator.len() == 2, "the chart leaves monitoring out");
        fs::write(scratch.join(format!("{name}.yaml")), own.join("\n---\n"))?;
    }
    Ok(())
}

fn kubernetes(scratch: &Path) -> anyhow::Result<()> {
    let mut validate = tool("kubernetes-validate", ".");
    validate.args(["--strict", "--quiet", "-k", KUBERNETES]);
    command::run(validate.args(["usual.yaml", "everything.yaml"].map(|name| scratch.join(name))))
}

fn scratch() -> anyhow::Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(command::root().join("target"), PathBuf::from);
    let scratch = target.join("deploy-checks");
    fs::create_dir_all(&scratch).with_context(|| format!("making {}", scratch.display()))?;
    Ok(scratch)
}

fn is_there(tool: &str) -> bool {
    let words: &[&str] = if tool == "helm" { &["version"] } else { &["--version"] };
    let asked = Command::new(tool).args(words).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn tool(program: &str, folder: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(command::root().join(folder));
    command
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
