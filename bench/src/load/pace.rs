//! Connections at work: closed-loop each at its own speed, open-loop by a common clock.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Mutex, mpsc},
    task::{JoinSet, yield_now},
};

use super::{Pace, Shared, Spec, Wait, Work, visible, wire::Wire, work::Requests};

/// Sleeping is exact to a millisecond or two; the rest of the way to an intended time is waited awake.
const AWAKE: Duration = Duration::from_micros(2500);

/// A connection with its requests.
pub(super) struct Connection {
    pub(super) wire: Wire,
    pub(super) requests: Requests,
}

/// Opens all connections.
pub(super) async fn prepare(spec: &Spec) -> anyhow::Result<Vec<Connection>> {
    let mut connections = Vec::with_capacity(spec.connections);
    for number in 0..spec.connections {
        let requests = Requests::of(spec, number)?;
        connections.push(Connection { wire: Wire::open(spec.address).await?, requests });
    }
    Ok(connections)
}

/// Works until the measured time is over.
pub(super) async fn drive(connections: Vec<Connection>, spec: &Spec, tally: &Shared) -> anyhow::Result<()> {
    let mut working = JoinSet::new();
    match (&spec.work, spec.pace) {
        (Work::Visible { rest_ms, reader, wait, .. }, _) => {
            for connection in connections {
                let (tally, rest) = (Rc::clone(tally), Duration::from_millis(*rest_ms));
                let reader = Wire::open(reader.unwrap_or(spec.address)).await?;
                working.spawn_local(visible::follow(connection, reader, rest, *wait, tally));
            }
        }
        (_, Pace::Closed) => {
            for connection in connections {
                working.spawn_local(closed(connection, Rc::clone(tally)));
            }
        }
        (_, Pace::Open { per_second, wait }) => {
            let (intended, due) = mpsc::unbounded_channel();
            let due = Rc::new(Mutex::new(due));
            for connection in connections {
                working.spawn_local(open(connection, Rc::clone(&due), Rc::clone(tally)));
            }
            call_out(per_second, wait, &intended, tally).await;
        }
    }
    while let Some(worked) = working.join_next().await {
        worked??;
    }
    Ok(())
}

async fn closed(mut connection: Connection, tally: Shared) -> anyhow::Result<()> {
    let until = tally.borrow().until;
    loop {
        let since = Instant::now();
        if since >= until {
            return Ok(());
        }
        let ok = connection.exchange().await?;
        tally.borrow_mut().note(since, Instant::now(), ok);
    }
}

async fn open(
    mut connection: Connection,
    due: Rc<Mutex<mpsc::UnboundedReceiver<Instant>>>,
    tally: Shared,
) -> anyhow::Result<()> {
    loop {
        let next = due.lock().await.recv().await;
        let Some(intended) = next else { return Ok(()) };
        let ok = connection.exchange().await?;
        tally.borrow_mut().note(intended, Instant::now(), ok);
    }
}

/// Says when each request is to be sent, at that time.
async fn call_out(per_second: f64, wait: Wait, intended: &mpsc::UnboundedSender<Instant>, tally: &Shared) {
    let (started, until) = {
        let tally = tally.borrow();
        (tally.started, tally.until)
    };
    let mut sent = 0_u32;
    loop {
        let at = started + Duration::from_secs_f64(f64::from(sent) / per_second);
        if at >= until {
            return;
        }
        sent += 1;
        match wait {
            Wait::Asleep => tokio::time::sleep_until(at.into()).await,
            Wait::Awake => {
                if at > Instant::now() + AWAKE {
                    tokio::time::sleep_until((at - AWAKE).into()).await;
                }
                while Instant::now() < at {
                    yield_now().await;
                }
            }
        }
        if intended.send(at).is_err() {
            return;
        }
    }
}

impl Connection {
    /// One request and its answer; whether it is the one that was expected.
    async fn exchange(&mut self) -> anyhow::Result<bool> {
        Ok(match &mut self.requests {
            Requests::Same { request, status } => self.wire.http(request).await?.status == *status,
            Requests::Each { requests, turn, status } => {
                *turn = (*turn + 1) % requests.len();
                self.wire.http(&requests[*turn]).await?.status == *status
            }
            Requests::Redis { command } => self.wire.redis(command).await?,
            Requests::Deliveries(deliveries) => {
                let (request, _, _) = deliveries.next();
                matches!(self.wire.http(request).await?.status, 200..=299)
            }
        })
    }
}
