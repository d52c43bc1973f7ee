//! Asks for actions that run: all branches of all runs on a project together, 25 in one question.

use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::oneshot;
use windlass_model::{Code, Problem};

use super::client::Project;

/// Actions in one question.
const TOGETHER: usize = 25;
/// Questions in a row that may fail before those who wait hear of it.
const FAILURES: u32 = 10;
/// Questions that may not know an action before it counts as unknown.
const UNKNOWN: u32 = 5;

type End = Result<Value, Problem>;

/// Who waits for which action. At most one task asks.
#[derive(Default)]
pub(super) struct Poller(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: BTreeMap<i64, Waiting>,
    asks: bool,
}

#[derive(Default)]
struct Waiting {
    senders: Vec<oneshot::Sender<End>>,
    missed: u32,
}

impl Poller {
    /// The end of an action, once it has come.
    pub(super) fn add(&self, project: &Project, action: i64) -> oneshot::Receiver<End> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.0.lock();
        state.waiting.entry(action).or_default().senders.push(sender);
        if !state.asks {
            state.asks = true;
            tokio::spawn(ask(project.clone()));
        }
        receiver
    }

    /// Those that are still waited for; none: the task is to end.
    fn wanted(&self) -> Option<Vec<i64>> {
        let mut state = self.0.lock();
        state.waiting.retain(|_, waiting| {
            waiting.senders.retain(|sender| !sender.is_closed());
            !waiting.senders.is_empty()
        });
        state.asks = !state.waiting.is_empty();
        state.asks.then(|| state.waiting.keys().copied().collect())
    }

    fn told(&self, asked: &[i64], actions: &[Value]) {
        let mut state = self.0.lock();
        for id in asked {
            let action = actions.iter().find(|action| action["id"] == *id);
            let end = match action {
                Some(action) if action["status"] == "running" => continue,
                Some(action) => Ok(action.clone()),
                None => {
                    let Some(waiting) = state.waiting.get_mut(id) else { continue };
                    waiting.missed += 1;
                    if waiting.missed < UNKNOWN {
                        continue;
                    }
                    Err(Problem::new(Code::NotFound, format!("the provider doesn't know the action {id}")))
                }
            };
            let waiting = state.waiting.remove(id).unwrap_or_default();
            waiting.senders.into_iter().for_each(|sender| drop(sender.send(end.clone())));
        }
    }

    fn fail(&self, ids: &[i64], problem: &Problem) {
        let mut state = self.0.lock();
        for waiting in ids.iter().filter_map(|id| state.waiting.remove(id)).collect::<Vec<_>>() {
            waiting.senders.into_iter().for_each(|sender| drop(sender.send(Err(problem.clone()))));
        }
    }
}

/// Ends when the runtime does, too: then those who wait are told that nobody asks.
struct Asks<'a>(&'a Poller);

impl Drop for Asks<'_> {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        state.asks = false;
        state.waiting.clear();
    }
}

async fn ask(project: Project) {
    let poller = project.poller();
    let guard = Asks(poller);
    let (mut failures, mut pause) = (0, project.cloud.poll);
    loop {
        tokio::time::sleep(pause).await;
        let Some(ids) = poller.wanted() else { break };
        pause = project.cloud.poll;
        for ids in ids.chunks(TOGETHER) {
            let query: Vec<String> = ids.iter().map(|id| format!("id={id}")).collect();
            match project.get(&format!("/actions?{}", query.join("&"))).await {
                Ok(answer) => {
                    failures = 0;
                    poller.told(ids, answer["actions"].as_array().map(Vec::as_slice).unwrap_or_default());
                }
                Err(problem) => {
                    failures += 1;
                    // A moment without an answer is no reason to lose what is under way, as it is only looked at; a token
                    // that is no longer good is.
                    let passing =
                        problem.retryable || problem.data["status"].as_u64().is_some_and(|status| status >= 500);
                    if !passing || failures >= FAILURES {
                        poller.fail(ids, &problem);
                        failures = 0;
                    }
                    pause = (project.cloud.poll * 2_u32.pow(failures.min(6))).min(Duration::from_secs(30));
                }
            }
        }
    }
    // `wanted` has said that nobody asks: whoever comes now starts another task, whose list must not be cleared.
    std::mem::forget(guard);
}
