//! What is due, as documents whose ids begin with when: the first page is what is due first. Who takes one puts it off in the
//! same commit, so that nobody else has it meanwhile, and that it comes back by itself if they end before they have written
//! down what became of it.

use windlass_engine::Engine;
use windlass_model::{
    Code, Problem,
    document::{Change, DocumentFilter, Expected},
};

use super::kept::{DueBody, Notice, PaceBody, State};
use crate::{
    auth::kept::{Kept, Kind as _, PLATFORM},
    services::NotDelivered,
};

/// For how long one is taken: longer than an attempt may be.
pub const LEASE_MS: i64 = 30_000;
/// How long the first pause after a failure is; each is twice the one before.
const FIRST_PAUSE_MS: i64 = 1_000;
const LONGEST_PAUSE_MS: i64 = 30 * 60_000;
/// Attempts at one message.
pub const ATTEMPTS: u32 = 16;
/// How long a message is worth telling.
const WORTH_MS: i64 = 24 * 3_600_000;
/// Due messages that are looked at in one go, and how often that: those of a busy target are passed over.
const PAGE: u32 = 200;
const PAGES: usize = 10;
const MINUTE_MS: i64 = 60_000;

/// The document that makes a message due.
pub fn due(notice: &Notice, at_ms: i64) -> Kept<DueBody> {
    let target = super::kept::key(&notice.organisation, &notice.body.target);
    Kept::new(&due_id(at_ms, &notice.id), PLATFORM, DueBody { notice: notice.id.clone(), target })
}

fn due_id(at_ms: i64, notice: &str) -> String {
    format!("{:014}-{notice}", at_ms.max(0))
}

fn due_at_ms(id: &str) -> i64 {
    id.split_once('-').and_then(|(at, _)| at.parse().ok()).unwrap_or(0)
}

/// A message that was taken.
pub struct Taken {
    /// The message.
    pub notice: Notice,
    /// By what it is put off meanwhile.
    lease: Kept<DueBody>,
}

/// What there was to take.
pub enum Next {
    /// This one.
    Taken(Box<Taken>),
    /// Nothing before this time, as far as is known.
    Nothing(i64),
}

/// Whom messages may go to just now.
pub trait Gate {
    /// Whether nobody else speaks with the target; from now on somebody does.
    fn enter(&self, target: &str) -> bool;

    /// Nobody speaks with it after all.
    fn let_go(&self, target: &str);

    /// How many messages it may have in a minute.
    fn per_minute(&self, target: &str) -> Result<u32, Problem>;
}

/// Takes the first message that is due and whose target is free.
pub fn take(engine: &Engine, gate: &dyn Gate) -> Result<Next, Problem> {
    let now_ms = engine.now_ms();
    let mut filter = DocumentFilter { limit: PAGE, ..DocumentFilter::default() };
    for _ in 0..PAGES {
        let found = Kept::<DueBody>::list(engine, filter.clone())?;
        for due in &found {
            let at_ms = due_at_ms(&due.id);
            if at_ms > now_ms {
                return Ok(Next::Nothing(at_ms));
            }
            if !gate.enter(&due.body.target) {
                continue;
            }
            let leased = lease(engine, due, now_ms, gate);
            if !matches!(leased, Ok(Some(_))) {
                gate.let_go(&due.body.target);
            }
            match leased {
                Ok(Some(taken)) => return Ok(Next::Taken(Box::new(taken))),
                // It wasn't to be sent, or was put off.
                Ok(None) => {}
                // Another one was faster.
                Err(problem) if matches!(problem.code, Code::Conflict | Code::NotFound) => {}
                Err(problem) => return Err(problem),
            }
        }
        filter.after = found.last().map(|last| last.id.clone());
        if found.len() < PAGE as usize {
            break;
        }
    }
    Ok(Next::Nothing(now_ms + 1_000))
}

fn lease(engine: &Engine, due: &Kept<DueBody>, now_ms: i64, gate: &dyn Gate) -> Result<Option<Taken>, Problem> {
    let gone = removed(due);
    let Some(notice) = Notice::find(engine, &due.body.notice)? else {
        engine.change(vec![gone])?;
        return Ok(None);
    };
    if notice.body.state != State::Pending {
        engine.change(vec![gone])?;
        return Ok(None);
    }
    let minute = now_ms / MINUTE_MS;
    let found = Kept::<PaceBody>::find(engine, &due.body.target)?;
    let mut pace = found.unwrap_or_else(|| Kept::new(&due.body.target, PLATFORM, PaceBody::default()));
    if pace.body.minute != minute {
        pace.body = PaceBody { minute, count: 0 };
    }
    if pace.body.count >= gate.per_minute(&due.body.target)? {
        // Not all of them in the first moment of the next minute.
        let later = (minute + 1) * MINUTE_MS + i64::from(rand::random::<u16>() % 20_000);
        engine.change(vec![gone, super::queue::due(&notice, later).put_expecting(Expected::Any)?])?;
        return Ok(None);
    }
    pace.body.count += 1;
    pace.expires_at_ms = Some(now_ms + 10 * MINUTE_MS);
    let lease = super::queue::due(&notice, now_ms + LEASE_MS);
    engine.change(vec![gone, lease.put_expecting(Expected::Absent)?, pace.put()?])?;
    Ok(Some(Taken { notice, lease }))
}

fn removed(due: &Kept<DueBody>) -> Change {
    Change::Delete { kind: DueBody::KIND.into(), id: due.id.clone(), expected: Expected::Present }
}

impl Taken {
    /// Writes down that it was delivered. `remark` is what the other side said besides.
    pub fn delivered(self, engine: &Engine, remark: String, kept_ms: i64) -> Result<(), Problem> {
        let now_ms = engine.now_ms();
        let mut notice = self.notice;
        notice.body.attempts += 1;
        notice.body.reason = remark;
        notice.body.state = State::Delivered;
        notice.body.done_at_ms = Some(now_ms);
        notice.expires_at_ms = Some(now_ms + kept_ms);
        engine.change(vec![removed(&self.lease), notice.put()?]).map(drop)
    }

    /// Writes down that it failed, and when it is tried again, if it is. Whether it is.
    pub fn failed(self, engine: &Engine, failed: NotDelivered, kept_ms: i64) -> Result<bool, Problem> {
        let now_ms = engine.now_ms();
        let mut notice = self.notice;
        let body = &mut notice.body;
        body.attempts += 1;
        body.reason = failed.reason;
        body.unknown |= failed.unknown;
        let old = now_ms - body.due_at_ms.max(notice.created_at_ms) > WORTH_MS;
        let mut changes = vec![removed(&self.lease)];
        let again = failed.again && body.attempts < ATTEMPTS && !old;
        if again {
            let asked = failed.after_ms.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0);
            changes.push(due(&notice, now_ms + pause_ms(notice.body.attempts).max(asked)).put()?);
        } else {
            body.state = State::Dead;
            body.done_at_ms = Some(now_ms);
            notice.expires_at_ms = Some(now_ms + kept_ms);
        }
        changes.push(notice.put()?);
        engine.change(changes)?;
        Ok(again)
    }
}

/// The pause after so many attempts, up to a quarter of it shorter or longer.
pub fn pause_ms(attempts: u32) -> i64 {
    let pause = FIRST_PAUSE_MS.saturating_mul(1 << attempts.saturating_sub(1).min(20)).min(LONGEST_PAUSE_MS);
    pause * 3 / 4 + i64::from(rand::random::<u16>()) * (pause / 2) / i64::from(u16::MAX)
}

/// Changes that have a message sent, or sent again, from now on.
pub fn revive(notice: &Notice, now_ms: i64) -> Result<Vec<Change>, Problem> {
    let mut notice = notice.clone();
    notice.body.state = State::Pending;
    notice.body.attempts = 0;
    notice.body.due_at_ms = now_ms;
    notice.body.done_at_ms = None;
    notice.expires_at_ms = None;
    Ok(vec![notice.put()?, due(&notice, now_ms).put_expecting(Expected::Any)?])
}
