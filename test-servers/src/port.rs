//! Ports that are free now and likely to stay so while a server is down and comes back.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    net::{Ipv4Addr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use anyhow::bail;

/// Below the ports that systems hand out for outgoing connections: one of those could be taken while a killed
/// server is away from its own.
const RANGE: std::ops::Range<u16> = 12_000..32_000;

/// How many ports are tried; in a range of 20 000, so many taken ones in a row mean that something else is wrong.
const TRIES_MAX: usize = 200;

/// Ports that nobody listens on, on each of these addresses. Another process may take one before we do; whoever
/// starts a server tries again then.
pub(crate) fn free<const N: usize>(addresses: &[Ipv4Addr]) -> anyhow::Result<[u16; N]> {
    let mut ports = [0; N];
    let mut found = 0;
    for _ in 0..TRIES_MAX {
        if found == N {
            return Ok(ports);
        }
        let port = random();
        let is_free = addresses.iter().all(|address| TcpListener::bind((*address, port)).is_ok());
        if is_free && !ports.contains(&port) {
            ports[found] = port;
            found += 1;
        }
    }
    bail!("{TRIES_MAX} ports were tried and {found} of {N} are free on {addresses:?}")
}

/// Waits until nobody listens any more: a killed process lets go of its sockets a moment after its death.
pub(crate) fn wait_until_closed(address: Ipv4Addr, port: u16, limit: Duration) -> anyhow::Result<()> {
    let started = Instant::now();
    while TcpStream::connect_timeout(&(address, port).into(), Duration::from_secs(1)).is_ok() {
        if started.elapsed() > limit {
            bail!("somebody still listens on {address}:{port}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn random() -> u16 {
    // The standard library's hashers begin with a number by chance.
    let number = RandomState::new().build_hasher().finish() % u64::from(RANGE.end - RANGE.start);
    RANGE.start + u16::try_from(number).expect("a remainder of a u16")
}
