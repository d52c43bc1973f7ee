//! What is due, as documents whose ids begin with the target's lane, and then with when: the first of a lane is what its target
//! gets next, and a target that is left alone is passed over as a whole, however much waits for it. Who takes one puts it off in
//! the same commit, so that nobody else has it meanwhile, and that it comes back by itself if they end before they have written
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
/// Messages that wait for one target, at most.
pub const WAITING: usize = 1_000;
/// Due messages that are read at once, and how often that in one look: the next look goes on behind them.
const PAGE: u32 = 200;
const PAGES: usize = 10;
const MINUTE_MS: i64 = 60_000;
/// How long a target isn't looked at that people have put to rest.
const PAUSED_MS: i64 = 2_000;
/// Characters of a lane's name.
const LANE: usize = 24;

/// The document that makes a message due.
pub fn due(notice: &Notice, at_ms: i64) -> Kept<DueBody> {
    let target = super::kept::key(&notice.organisation, &notice.body.target);
    let id = format!("{}-{:014}-{}", lane(&target), at_ms.max(0), notice.id);
    Kept::new(&id, PLATFORM, DueBody { notice: notice.id.clone(), target })
}

/// What the ids of a target's messages begin with.
fn lane(target: &str) -> String {
    blake3::hash(target.as_bytes()).to_hex()[..LANE].to_owned()
}

/// The lane and the time of an id; none of one that was written before there were lanes.
fn read(id: &str) -> Option<(&str, i64)> {
    let (lane, rest) = id.split_once('-').filter(|(lane, _)| lane.len() == LANE)?;
    Some((lane, rest.split_once('-').and_then(|(at, _)| at.parse().ok()).unwrap_or(0)))
}

/// Behind everything in a lane.
fn end_of(lane: &str) -> String {
    format!("{lane}-99999999999999-z")
}

/// How many messages wait for a target; no more than `WAITING` are counted.
pub fn waiting(engine: &Engine, target: &str) -> Result<usize, Problem> {
    let filter = DocumentFilter { id_prefix: Some(lane(target)), limit: WAITING as u32, ..DocumentFilter::default() };
    Ok(Kept::<DueBody>::list(engine, filter)?.len())
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

/// What is to become of a target's messages.
pub enum Standing {
    /// They are sent, so many in a minute.
    Open(u32),
    /// They wait: people have put it to rest.
    Rests,
    /// They are given up, for this reason.
    Gone(String),
}

/// Whom messages may go to just now.
pub trait Gate {
    /// Whether nobody else speaks with the target, and it isn't left alone; from now on somebody does.
    fn enter(&self, target: &str) -> bool;

    /// Nobody speaks with it after all; it is left alone until then, if that is said.
    fn let_go(&self, target: &str, until_ms: Option<i64>);

    /// What is to become of this message to it.
    fn standing(&self, notice: &Notice) -> Result<Standing, Problem>;

    /// Where the look before has ended: the next one goes on there, so that each target has its turn.
    fn place(&self) -> Option<String>;

    /// Has the next look go on there.
    fn go_on(&self, place: Option<String>);
}

/// What came of the attempt to take a message.
enum Leased {
    /// It is taken.
    Taken(Box<Taken>),
    /// It wasn't to be sent: the next one may be.
    Over,
    /// None of this target is to be sent before this.
    Later(i64),
}

/// Takes a message that is due and whose target is free. Of what is given up it is known for so long.
pub fn take(engine: &Engine, gate: &dyn Gate, kept_ms: i64) -> Result<Next, Problem> {
    let now_ms = engine.now_ms();
    let (mut after, mut first_ms, mut passed) = (gate.place(), now_ms + 1_000, String::new());
    let mut is_round = after.is_none();
    for _ in 0..PAGES {
        let filter = DocumentFilter { limit: PAGE, after: after.take(), ..DocumentFilter::default() };
        let found = Kept::<DueBody>::list(engine, filter)?;
        for due in &found {
            let Some((lane, at_ms)) = read(&due.id) else {
                into_lane(engine, due)?;
                continue;
            };
            if lane == passed {
                continue;
            }
            if at_ms > now_ms || !gate.enter(&due.body.target) {
                first_ms = if at_ms > now_ms { first_ms.min(at_ms) } else { first_ms };
                lane.clone_into(&mut passed);
                continue;
            }
            let leased = lease(engine, due, now_ms, gate, kept_ms);
            match leased {
                Ok(Leased::Taken(taken)) => {
                    gate.go_on(Some(end_of(lane)));
                    return Ok(Next::Taken(taken));
                }
                Ok(Leased::Over) => gate.let_go(&due.body.target, None),
                Ok(Leased::Later(until_ms)) => {
                    gate.let_go(&due.body.target, Some(until_ms));
                    lane.clone_into(&mut passed);
                }
                Err(problem) => {
                    gate.let_go(&due.body.target, None);
                    // Another one may have been faster.
                    if !matches!(problem.code, Code::Conflict | Code::NotFound) {
                        return Err(problem);
                    }
                }
            }
        }
        if found.len() == PAGE as usize {
            let last = found.last().map(|last| last.id.clone());
            after = last.map(|id| if passed.is_empty() { id } else { id.max(end_of(&passed)) });
        } else if is_round {
            break;
        } else {
            (is_round, after) = (true, None);
        }
    }
    gate.go_on(after);
    Ok(Next::Nothing(first_ms))
}

/// Writes one anew that was written before there were lanes.
fn into_lane(engine: &Engine, old: &Kept<DueBody>) -> Result<(), Problem> {
    let at_ms = old.id.split_once('-').and_then(|(at, _)| at.parse().ok()).unwrap_or(0);
    let fresh = Notice::find(engine, &old.body.notice)?.map(|notice| due(&notice, at_ms).put_expecting(Expected::Any));
    let changes = std::iter::once(Ok(removed(old))).chain(fresh).collect::<Result<Vec<_>, _>>()?;
    match engine.change(changes) {
        // Another one was faster.
        Err(problem) if !matches!(problem.code, Code::Conflict | Code::NotFound) => Err(problem),
        _ => Ok(()),
    }
}

fn lease(engine: &Engine, due: &Kept<DueBody>, now_ms: i64, gate: &dyn Gate, kept_ms: i64) -> Result<Leased, Problem> {
    let gone = removed(due);
    let notice = Notice::find(engine, &due.body.notice)?.filter(|notice| notice.body.state == State::Pending);
    let Some(notice) = notice else {
        engine.change(vec![gone])?;
        return Ok(Leased::Over);
    };
    let given_up = |reason: String| {
        let mut notice = notice.clone();
        notice.body.give_up(reason, now_ms);
        notice.expires_at_ms = Some(now_ms + kept_ms);
        engine.change(vec![gone.clone(), notice.put()?]).map(|_| Leased::Over)
    };
    if is_old(&notice, now_ms) {
        return given_up(format!("its turn didn't come within a day; {}", notice.body.reason));
    }
    let per_minute = match gate.standing(&notice)? {
        Standing::Open(per_minute) => per_minute,
        Standing::Rests => return Ok(Leased::Later(now_ms + PAUSED_MS)),
        Standing::Gone(reason) => return given_up(both(&notice.body.remark, &reason)),
    };
    let Some(pace) = paced(engine, &due.body.target, per_minute)? else {
        return Ok(Leased::Later((now_ms / MINUTE_MS + 1) * MINUTE_MS));
    };
    let lease = super::queue::due(&notice, now_ms + LEASE_MS);
    engine.change(vec![gone, lease.put_expecting(Expected::Absent)?, pace])?;
    Ok(Leased::Taken(Box::new(Taken { notice, lease })))
}

/// The change that counts one more message to a target in this minute; none if it had as many as it may.
pub fn paced(engine: &Engine, target: &str, per_minute: u32) -> Result<Option<Change>, Problem> {
    let now_ms = engine.now_ms();
    let minute = now_ms / MINUTE_MS;
    let found = Kept::<PaceBody>::find(engine, target)?;
    let mut pace = found.unwrap_or_else(|| Kept::new(target, PLATFORM, PaceBody::default()));
    if pace.body.minute != minute {
        pace.body = PaceBody { minute, count: 0 };
    }
    if pace.body.count >= per_minute {
        return Ok(None);
    }
    pace.body.count += 1;
    pace.expires_at_ms = Some(now_ms + 10 * MINUTE_MS);
    pace.put().map(Some)
}

/// Whether nobody needs to hear of it any more.
fn is_old(notice: &Notice, now_ms: i64) -> bool {
    now_ms - notice.body.due_at_ms.max(notice.created_at_ms) > WORTH_MS
}

fn removed(due: &Kept<DueBody>) -> Change {
    Change::Delete { kind: DueBody::KIND.into(), id: due.id.clone(), expected: Expected::Present }
}

impl Taken {
    /// The message, for tests.
    #[cfg(test)]
    pub fn into_notice(self) -> Notice {
        self.notice
    }

    /// Writes down that it was delivered. `remark` is what the other side said besides.
    pub fn delivered(self, engine: &Engine, remark: String, kept_ms: i64) -> Result<(), Problem> {
        let now_ms = engine.now_ms();
        let mut notice = self.notice;
        notice.body.attempts += 1;
        notice.body.reason = both(&notice.body.remark, &remark);
        notice.body.left.clear();
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
        // Those who never get it were left out of this attempt: its reason doesn't name them.
        body.reason = match (body.remark.is_empty(), body.left.is_empty() || !failed.left.is_empty()) {
            (true, true) => failed.reason,
            (true, false) => format!("the others have it; {}", failed.reason),
            (false, _) => both(&body.remark, &failed.reason),
        };
        body.remark = both(&body.remark, &failed.remark);
        body.unknown |= failed.unknown;
        if !failed.left.is_empty() {
            body.left = failed.left;
        }
        let mut changes = vec![removed(&self.lease)];
        let again = failed.again && body.attempts < ATTEMPTS && !is_old(&notice, now_ms);
        if again {
            let asked = failed.after_ms.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0);
            changes.push(due(&notice, now_ms + pause_ms(notice.body.attempts).max(asked)).put()?);
        } else {
            let reason = std::mem::take(&mut notice.body.reason);
            notice.body.give_up(reason, now_ms);
            notice.expires_at_ms = Some(now_ms + kept_ms);
        }
        changes.push(notice.put()?);
        engine.change(changes)?;
        Ok(again)
    }
}

/// Two remarks as one.
fn both(earlier: &str, now: &str) -> String {
    [earlier, now].into_iter().filter(|remark| !remark.is_empty()).collect::<Vec<_>>().join("; ")
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
