//! How much is in flight: requests, and bytes of their bodies. Nobody ever waits for room: whoever finds none
//! is sent away, so nothing can lock up.
//!
//! Bytes are held from before they are read until the records are durable. A large body's are held as a whole
//! before its first byte is read, so that it is refused early or not at all. A small body's are held as
//! they arrive: a declared length alone, which costs a sender nothing, holds next to nothing.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use prometheus::IntGauge;

/// Bodies above this are large. Nearly all of GitHub's deliveries are below 100 kB.
const LARGE_BYTES: usize = 1 << 20;

/// How many bytes of a small or undeclared body are held ahead of what was read of it: about as many as the
/// connection reads at a time, which doubles while the sender keeps up.
const AHEAD_BYTES_MIN: usize = 8 << 10;
const AHEAD_BYTES_MAX: usize = 64 << 10;

/// What is in flight, and how much may be.
#[derive(Debug)]
pub(crate) struct InFlight {
    requests: Share,
    bytes: Share,
    /// The part of `bytes` that large bodies may take together, so that they leave room for others.
    large_bytes: Share,
    gauge: IntGauge,
}

/// There is no room: send the sender away for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

impl InFlight {
    pub(crate) fn new(bytes_max: usize, requests_max: usize, gauge: IntGauge) -> Arc<Self> {
        Arc::new(InFlight {
            requests: Share::new(requests_max),
            bytes: Share::new(bytes_max),
            large_bytes: Share::new(bytes_max / 4 * 3),
            gauge,
        })
    }

    /// Lets a request in whose body has this length, as far as it says so.
    pub(crate) fn admit(self: &Arc<Self>, declared: Option<usize>) -> Result<Held, Busy> {
        self.requests.take(1)?;
        let mut held = Held { in_flight: Arc::clone(self), bytes: 0, large_bytes: 0 };
        match declared {
            Some(length) if length > LARGE_BYTES => held.reach(length)?,
            Some(length) if !self.bytes.has_room_for(length) => return Err(Busy),
            Some(_) | None => {}
        }
        Ok(held)
    }
}

/// Room that one request holds; given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    in_flight: Arc<InFlight>,
    bytes: usize,
    large_bytes: usize,
}

impl Held {
    /// Holds room for the next piece of a body of which `read` bytes were read.
    pub(crate) fn reach_beyond(&mut self, read: usize, declared: Option<usize>) -> Result<(), Busy> {
        let ahead = read + read.clamp(AHEAD_BYTES_MIN, AHEAD_BYTES_MAX);
        self.reach(declared.map_or(ahead, |length| ahead.min(length)))
    }

    /// Holds room for `bytes` in all; what is held already counts.
    pub(crate) fn reach(&mut self, bytes: usize) -> Result<(), Busy> {
        if bytes > LARGE_BYTES && bytes > self.large_bytes {
            self.in_flight.large_bytes.take(bytes - self.large_bytes)?;
            self.large_bytes = bytes;
        }
        if bytes > self.bytes {
            let more = bytes - self.bytes;
            self.in_flight.bytes.take(more)?;
            self.in_flight.gauge.add(gauged(more));
            self.bytes = bytes;
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.in_flight.requests.give(1);
        self.in_flight.bytes.give(self.bytes);
        self.in_flight.large_bytes.give(self.large_bytes);
        self.in_flight.gauge.sub(gauged(self.bytes));
    }
}

fn gauged(bytes: usize) -> i64 {
    i64::try_from(bytes).expect("a bound in memory fits i64")
}

/// A number of things of which at most so many are taken.
#[derive(Debug)]
struct Share {
    taken: AtomicUsize,
    max: usize,
}

impl Share {
    fn new(max: usize) -> Self {
        Share { taken: AtomicUsize::new(0), max }
    }

    fn take(&self, number: usize) -> Result<(), Busy> {
        let more = |taken: usize| taken.checked_add(number).filter(|&taken| taken <= self.max);
        let taken = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map(drop).map_err(|_| Busy)
    }

    fn has_room_for(&self, number: usize) -> bool {
        let taken = self.taken.load(Ordering::Relaxed);
        taken.checked_add(number).is_some_and(|taken| taken <= self.max)
    }

    fn give(&self, number: usize) {
        self.taken.fetch_sub(number, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn in_flight(bytes_max: usize, requests_max: usize) -> Arc<InFlight> {
        InFlight::new(bytes_max, requests_max, IntGauge::new("bytes", "bytes").unwrap())
    }

    #[test]
    fn large_bodies_are_refused_before_their_first_byte_and_leave_room_for_small_ones() {
        let room = in_flight(40 * MIB, 100);
        let first = room.admit(Some(25 * MIB)).unwrap();
        assert_eq!(room.admit(Some(6 * MIB)).err(), Some(Busy));
        let mut small = room.admit(Some(MIB)).unwrap();
        small.reach(MIB).unwrap();
        assert_eq!(room.gauge.get(), gauged(26 * MIB));
        drop(first);
        assert_eq!(room.gauge.get(), gauged(MIB));
        room.admit(Some(29 * MIB)).unwrap();
    }

    #[test]
    fn a_length_that_is_only_declared_holds_next_to_nothing() {
        let room = in_flight(4 * MIB, 101);
        let mut declared: Vec<Held> = (0..100).map(|_| room.admit(Some(MIB)).unwrap()).collect();
        assert_eq!(room.gauge.get(), 0);
        for held in &mut declared {
            held.reach_beyond(0, Some(MIB)).unwrap();
        }
        assert_eq!(room.gauge.get(), gauged(100 * AHEAD_BYTES_MIN));
        room.admit(Some(MIB)).unwrap().reach(MIB).unwrap();
    }

    #[test]
    fn a_body_of_unknown_length_takes_room_as_it_grows_and_gives_all_of_it_back() {
        let room = in_flight(4 * MIB, 100);
        let mut growing = room.admit(None).unwrap();
        let mut reached = 0;
        while growing.reach_beyond(reached, None).is_ok() {
            reached = growing.bytes;
        }
        // It has become a large one, and those share three quarters.
        assert!((3 * MIB - AHEAD_BYTES_MAX..=3 * MIB).contains(&reached), "{reached}");
        assert_eq!(room.admit(Some(2 * MIB)).err(), Some(Busy));
        drop(growing);
        assert_eq!(room.gauge.get(), 0);
        room.admit(Some(3 * MIB)).unwrap();
    }

    #[test]
    fn requests_are_bounded_too() {
        let room = in_flight(MIB, 2);
        let held = [room.admit(None).unwrap(), room.admit(Some(0)).unwrap()];
        assert_eq!(room.admit(Some(0)).err(), Some(Busy));
        drop(held);
        room.admit(Some(0)).unwrap();
    }
}
