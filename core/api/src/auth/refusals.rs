//! Failed log-ins in the audit log. Whoever guesses must not fill it: the same failure again within a minute is counted,
//! and told with its number once the minute is over; and so many kinds of failures have an entry each, the rest share one.
//! Nothing is written while somebody waits for the answer: how long that takes would tell whether there is such a user.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::audit::NewAudit;

use super::{kept::User, throttle::network};

/// The time in which the same failure has one entry.
const WINDOW: Duration = Duration::from_secs(60);
/// Different failures that have an entry of their own in that time.
const MOST: usize = 64;
/// What stands for names that nobody has: they may be passwords, typed into the wrong field.
const UNKNOWN: &str = "unknown";

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum How {
    /// The password, or the name.
    Password,
    /// The code of the second factor.
    Code,
    /// A token.
    Token,
    /// A log-in through an OpenID provider.
    Oidc,
    /// Nothing was looked at: there were too many failures before.
    Throttled,
}

impl How {
    const ALL: [Self; 5] = [Self::Password, Self::Code, Self::Token, Self::Oidc, Self::Throttled];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code => "code",
            Self::Token => "token",
            Self::Oidc => "oidc",
            Self::Throttled => "throttled",
        }
    }
}

/// Failures that are told together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    how: Option<How>,
    /// Who was logged in already, if anybody was.
    actor: String,
    user: String,
    organisation: String,
    source: String,
}

impl Kind {
    /// Those for which there is no room.
    fn others() -> Self {
        let text = str::to_owned;
        Self { how: None, actor: text("anonymous"), user: text("*"), organisation: text("*"), source: text("*") }
    }

    fn entry(self, count: u64) -> NewAudit {
        let action = if self.how == Some(How::Token) { "token.refused" } else { "session.refused" };
        NewAudit {
            actor: self.actor,
            organisation: self.organisation,
            action: action.into(),
            target: self.user,
            source: self.source,
            before: Value::Null,
            after: json!({ "how": self.how.map_or("any", How::as_str), "count": count }),
        }
    }
}

struct Told {
    since: Instant,
    /// Failures since then that nobody has been told of.
    more: u64,
}

/// Failed log-ins.
#[derive(Default)]
pub(super) struct Refusals {
    told: Mutex<HashMap<Kind, Told>>,
    /// What is to be written.
    due: Mutex<Vec<NewAudit>>,
    counts: [AtomicU64; How::ALL.len()],
}

impl Refusals {
    /// How often each was so since the process began.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        How::ALL.into_iter().zip(&self.counts).map(|(how, count)| (how.as_str(), count.load(Ordering::Relaxed)))
    }

    /// Notes one: of this user, if the name is somebody's.
    pub(super) fn note(&self, how: How, user: Option<&User>, address: IpAddr) {
        self.note_by(how, "anonymous", user, address);
    }

    /// Notes one of somebody who is logged in.
    pub(super) fn note_by(&self, how: How, actor: &str, user: Option<&User>, address: IpAddr) {
        let name = user.map_or(UNKNOWN, |user| &user.id);
        tracing::warn!(%address, user = name, how = how.as_str(), "a log-in failed");
        if let Some((_, count)) = How::ALL.into_iter().zip(&self.counts).find(|(known, _)| *known == how) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let source = match network(address) {
            IpAddr::V6(network) => format!("{network}/64"),
            IpAddr::V4(address) => address.to_string(),
        };
        let kind = Kind {
            how: Some(how),
            actor: actor.to_owned(),
            user: name.to_owned(),
            organisation: user.map_or("*", |user| &user.organisation).to_owned(),
            source,
        };
        self.remember(self.noted(kind, Instant::now()));
    }

    fn remember(&self, due: Vec<(Kind, u64)>) {
        self.due.lock().extend(due.into_iter().map(|(kind, count)| kind.entry(count)));
    }

    /// Writes what is due: what is new, and what was counted for a minute; at the end of the process everything.
    /// Whoever was refused was refused in any case: that it couldn't be written is for the log.
    pub(super) fn flush(&self, engine: &Engine, all: bool) {
        let now = Instant::now();
        self.remember(self.due(if all { now + WINDOW } else { now }));
        let due = std::mem::take(&mut *self.due.lock());
        for entry in due {
            if let Err(problem) = engine.audit(entry) {
                tracing::error!(%problem, "a failed log-in isn't in the audit log");
            }
        }
    }

    /// What is to be written now that there is one more.
    fn noted(&self, kind: Kind, now: Instant) -> Vec<(Kind, u64)> {
        let mut due = self.due(now);
        let mut told = self.told.lock();
        let kind = if told.contains_key(&kind) || told.len() < MOST { kind } else { Kind::others() };
        match told.get_mut(&kind) {
            Some(present) => present.more += 1,
            None => {
                told.insert(kind.clone(), Told { since: now, more: 0 });
                due.push((kind, 1));
            }
        }
        due
    }

    fn due(&self, now: Instant) -> Vec<(Kind, u64)> {
        let mut due = Vec::new();
        self.told.lock().retain(|kind, told| {
            if now < told.since + WINDOW {
                return true;
            }
            let more = std::mem::take(&mut told.more);
            told.since = now;
            if more > 0 {
                due.push((kind.clone(), more));
            }
            more > 0
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(user: &str, last: u8) -> Kind {
        Kind { how: Some(How::Password), user: user.into(), source: format!("192.0.2.{last}"), ..Kind::others() }
    }

    #[test]
    fn the_same_failure_is_told_once_a_minute_with_its_number() {
        let (refusals, now) = (Refusals::default(), Instant::now());
        assert_eq!(refusals.noted(kind("ann", 1), now), [(kind("ann", 1), 1)]);
        assert_eq!(refusals.noted(kind("ann", 2), now), [(kind("ann", 2), 1)]);
        for _ in 0..10 {
            assert_eq!(refusals.noted(kind("ann", 1), now), []);
        }
        assert_eq!(refusals.due(now + WINDOW / 2), []);
        assert_eq!(refusals.due(now + WINDOW), [(kind("ann", 1), 10)]);
        // What was just told of isn't told of again at once.
        assert_eq!(refusals.noted(kind("ann", 1), now + WINDOW), []);
        assert_eq!(refusals.due(now + 2 * WINDOW), [(kind("ann", 1), 1)]);
        assert_eq!(refusals.due(now + 3 * WINDOW), []);
        assert!(refusals.told.lock().is_empty());
    }

    #[test]
    fn however_many_guess_the_log_grows_slowly() {
        let (refusals, now) = (Refusals::default(), Instant::now());
        let many = (0..10_000).map(|number| refusals.noted(kind(&format!("user{number}"), 1), now).len());
        assert_eq!(many.sum::<usize>(), MOST + 1);
        let rest = refusals.due(now + WINDOW);
        assert_eq!(rest, [(Kind::others(), 10_000 - MOST as u64 - 1)]);
        assert!(refusals.told.lock().len() <= MOST + 1);
    }
}
