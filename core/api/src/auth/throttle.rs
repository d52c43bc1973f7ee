//! Slows down whoever guesses passwords, without letting them lock others out: somebody's failures at an account count
//! for that account from that address first. In memory, bounded; a restart forgives.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::json;
use windlass_model::{Code, Problem};

/// Entries at most; the ones that were used longest ago go first.
const MOST: usize = 16_384;
/// After so long without a failure everything is forgiven.
const FORGIVEN: Duration = Duration::from_secs(3_600);

/// Whose failures are counted. Texts as hashes: they can be long, and passwords typed into the wrong field.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    /// An account from an address.
    Pair(u64, IpAddr),
    /// An account from wherever.
    Account(u64),
    /// An address at whatever account.
    Address(IpAddr),
}

/// So many tries are free; then each costs a wait that doubles, up to the longest.
struct Rule {
    free: u32,
    first: Duration,
    longest: Duration,
}

const PAIR: Rule = Rule { free: 5, first: Duration::from_secs(1), longest: Duration::from_secs(900) };
const ADDRESS: Rule = Rule { free: 50, first: Duration::from_secs(1), longest: Duration::from_secs(60) };
/// Short, because it also meets the one whose account it is, if they come from a new address.
const ACCOUNT: Rule = Rule { free: 100, first: Duration::from_secs(1), longest: Duration::from_secs(4) };

impl Rule {
    fn wait(&self, failures: u32) -> Duration {
        match failures.checked_sub(self.free) {
            None | Some(0) => Duration::ZERO,
            Some(over) => self.longest.min(self.first * 2u32.saturating_pow(over.saturating_sub(1).min(20))),
        }
    }
}

#[derive(Clone, Copy)]
struct Count {
    failures: u32,
    last: Instant,
    until: Instant,
    /// A log-in has succeeded: for this pair the account's own rule doesn't hold.
    known: bool,
}

/// Counts failures.
#[derive(Default)]
pub(super) struct Throttle {
    counts: Mutex<HashMap<Who, Count>>,
}

/// One user of IPv6 has at least 2^64 addresses.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & (u128::MAX << 64)).into()),
        address => address,
    }
}

fn whos(account: &str, address: IpAddr) -> (Who, Who, Who) {
    let hash = blake3::hash(account.as_bytes());
    let account = hash.as_bytes().iter().take(8).fold(0, |word: u64, byte| word << 8 | u64::from(*byte));
    let address = network(address);
    (Who::Pair(account, address), Who::Account(account), Who::Address(address))
}

impl Throttle {
    /// Counts a try as a failure (many at once shall not all be the first), or says how long to wait.
    pub fn attempt(&self, account: &str, address: IpAddr, now: Instant) -> Result<(), Problem> {
        let (pair, account, address) = whos(account, address);
        let mut counts = self.counts.lock();
        let known = counts.get(&pair).is_some_and(|count| count.known);
        let mut rules = vec![(pair, PAIR), (address, ADDRESS)];
        if !known {
            rules.push((account, ACCOUNT));
        }
        counts.retain(|who, count| !rules.iter().any(|(asked, _)| asked == who) || now < count.last + FORGIVEN);
        let waits = rules.iter().filter_map(|(who, _)| counts.get(who)?.until.checked_duration_since(now));
        if let Some(wait) = waits.max().filter(|wait| !wait.is_zero()) {
            let seconds = wait.as_secs() + 1;
            return Err(Problem::new(Code::TooManyRequests, format!("too many failed log-ins; wait {seconds} s"))
                .help("if it wasn't you, tell an admin; if you forgot the password, an admin can set a new one")
                .data(json!({ "retry_after_seconds": seconds })));
        }
        make_room(&mut counts);
        for (who, rule) in rules {
            let count = counts.entry(who).or_insert(Count { failures: 0, last: now, until: now, known: false });
            count.failures = count.failures.saturating_add(1);
            count.last = now;
            count.until = now + rule.wait(count.failures);
        }
        Ok(())
    }

    /// The try was neither a failure nor a success.
    pub fn forgive(&self, account: &str, address: IpAddr, now: Instant) {
        let (pair, account, address) = whos(account, address);
        let mut counts = self.counts.lock();
        for (who, rule) in [(pair, PAIR), (account, ACCOUNT), (address, ADDRESS)] {
            if let Some(count) = counts.get_mut(&who) {
                count.failures = count.failures.saturating_sub(1);
                count.until = count.until.min(now + rule.wait(count.failures));
            }
        }
    }

    /// The try wasn't a failure. Others' failures at this account, and this address's at other accounts, stay.
    pub fn succeeded(&self, account: &str, address: IpAddr, now: Instant) {
        self.forgive(account, address, now);
        let (pair, ..) = whos(account, address);
        let mut counts = self.counts.lock();
        counts.insert(pair, Count { failures: 0, last: now, until: now, known: true });
    }
}

fn make_room(counts: &mut HashMap<Who, Count>) {
    if counts.len() + 3 <= MOST {
        return;
    }
    let mut times: Vec<Instant> = counts.values().map(|count| count.last).collect();
    times.sort_unstable();
    let limit = times[times.len() / 4];
    counts.retain(|_, count| count.last > limit);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn guessing_gets_slower_and_slower() {
        let (throttle, mut now) = (Throttle::default(), Instant::now());
        let mut tries = 0;
        let end = now + Duration::from_secs(3_600);
        while now < end {
            match throttle.attempt("ann", address(1), now) {
                Ok(()) => tries += 1,
                Err(problem) => {
                    assert!(problem.data["retry_after_seconds"].as_u64().unwrap() >= 1);
                    now += Duration::from_secs(1);
                }
            }
        }
        assert!((15..25).contains(&tries), "{tries} tries in an hour");
    }

    #[test]
    fn nobody_is_locked_out_by_another() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        throttle.attempt("ann", address(1), now).unwrap();
        throttle.succeeded("ann", address(1), now);
        for guesser in 2..200 {
            for _ in 0..5 {
                let _ = throttle.attempt("ann", address(guesser), now);
            }
        }
        throttle.attempt("ann", address(1), now).unwrap();
        // From an address that isn't known it is a matter of seconds.
        let wait = throttle.attempt("ann", address(201), now).unwrap_err().data["retry_after_seconds"].as_u64();
        assert!(wait.unwrap() <= 5, "{wait:?}");
        throttle.attempt("bob", address(1), now).unwrap();
    }

    #[test]
    fn an_address_that_tries_many_accounts_is_slowed_too() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let tries = (0..200).filter(|n| throttle.attempt(&format!("user{n}"), address(1), now).is_ok()).count();
        assert!(tries <= 52, "{tries}");
        // Its neighbours in the same network of IPv6 are the same.
        let six = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        let tries = (0..200).filter(|n| throttle.attempt(&format!("user{n}"), six(*n), now).is_ok()).count();
        assert!(tries <= 52, "{tries}");
    }

    #[test]
    fn success_makes_up_and_time_forgives() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        while throttle.attempt("ann", address(1), now).is_ok() {}
        let later = now + Duration::from_secs(1_000);
        throttle.attempt("ann", address(1), later).unwrap();
        throttle.succeeded("ann", address(1), later);
        for _ in 0..5 {
            throttle.attempt("ann", address(1), later).unwrap();
        }
    }

    #[test]
    fn memory_is_bounded() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..20_000u32 {
            let _ = throttle.attempt(
                &format!("{number}"),
                IpAddr::from(number.to_be_bytes()),
                now + Duration::from_micros(number.into()),
            );
        }
        assert!(throttle.counts.lock().len() <= MOST);
    }
}
