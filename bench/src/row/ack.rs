//! Durable answers to signed deliveries, as many as a core gives.

use std::{cell::Cell, fmt::Write as _, net::SocketAddr};

use super::others;
use crate::{
    contest::{self, Contender},
    delivery::Kind,
    load::{Deliveries, Pace, Spec, Wait, Work},
    run::Bench,
    shape::Shape,
};

pub(super) const PATH: &str = "/webhooks/github";
/// About what GitHub's usual push has.
pub(super) const PUSH_BYTES: usize = 7 << 10;
/// Each run takes a lane of its own: repositories whose heads stand where they were filled.
const LANES: u32 = 64;
/// Latency is measured at this share of the whole program's own capacity.
const SHARE: f64 = 0.5;

/// Deliveries to a folder's repositories, each run in a lane that no other takes.
pub(super) struct Sender<'a> {
    pub(super) bench: &'a Bench,
    pub(super) shape: Shape,
    lane: Cell<u32>,
}

impl<'a> Sender<'a> {
    pub(super) fn new(bench: &'a Bench, shape: Shape) -> Self {
        Sender { bench, shape, lane: Cell::new(0) }
    }

    pub(super) fn deliveries(&self, kind: Kind, bytes: usize) -> Deliveries {
        let lane = self.lane.get();
        self.lane.set((lane + 1) % LANES);
        Deliveries {
            path: PATH.to_owned(),
            kind,
            bytes,
            shape: self.shape,
            lane,
            lanes: LANES,
            from: 0,
            run: self.bench.next_run(),
        }
    }

    pub(super) fn spec(&self, address: SocketAddr, connections: usize, bytes: usize, pace: Pace) -> Spec {
        Spec {
            address,
            connections,
            pace,
            warm_up_ms: self.bench.pick(300, 1000),
            measured_ms: self.bench.pick(1200, 5000),
            work: Work::Deliver(self.deliveries(Kind::Push, bytes)),
        }
    }
}

pub(super) fn measure(bench: &Bench) -> anyhow::Result<String> {
    // Enough repositories in a lane for each of 64 connections to have one of its own.
    let shape = Shape::new(1, bench.pick(512, 1024), bench.pick(10, 20), 10);
    let (data, _) = bench.filled(&[shape])?;
    let program = bench.program(data.path())?;
    let folders = [bench.folder()?, bench.folder()?, bench.folder()?];
    let (door, door_at) = bench.peer("door", Some(folders[0].path()))?;
    let (plain, plain_at) = bench.peer("hmac-log", Some(folders[1].path()))?;
    let (hmac, hmac_at) = bench.peer("hmac", None)?;
    let webhook = others::webhook(bench, folders[2].path())?;

    let sender = Sender::new(bench, shape);
    let contenders = |connections: usize, bytes: usize, pace: Pace| {
        let sender = &sender;
        let contender = move |name, id, address| Contender {
            name,
            id,
            spec: Box::new(move || sender.spec(address, connections, bytes, pace)),
        };
        let mut all = vec![
            contender("Tallyhook's door and log", door.id(), door_at),
            contender("Tallyhook, the whole program", program.id(), program.api),
            contender("axum + HMAC + plain file, grouped fdatasync", plain.id(), plain_at),
            contender("axum + HMAC, nothing kept", hmac.id(), hmac_at),
        ];
        if let Some(webhook) = &webhook {
            all.push(contender("Debian's webhook, nothing kept", webhook.running.id(), webhook.address));
        }
        all
    };

    let mut figures = String::new();
    let usual = contest::contest(bench, bench.pick(2, 5), &contenders(64, PUSH_BYTES, Pace::Closed))?;
    writeln!(figures, "{}", contest::capacity("7 KiB pushes, 64 connections", &usual))?;
    for (name, connections, bytes) in [
        ("7 KiB pushes, 16 connections", 16, PUSH_BYTES),
        ("1 KiB pushes, 64 connections", 64, 1 << 10),
        ("64 KiB pushes, 64 connections", 64, 64 << 10),
    ] {
        let mut contenders = contenders(connections, bytes, Pace::Closed);
        contenders.truncate(4);
        let outcomes = contest::contest(bench, bench.pick(1, 3), &contenders)?;
        writeln!(figures, "{}", contest::capacity(name, &outcomes))?;
    }
    let pace = Pace::Open { per_second: usual[1].seen.per_second * SHARE, wait: Wait::Awake };
    let mut paced = contenders(64, PUSH_BYTES, pace);
    paced.truncate(3);
    let outcomes = contest::contest(bench, 1, &paced)?;
    writeln!(figures, "{}", contest::latency("7 KiB pushes, open loop", &outcomes))?;
    if webhook.is_none() {
        figures.push_str(&others::skipped("webhook"));
    }
    Ok(figures)
}
