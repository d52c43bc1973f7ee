//! What all ways have in common: ten seconds, attempts until then, and an answer instead of an error.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

/// Longest time for one message, all attempts together.
pub(super) const LONGEST_MS: u64 = 10_000;
/// What an op of the module is given: it answers by itself before that.
pub(super) const OP_TIMEOUT_MS: u64 = LONGEST_MS + 2_000;
/// Shape of every answer.
pub(super) const RETURNS: &str = "#{ delivered: bool, reason: string, refused: array }";

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const REASON_CHARS: usize = 400;

/// Attempts at those whom a mail server refuses for now while others have the message.
const PARTLY: u32 = 4;

/// One whom a mail server has refused while others have the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The address.
    pub(super) who: String,
    /// The server's reason.
    pub(super) why: String,
    /// Whether it is for now only.
    pub(super) again: bool,
}

/// Those who were refused.
pub(super) type Refused = Vec<Refusal>;

/// Each with the reason.
pub(super) fn words(refused: &[Refusal]) -> String {
    let words: Vec<String> = refused.iter().map(|one| format!("{}: {}", one.who, one.why)).collect();
    words.join("; ")
}

/// What is known of a message so far.
#[derive(Default)]
struct Known {
    /// Why the last attempt came to nothing.
    last: Option<String>,
    /// Those who don't have it, once others have it.
    refused: Option<Refused>,
}

impl Known {
    /// The answer for those who have waited in vain, if others have it.
    fn told(&mut self, why: &str) -> Option<Refused> {
        let mut refused = self.refused.take()?;
        refused.iter_mut().filter(|one| one.again).for_each(|one| why.clone_into(&mut one.why));
        Some(refused)
    }
}

/// Why an attempt came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was delivered; another attempt may do better.
    Again(String),
    /// Nothing was delivered; the other side asks to be left alone for so long.
    After(Duration, String),
    /// Another attempt wouldn't do better, or could deliver twice.
    Final(String),
    /// The run isn't to go on here.
    Stop(Problem),
}

/// Whether the message has left this machine: from then on nobody knows whether it arrived, until there is an answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Handed(Arc<AtomicBool>);

impl Handed {
    /// The next byte that is sent belongs to the message.
    pub(super) fn set(&self, handed: bool) {
        self.0.store(handed, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many messages may leave in a minute: a loop in a script mustn't have a mail server take us for a sender of spam.
#[derive(Debug)]
pub(super) struct Turnstile {
    most: usize,
    passed: Mutex<VecDeque<Instant>>,
}

impl Turnstile {
    pub(super) fn new(most: usize) -> Self {
        Self { most, passed: Mutex::default() }
    }

    /// Lets one through, or says why not.
    pub(super) fn pass(&self, now: Instant) -> Result<(), String> {
        let mut passed = self.passed.lock();
        while passed.front().is_some_and(|first| now.duration_since(*first) >= Duration::from_secs(60)) {
            passed.pop_front();
        }
        if passed.len() >= self.most {
            return Err(format!("more than {} messages in a minute", self.most));
        }
        passed.push_back(now);
        Ok(())
    }
}

/// Tries until it is delivered, a failure is final or time is up; those who were refused come back with their reasons. An attempt is given
/// the recipients that are left once others have the message; before that, none: it is for all.
pub(super) fn deliver(
    cx: &OpCx,
    way: &str,
    limit: Duration,
    attempt: impl AsyncFn(&Handed, &[String]) -> Result<Refused, Failure>,
) -> Result<Value, Problem> {
    let handed = Handed::default();
    let known = Mutex::new(Known::default());
    let tried = cx.block_on(async {
        let tried = tokio::time::timeout(limit, persist(limit, &handed, &known, &attempt)).await;
        Ok(tried.unwrap_or_else(|_| {
            let mut known = known.lock();
            let why = out_of_time(limit, &handed, known.last.take());
            known.told(&why).ok_or(Failure::Final(why))
        }))
    });
    match tried {
        Ok(Ok(refused)) => Ok(told(cx, way, &refused)),
        Ok(Err(Failure::Again(reason) | Failure::After(_, reason) | Failure::Final(reason))) => {
            Ok(undelivered(cx, way, &reason))
        }
        Ok(Err(Failure::Stop(problem))) => Err(problem),
        Err(problem) if problem.code == Code::StepTimeout => {
            let why = out_of_time(cx.timeout(), &handed, None);
            let refused = known.lock().told(&why);
            Ok(refused.map_or_else(|| undelivered(cx, way, &why), |refused| told(cx, way, &refused)))
        }
        // The run was told to stop; it is no failure of the message.
        Err(problem) => Err(problem),
    }
}

async fn persist(
    limit: Duration,
    handed: &Handed,
    known: &Mutex<Known>,
    attempt: &impl AsyncFn(&Handed, &[String]) -> Result<Refused, Failure>,
) -> Result<Refused, Failure> {
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    let (mut only, mut partly) = (Vec::new(), 0);
    loop {
        match attempt(handed, &only).await {
            Ok(refused) => {
                // Whoever took it has answered.
                handed.set(false);
                let mut all = known.lock().refused.take().unwrap_or_default();
                all.retain(|one| !one.again);
                all.extend(refused);
                only = all.iter().filter(|one| one.again).map(|one| one.who.clone()).collect();
                partly += 1;
                if only.is_empty() || partly == PARTLY || began.elapsed() + pause >= limit {
                    return Ok(all);
                }
                known.lock().refused = Some(all);
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(Failure::Again(reason)) if (only.is_empty() || partly < PARTLY) && began.elapsed() + pause < limit => {
                partly += u32::from(!only.is_empty());
                known.lock().last = Some(reason);
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(Failure::After(asked, reason)) if began.elapsed() + asked < limit => {
                known.lock().last = Some(reason);
                tokio::time::sleep(asked.max(FIRST_PAUSE)).await;
            }
            Err(Failure::Again(why) | Failure::After(_, why) | Failure::Final(why)) => {
                return known.lock().told(&why).ok_or(Failure::Final(why));
            }
            Err(stop) => return Err(stop),
        }
    }
}

fn out_of_time(limit: Duration, handed: &Handed, last: Option<String>) -> String {
    let ms = limit.as_millis();
    if handed.is_set() {
        return format!("no answer within {ms} ms after it was handed over: whether it arrived isn't known");
    }
    match last {
        Some(reason) => format!("not delivered within {ms} ms: {reason}"),
        None => format!("not delivered within {ms} ms"),
    }
}

/// The answer when the other side has taken it, for all but those who were refused.
fn told(cx: &OpCx, way: &str, refused: &[Refusal]) -> Value {
    if refused.is_empty() {
        return json!({ "delivered": true, "reason": "", "refused": [] });
    }
    let mut answer = undelivered(cx, way, &format!("refused, the others have it: {}", words(refused)));
    answer["refused"] = refused.iter().map(|one| one.who.clone()).collect();
    answer
}

/// The answer when nobody was told.
pub(super) fn undelivered(cx: &OpCx, way: &str, reason: &str) -> Value {
    let reason = plain(reason);
    tracing::warn!(run = %cx.run, step = cx.key, way, reason, "a notification wasn't delivered");
    not_delivered(&reason)
}

/// The answer of a rehearsal: what can't be meant is told there already.
pub(super) fn assumed(mistake: Option<&str>) -> Value {
    match mistake {
        Some(mistake) => not_delivered(&plain(mistake)),
        None => json!({ "delivered": true, "reason": "", "refused": [] }),
    }
}

/// What a step comes to whose process ended in the middle of it.
pub(super) fn interrupted(cx: &OpCx, way: &str) -> Value {
    let reason = "the process ended while it was being sent: whether it arrived isn't known, and it isn't sent twice";
    undelivered(cx, way, reason)
}

fn not_delivered(reason: &str) -> Value {
    json!({ "delivered": false, "reason": reason, "refused": [] })
}

/// What others have said, on one line and not too long.
pub(super) fn plain(text: &str) -> String {
    let text: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    match text.char_indices().nth(REASON_CHARS) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_messages_and_no_more() {
        let turnstile = Turnstile::new(2);
        let now = Instant::now();
        assert!(turnstile.pass(now).is_ok() && turnstile.pass(now + Duration::from_secs(30)).is_ok());
        assert!(turnstile.pass(now + Duration::from_secs(59)).unwrap_err().contains("more than 2"));
        assert!(turnstile.pass(now + Duration::from_secs(60)).is_ok(), "the first is a minute ago");
        assert!(turnstile.pass(now + Duration::from_secs(61)).is_err());
    }

    #[test]
    fn what_others_say_is_one_short_line() {
        assert_eq!(plain("550 no\r\nsuch\u{1b}[31m user \n"), "550 no  such [31m user");
        let long = plain(&"ä".repeat(1_000));
        assert_eq!(long.chars().count(), REASON_CHARS + 1);
    }
}
