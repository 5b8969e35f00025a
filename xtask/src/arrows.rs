//! Which room may use which: the table of docs/ARCHITECTURE.md, checked against `cargo metadata`.

use std::collections::BTreeSet;

use anyhow::Context;
use cargo_metadata::{DependencyKind, MetadataCommand, Package};

use crate::command;

/// A room and what it may use.
struct Room {
    name: &'static str,
    /// Our own crates that it may import, outside tests.
    rooms: &'static [&'static str],
    /// Crates that it must never import, and why.
    never: &'static [(&'static str, &'static str)],
}

const NO_ASYNC: &str = "the fold is pure: no async, no I/O, no logging";
const NO_HTTP: &str = "only ingest, query-api, boot and the fakes speak HTTP to clients";
const NO_FORGE: &str = "only backfill asks forges";
const NO_JSON: &str = "the port knows bytes, not JSON";

/// Every room. A crate that is not listed here is a complaint.
const ROOMS: &[Room] = &[
    Room {
        name: "domain",
        rooms: &[],
        never: &[
            ("tokio", NO_ASYNC),
            ("tracing", NO_ASYNC),
            ("async-trait", NO_ASYNC),
            ("rand", NO_ASYNC),
            ("futures", NO_ASYNC),
        ],
    },
    Room { name: "github", rooms: &["domain"], never: &[("axum", NO_HTTP)] },
    Room { name: "bitbucket", rooms: &["domain"], never: &[("axum", NO_HTTP)] },
    Room {
        name: "event-log",
        rooms: &["domain"],
        never: &[("axum", NO_HTTP), ("reqwest", NO_FORGE), ("serde_json", NO_JSON)],
    },
    Room {
        name: "view-store",
        rooms: &["domain"],
        never: &[("axum", NO_HTTP), ("reqwest", NO_FORGE), ("serde_json", NO_JSON)],
    },
    Room { name: "boot", rooms: &[], never: &[("reqwest", NO_FORGE), ("redb", "boot knows no port")] },
    Room {
        name: "ingest",
        rooms: &["github", "bitbucket", "event-log", "domain", "boot"],
        never: &[("reqwest", NO_FORGE)],
    },
    Room {
        name: "projector",
        rooms: &["domain", "github", "bitbucket", "event-log", "view-store", "boot"],
        never: &[("axum", NO_HTTP), ("reqwest", NO_FORGE)],
    },
    Room {
        name: "backfill",
        rooms: &["domain", "github", "bitbucket", "event-log", "view-store", "boot"],
        never: &[("axum", NO_HTTP)],
    },
    Room {
        name: "sinks",
        rooms: &["domain", "event-log", "view-store", "boot"],
        never: &[("axum", NO_HTTP)],
    },
    Room {
        name: "query-api",
        rooms: &["domain", "event-log", "view-store", "boot"],
        never: &[("reqwest", NO_FORGE)],
    },
    Room {
        name: "tallyhook",
        rooms: &[
            "domain",
            "github",
            "bitbucket",
            "event-log",
            "view-store",
            "boot",
            "ingest",
            "projector",
            "backfill",
            "query-api",
            "sinks",
            "fake-github",
            "fake-bitbucket",
        ],
        never: &[],
    },
    Room { name: "fake-github", rooms: &[], never: &[] },
    Room { name: "fake-bitbucket", rooms: &[], never: &[] },
    Room { name: "fake-pipedrive", rooms: &[], never: &[] },
    Room {
        name: "testkit",
        rooms: &["domain", "github", "event-log", "view-store", "projector", "boot", "fake-github"],
        never: &[],
    },
    Room {
        name: "test-servers",
        rooms: &[],
        never: &[("tokio", "its calls block, so that any test may use it")],
    },
    Room { name: "fuzz", rooms: &[], never: &[] },
    Room {
        name: "bench",
        rooms: &[
            "domain",
            "github",
            "event-log",
            "view-store",
            "ingest",
            "projector",
            "query-api",
            "boot",
            "fake-github",
            "test-servers",
        ],
        never: &[],
    },
    Room { name: "xtask", rooms: &["test-servers"], never: &[] },
];

/// Features of our crates that only these may switch on.
const FEATURES: &[(&str, &str, &[&str], &str)] = &[
    ("github", "client", &["backfill", "fuzz", "tallyhook"], NO_FORGE),
    ("bitbucket", "client", &["backfill", "tallyhook"], NO_FORGE),
    ("event-log", "contract", &["testkit"], "contract suites are for tests"),
    ("view-store", "contract", &["testkit"], "contract suites are for tests"),
];

/// Complaints about arrows that the table does not have.
pub(crate) fn check() -> anyhow::Result<Vec<String>> {
    let metadata = MetadataCommand::new()
        .manifest_path(command::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cargo metadata")?;
    let ours: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    let mut complaints = Vec::new();
    for package in &metadata.packages {
        match ROOMS.iter().find(|room| room.name == package.name.as_str()) {
            Some(room) => check_room(room, package, &ours, &mut complaints),
            None => complaints
                .push(format!("`{}` is not in the table of rooms (xtask/src/arrows.rs)", package.name)),
        }
    }
    for room in ROOMS.iter().filter(|room| !ours.contains(room.name)) {
        complaints.push(format!("the room `{}` is in the table and not in the tree", room.name));
    }
    Ok(complaints)
}

fn check_room(room: &Room, package: &Package, ours: &BTreeSet<&str>, complaints: &mut Vec<String>) {
    for dependency in
        package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development)
    {
        let name = dependency.name.as_str();
        if ours.contains(name) && !room.rooms.contains(&name) {
            complaints.push(format!(
                "`{}` must not import `{name}`: no such arrow in the table of rooms",
                room.name
            ));
        }
        if let Some((_, why)) = room.never.iter().find(|(never, _)| *never == name) {
            complaints.push(format!("`{}` must not import `{name}`: {why}", room.name));
        }
        for (owner, feature, allowed, why) in FEATURES {
            let switches_on = *owner == name && dependency.features.iter().any(|on| on == feature);
            if switches_on && !allowed.contains(&room.name) {
                complaints.push(format!("`{}` must not switch on `{owner}/{feature}`: {why}", room.name));
            }
        }
    }
}
