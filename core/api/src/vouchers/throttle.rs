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
    /// Unknown ones from all: beyond that, whoever has sent one in this minute waits.
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
    /// Those that named what nobody knows.
    misses: u32,
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
        let all = counts.all(now);
        let own = counts.own(address, now);
        if own.requests >= self.bounds.each {
            return Err(wait(own, now));
        }
        // When many guess, whoever hasn't is still heard: a right code is never kept waiting by others' wrong ones.
        if all.misses >= self.bounds.all && own.misses > 0 {
            return Err(wait(&all, now));
        }
        own.requests += 1;
        Ok(())
    }

    /// Refuses whoever was wrong too often, and counts nothing.
    pub(super) fn refuse(&self, address: IpAddr, now: Instant) -> Result<(), Problem> {
        let mut counts = self.counts.lock();
        let own = counts.own(address, now);
        if own.misses >= self.bounds.each { Err(wait(own, now)) } else { Ok(()) }
    }

    /// What was sent is known to nobody.
    pub(super) fn missed(&self, address: IpAddr, now: Instant) {
        let mut counts = self.counts.lock();
        counts.own(address, now).misses += 1;
        let mut all = counts.all(now);
        all.misses = all.misses.saturating_add(1);
        counts.all = Some(all);
    }
}

impl Counts {
    /// What is counted of all.
    fn all(&self, now: Instant) -> Minute {
        self.all.filter(|all| !all.is_over(now)).unwrap_or(Minute::from(now))
    }

    /// What is counted of a network; the one that was first heard of makes room for it.
    fn own(&mut self, address: IpAddr, now: Instant) -> &mut Minute {
        let network = network(address);
        if self.by_network.len() >= MOST && !self.by_network.contains_key(&network) {
            self.by_network.retain(|_, minute| !minute.is_over(now));
            if self.by_network.len() >= MOST
                && let Some(oldest) = self.by_network.iter().min_by_key(|(_, minute)| minute.began).map(|(one, _)| *one)
            {
                self.by_network.remove(&oldest);
            }
        }
        let own = self.by_network.entry(network).or_insert(Minute::from(now));
        if own.is_over(now) {
            *own = Minute::from(now);
        }
        own
    }
}

impl Minute {
    fn from(now: Instant) -> Self {
        Self { began: now, requests: 0, misses: 0 }
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= MINUTE
    }
}

fn wait(minute: &Minute, now: Instant) -> Problem {
    let seconds = MINUTE.saturating_sub(now.saturating_duration_since(minute.began)).as_secs() + 1;
    Problem::new(Code::TooManyRequests, format!("too many codes; wait {seconds} s"))
        .data(json!({ "retry_after_seconds": seconds }))
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
    fn one_address_is_bounded_and_forgiven() {
        let (throttle, now) = (Throttle::new(Bounds { each: 3, all: 10 }), Instant::now());
        let passed = |address, now| (0..20).filter(|_| throttle.attempt(address, now).is_ok()).count();
        assert_eq!((passed(address(1), now), passed(address(2), now)), (3, 3));
        let wait = throttle.attempt(address(1), now).unwrap_err().data["retry_after_seconds"].as_u64().unwrap();
        assert!((1..=61).contains(&wait));
        assert_eq!(passed(address(1), now + MINUTE), 3);
        let six = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        let from_neighbours = (0..9).filter(|n| throttle.attempt(six(*n), now + MINUTE).is_ok()).count();
        assert_eq!(from_neighbours, 3);
    }

    #[test]
    fn who_guesses_closes_nothing_for_others() {
        let (throttle, now) = (Throttle::new(Bounds { each: 5, all: 4 }), Instant::now());
        // Right ones count for nobody else.
        for last in 1..=20 {
            throttle.attempt(address(last), now).unwrap();
        }
        for last in 1..=4 {
            throttle.missed(address(last), now);
        }
        assert!(throttle.attempt(address(1), now).is_err(), "who has guessed waits");
        throttle.attempt(address(20), now).unwrap();
        throttle.attempt(address(1), now + MINUTE).unwrap();
        for _ in 0..5 {
            throttle.refuse(address(9), now).unwrap();
            throttle.missed(address(9), now);
        }
        assert!(throttle.refuse(address(9), now).is_err());
    }

    #[test]
    fn many_networks_push_out_the_oldest_only() {
        let (throttle, now) = (Throttle::new(Bounds { each: 1, all: 10 }), Instant::now());
        let numbered = |number: usize| IpAddr::from(u32::try_from(number).unwrap().to_be_bytes());
        for number in 0..=MOST {
            let later = now + Duration::from_millis(u64::try_from(number).unwrap() / 1_000);
            throttle.attempt(numbered(number), later).unwrap();
        }
        assert_eq!(throttle.counts.lock().by_network.len(), MOST);
        let later = now + Duration::from_secs(1);
        assert!(throttle.attempt(numbered(MOST), later).is_err(), "the newest is remembered");
    }
}
