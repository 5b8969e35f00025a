//! What one connection sends: the bytes of its next request.

use std::io::Write as _;

use super::{Deliveries, Spec, Work};
use crate::{delivery::Template, shape::Place};

/// The requests of one connection.
pub(super) enum Requests {
    Same { request: Vec<u8>, status: u16 },
    Each { requests: Vec<Vec<u8>>, turn: usize, status: u16 },
    Redis { command: Vec<u8> },
    Deliveries(Box<Deliverer>),
}

/// Deliveries to the repositories of one connection, in turn.
pub(super) struct Deliverer {
    template: Template,
    path: String,
    pulls: u32,
    /// Each with the number of its last delivery.
    places: Vec<(Place, u64)>,
    turn: usize,
    guid: u128,
    body: Vec<u8>,
    request: Vec<u8>,
}

impl Requests {
    /// Those of connection `connection`.
    pub(super) fn of(spec: &Spec, connection: usize) -> anyhow::Result<Self> {
        Ok(match &spec.work {
            Work::Get { path, headers, status } => {
                Requests::Same { request: get(path, headers), status: *status }
            }
            Work::GetEach { paths, status } => {
                let requests = paths.iter().map(|path| get(path, &[])).collect();
                // Neighbours begin far from one another.
                Requests::Each { requests, turn: connection * 7, status: *status }
            }
            Work::RedisGet { key } => {
                let command = format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len());
                Requests::Redis { command: command.into_bytes() }
            }
            Work::Deliver(deliveries) | Work::Visible { deliveries, .. } => {
                Requests::Deliveries(Box::new(Deliverer::new(deliveries, connection, spec.connections)?))
            }
        })
    }
}

impl Deliverer {
    fn new(deliveries: &Deliveries, connection: usize, connections: usize) -> anyhow::Result<Self> {
        let Deliveries { path, kind, bytes, shape, lane, lanes, from, run } = deliveries;
        let of_lane = (0..shape.places()).filter(|number| number % lanes == *lane);
        let own = of_lane.skip(connection).step_by(connections);
        let places: Vec<_> = own.map(|number| (shape.place(number), *from)).collect();
        anyhow::ensure!(!places.is_empty(), "there are fewer repositories than connections");
        Ok(Deliverer {
            template: Template::new(*kind, *bytes)?,
            path: path.clone(),
            pulls: shape.pulls,
            places,
            turn: 0,
            guid: (u128::from(*run) << 64) + ((connection as u128) << 40),
            body: Vec::new(),
            request: Vec::new(),
        })
    }

    /// The next delivery's request, and which push it is of which repository.
    pub(super) fn next(&mut self) -> (&[u8], Place, u64) {
        self.turn = (self.turn + 1) % self.places.len();
        let (place, number) = &mut self.places[self.turn];
        *number += 1;
        let signed = self.template.write(*place, *number, self.pulls, &mut self.body);
        self.guid += 1;
        self.request.clear();
        write!(
            self.request,
            "POST {} HTTP/1.1\r\nHost: bench\r\nUser-Agent: GitHub-Hookshot/044aadd\r\nAccept: */*\r\n\
             Content-Type: application/json\r\nX-GitHub-Event: {}\r\nX-GitHub-Delivery: {:032x}\r\n\
             X-GitHub-Hook-ID: 292430182\r\nX-GitHub-Hook-Installation-Target-ID: 79929171\r\n\
             X-GitHub-Hook-Installation-Target-Type: repository\r\nX-Hub-Signature-256: sha256=",
            self.path, self.template.event, self.guid
        )
        .expect("writing to memory does not fail");
        self.request.extend_from_slice(&signed.signature);
        write!(self.request, "\r\nContent-Length: {}\r\n\r\n", signed.body.len())
            .expect("writing to memory does not fail");
        self.request.extend_from_slice(signed.body);
        (&self.request, *place, *number)
    }
}

/// A GET with these headers beside `Host`.
pub(super) fn get(path: &str, headers: &[(String, String)]) -> Vec<u8> {
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\n").into_bytes();
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").expect("writing to memory does not fail");
    }
    request.extend_from_slice(b"\r\n");
    request
}
