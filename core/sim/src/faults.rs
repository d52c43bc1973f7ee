//! Faults on demand, the same for every simulator: over HTTP at `/_sim/faults`, or by a handle.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::Clock;

/// Faults that wait at once.
const WAITING: usize = 1_000;

/// A fault. `operation` is a simulator's name for what is asked (`servers.create`); `*` at its end or alone stands for
/// anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The next `times` requests aren't done, and are answered with this failure.
    Fail {
        /// What fails.
        operation: String,
        /// How often.
        #[serde(default = "once")]
        times: u32,
        /// How.
        #[serde(flatten)]
        failure: Failure,
    },
    /// The next `times` requests are done, and are answered with this failure all the same.
    FailAfter {
        /// What fails.
        operation: String,
        /// How often.
        #[serde(default = "once")]
        times: u32,
        /// How.
        #[serde(flatten)]
        failure: Failure,
    },
    /// The next `times` requests are accepted, and what they began fails later: an action that ends in an error.
    FailLater {
        /// What fails.
        operation: String,
        /// How often.
        #[serde(default = "once")]
        times: u32,
        /// How.
        #[serde(flatten)]
        failure: Failure,
    },
    /// The next `times` requests are done, and the connection is closed instead of an answer.
    Lose {
        /// Whose answer gets lost.
        operation: String,
        /// How often.
        #[serde(default = "once")]
        times: u32,
    },
    /// For so many seconds everything that fits is refused as too much.
    Limit {
        /// What is limited.
        #[serde(default = "any")]
        operation: String,
        /// For how long, from now.
        seconds: u32,
        /// When it ends, in milliseconds since 1970; found when the fault is added.
        #[serde(default)]
        until_ms: i64,
    },
    /// The next `times` requests are answered so much later.
    Delay {
        /// What is slow.
        #[serde(default = "any")]
        operation: String,
        /// How much.
        ms: u32,
        /// How often; left out: until the faults are cleared.
        #[serde(default = "always")]
        times: u32,
    },
}

/// How something fails; the simulator puts it into its provider's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The HTTP status.
    #[serde(default = "server_error")]
    pub status: u16,
    /// The provider's code, or its word for the error.
    pub code: String,
    /// What it says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

fn once() -> u32 {
    1
}
fn always() -> u32 {
    u32::MAX
}
fn any() -> String {
    "*".into()
}
fn server_error() -> u16 {
    500
}

/// What is in store for one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// How much later it is answered.
    pub delay_ms: u64,
    /// Too much is asked: seconds until it isn't any more.
    pub limited_s: Option<u64>,
    /// It isn't done.
    pub fail: Option<Failure>,
    /// It is done, and answered with this.
    pub fail_after: Option<Failure>,
    /// What it begins fails later.
    pub fail_later: Option<Failure>,
    /// It is done, and the answer is lost.
    pub lose: bool,
}

/// The faults that wait for their requests. Clones are the same list.
#[derive(Clone)]
pub struct Faults {
    waiting: Arc<Mutex<VecDeque<Fault>>>,
    clock: Clock,
}

impl Faults {
    /// None yet.
    pub fn new(clock: Clock) -> Self {
        Self { waiting: Arc::default(), clock }
    }

    /// Adds faults; of several for one operation the oldest comes first. At most a thousand wait: older ones give way.
    pub fn add(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut waiting = self.waiting.lock();
        for mut fault in faults {
            if let Fault::Limit { seconds, until_ms, .. } = &mut fault {
                *until_ms = self.clock.now_ms().saturating_add(i64::from(*seconds) * 1_000);
            }
            waiting.push_back(fault);
        }
        let surplus = waiting.len().saturating_sub(WAITING);
        waiting.drain(..surplus);
    }

    /// The next `operation` fails with this status and code, and isn't done.
    pub fn fail(&self, operation: &str, status: u16, code: &str) {
        let failure = Failure { status, code: code.into(), message: None };
        self.add([Fault::Fail { operation: operation.into(), times: 1, failure }]);
    }

    /// The next `operation` is done, and its answer gets lost.
    pub fn lose(&self, operation: &str) {
        self.add([Fault::Lose { operation: operation.into(), times: 1 }]);
    }

    /// For so many seconds `operation` is refused as too much.
    pub fn limit(&self, operation: &str, seconds: u32) {
        self.add([Fault::Limit { operation: operation.into(), seconds, until_ms: 0 }]);
    }

    /// Those that still wait.
    pub fn waiting(&self) -> Vec<Fault> {
        self.waiting.lock().iter().cloned().collect()
    }

    /// Forgets all.
    pub fn clear(&self) {
        self.waiting.lock().clear();
    }

    /// What is in store for a request: of each kind at most one, which is used up by it.
    pub fn take(&self, operation: &str) -> Verdict {
        let now_ms = self.clock.now_ms();
        let mut verdict = Verdict::default();
        let mut waiting = self.waiting.lock();
        waiting.retain(|fault| !matches!(fault, Fault::Limit { until_ms, .. } if *until_ms <= now_ms));
        for fault in waiting.iter_mut().filter(|fault| fits(fault.operation(), operation)) {
            // A request that isn't done uses up nothing of what would happen to it when it is.
            let refused = verdict.limited_s.is_some() || verdict.fail.is_some();
            let left = match fault {
                Fault::Limit { until_ms, .. } => {
                    let left_s = u64::try_from(*until_ms - now_ms).unwrap_or_default().div_ceil(1_000);
                    verdict.limited_s = Some(verdict.limited_s.unwrap_or_default().max(left_s));
                    continue;
                }
                Fault::Delay { ms, times, .. } => {
                    verdict.delay_ms += u64::from(*ms);
                    times
                }
                _ if refused => continue,
                Fault::Fail { failure, times, .. } => {
                    verdict.fail = Some(failure.clone());
                    times
                }
                Fault::FailAfter { failure, times, .. } if verdict.fail_after.is_none() => {
                    verdict.fail_after = Some(failure.clone());
                    times
                }
                Fault::FailLater { failure, times, .. } if verdict.fail_later.is_none() => {
                    verdict.fail_later = Some(failure.clone());
                    times
                }
                Fault::Lose { times, .. } if !verdict.lose => {
                    verdict.lose = true;
                    times
                }
                _ => continue,
            };
            if *left != u32::MAX {
                *left = left.saturating_sub(1);
            }
        }
        waiting.retain(|fault| fault.left() > 0);
        verdict
    }
}

impl Fault {
    fn operation(&self) -> &str {
        match self {
            Self::Fail { operation, .. }
            | Self::FailAfter { operation, .. }
            | Self::FailLater { operation, .. }
            | Self::Lose { operation, .. }
            | Self::Limit { operation, .. }
            | Self::Delay { operation, .. } => operation,
        }
    }

    fn left(&self) -> u32 {
        match self {
            Self::Fail { times, .. }
            | Self::FailAfter { times, .. }
            | Self::FailLater { times, .. }
            | Self::Lose { times, .. }
            | Self::Delay { times, .. } => *times,
            Self::Limit { .. } => 1,
        }
    }
}

fn fits(pattern: &str, operation: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => operation.starts_with(start),
        None => pattern == operation,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_fault_meets_as_many_requests_as_it_says() {
        let clock = Clock::fixed(0);
        let faults = Faults::new(clock.clone());
        let list = json!([
            { "fault": "fail", "operation": "servers.create", "times": 2, "status": 412, "code": "resource_unavailable" },
            { "fault": "lose", "operation": "servers.*" },
            { "fault": "limit", "operation": "volumes.list", "seconds": 20 },
            { "fault": "delay", "ms": 5 },
        ]);
        faults.add(serde_json::from_value::<Vec<Fault>>(list).unwrap());
        for _ in 0..2 {
            let verdict = faults.take("servers.create");
            assert_eq!(verdict.fail.map(|failure| failure.status), Some(412));
            assert!(!verdict.lose, "what isn't done has no answer to lose");
            assert_eq!(verdict.delay_ms, 5);
        }
        assert!(faults.take("servers.create").lose);
        assert_eq!(faults.take("servers.create"), Verdict { delay_ms: 5, ..Verdict::default() });
        assert_eq!(faults.take("volumes.list").limited_s, Some(20));
        clock.advance(20_000);
        assert_eq!(faults.take("volumes.list").limited_s, None);
        assert_eq!(faults.waiting().len(), 1);
        faults.clear();
        assert!(faults.waiting().is_empty());
    }

    #[test]
    fn a_misspelt_fault_is_refused() {
        for bad in [json!({ "fault": "explode" }), json!({ "fault": "lose" }), json!({ "fault": "limit", "secs": 1 })] {
            assert!(serde_json::from_value::<Fault>(bad.clone()).is_err(), "{bad}");
        }
    }
}
