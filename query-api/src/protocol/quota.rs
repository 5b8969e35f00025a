//! How often one address may ask.

use std::{
    hash::BuildHasher,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

use super::problem::Problem;

/// Addresses that are counted one by one; 64 Ki of them take about 5 MiB.
const ADDRESSES_MAX: usize = 65_536;
/// When there are more, they share so many counts.
const SHARED_COUNTS: u64 = 1024;
/// Looking through all addresses takes a millisecond, so it is not done for every request of a flood.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// A limit per client address.
pub(crate) struct Limit {
    limiter: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
    hasher: std::hash::RandomState,
    addresses_max: usize,
    swept: Mutex<Option<Instant>>,
}

impl Limit {
    pub(crate) fn new(quota: Quota) -> Self {
        Limit {
            limiter: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            hasher: std::hash::RandomState::new(),
            addresses_max: ADDRESSES_MAX,
            swept: Mutex::default(),
        }
    }

    /// Counts a request, or refuses it.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Problem> {
        let key = if self.is_full() { self.shared_key(address) } else { address };
        self.limiter.check_key(&key).map_err(|refused| {
            let wait: Duration = refused.wait_time_from(self.clock.now());
            Problem::rate_limited(wait)
        })
    }

    /// Whether the bound is reached, those aside whose quota is whole again.
    fn is_full(&self) -> bool {
        if self.limiter.len() < self.addresses_max {
            return false;
        }
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.is_none_or(|at| at.elapsed() >= SWEEP_EVERY) {
            self.limiter.retain_recent();
            *swept = Some(Instant::now());
        }
        self.limiter.len() >= self.addresses_max
    }

    /// An address of the discard prefix (RFC 6666), which no client has.
    fn shared_key(&self, address: IpAddr) -> IpAddr {
        let count = self.hasher.hash_one(address) % SHARED_COUNTS;
        IpAddr::V6(Ipv6Addr::from_bits((0x0100 << 112) | u128::from(count)))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn limit(per_hour: u32, addresses_max: usize) -> Limit {
        let quota = Quota::per_hour(NonZeroU32::new(per_hour).unwrap());
        Limit { addresses_max, ..Limit::new(quota) }
    }

    #[test]
    fn each_address_has_its_own_count() {
        let limit = limit(2, 100);
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse::<IpAddr>().unwrap());
        assert!(limit.check(one).is_ok());
        assert!(limit.check(one).is_ok());
        assert!(limit.check(one).is_err());
        assert!(limit.check(other).is_ok());
    }

    #[test]
    fn more_addresses_than_can_be_counted_share_counts_and_memory_stays_bounded() {
        let limit = limit(1, 10);
        for number in 0..20_000_u32 {
            let _ = limit.check(IpAddr::from(number.to_be_bytes()));
        }
        let bound = 10 + usize::try_from(SHARED_COUNTS).unwrap();
        assert!(limit.limiter.len() <= bound, "{} addresses are kept", limit.limiter.len());
        assert!(limit.check("203.0.113.7".parse().unwrap()).is_err(), "a flood is not let through");
    }
}
