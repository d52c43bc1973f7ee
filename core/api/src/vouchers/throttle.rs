//! Slows down whoever tries codes: by network, and all of them together. In memory, bounded; a restart forgives.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::json;
use windlass_model::{Code, Problem};

/// Networks that are remembered, at most.
const MOST: usize = 16_384;
const MINUTE: Duration = Duration::from_secs(60);

/// Requests about codes in a minute.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// From one address (of IPv6: one network of 64 bits).
    pub each: u32,
    /// From all.
    pub all: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { each: 30, all: 600 }
    }
}

#[derive(Clone, Copy)]
struct Minute {
    began: Instant,
    requests: u32,
}

#[derive(Default)]
struct Counts {
    by_network: HashMap<IpAddr, Minute>,
    all: Option<Minute>,
}

/// Counts requests.
pub struct Throttle {
    bounds: Bounds,
    counts: Mutex<Counts>,
}

impl Throttle {
    /// Within these bounds.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, counts: Mutex::default() }
    }

    /// Counts a request, or says how long to wait.
    pub(super) fn attempt(&self, address: IpAddr, now: Instant) -> Result<(), Problem> {
        let mut counts = self.counts.lock();
        let Counts { by_network, all } = &mut *counts;
        by_network.retain(|_, minute| now.duration_since(minute.began) < MINUTE);
        if by_network.len() >= MOST {
            // Whoever has so many networks is held by the bound of all.
            by_network.clear();
        }
        let fresh = Minute { began: now, requests: 0 };
        let own = by_network.entry(network(address)).or_insert(fresh);
        let all = all.get_or_insert(fresh);
        if now.duration_since(all.began) >= MINUTE {
            *all = fresh;
        }
        // One who asks too often takes nothing from what others may.
        for (minute, bound) in [(&mut *own, self.bounds.each), (all, self.bounds.all)] {
            if minute.requests >= bound {
                let seconds = (MINUTE.saturating_sub(now.duration_since(minute.began))).as_secs() + 1;
                return Err(Problem::new(Code::TooManyRequests, format!("too many codes; wait {seconds} s"))
                    .data(json!({ "retry_after_seconds": seconds })));
            }
            minute.requests += 1;
        }
        Ok(())
    }
}

/// One user of IPv6 has at least 2^64 addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & (u128::MAX << 64)).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn one_address_and_all_together_are_bounded_and_forgiven() {
        let (throttle, now) = (Throttle::new(Bounds { each: 3, all: 10 }), Instant::now());
        let passed = |address, now| (0..20).filter(|_| throttle.attempt(address, now).is_ok()).count();
        assert_eq!((passed(address(1), now), passed(address(2), now)), (3, 3));
        let wait = throttle.attempt(address(1), now).unwrap_err().data["retry_after_seconds"].as_u64().unwrap();
        assert!((1..=61).contains(&wait));
        assert_eq!((passed(address(3), now), passed(address(4), now)), (3, 1));
        assert_eq!(passed(address(1), now + MINUTE), 3);
        let six = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        let from_neighbours = (0..9).filter(|n| throttle.attempt(six(*n), now + MINUTE).is_ok()).count();
        assert_eq!(from_neighbours, 3);
    }
}
