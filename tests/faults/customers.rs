//! Those who launch runs and send signals: each asks one node, and keeps for later what wasn't answered.

use std::{collections::HashMap, sync::Arc, thread::JoinHandle, time::Duration};

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{cluster::Caller, plan::Act};

/// A launch, as it was asked for.
#[derive(Clone, Debug)]
pub struct Launched {
    pub kind: String,
    pub input: Value,
    /// The run, when somebody has answered.
    pub run: Option<String>,
    /// Signals that nobody has taken yet.
    signals: Vec<u64>,
}

/// Launches by the names that they were made with.
pub type Launches = HashMap<String, Launched>;

/// All of them.
pub struct Customers {
    caller: Caller,
    launches: Arc<Mutex<Launches>>,
    busy: Vec<JoinHandle<()>>,
}

impl Customers {
    pub fn new(caller: &Caller) -> Self {
        Self { caller: caller.clone(), launches: Arc::default(), busy: Vec::new() }
    }

    /// Somebody asks a node, and doesn't hold up the others.
    pub fn act(&mut self, act: &Act, node: usize) {
        let (caller, launches, act) = (self.caller.clone(), self.launches.clone(), act.clone());
        if let Act::Launch { name, kind, input } = &act {
            let launched = Launched { kind: kind.clone(), input: input.clone(), run: None, signals: Vec::new() };
            launches.lock().insert(name.clone(), launched);
        }
        self.busy.push(std::thread::spawn(move || match act {
            Act::Launch { name, kind, input } => {
                let (path, body) = launch(&kind, &input);
                keep(&launches, &name, caller.ask(node, "POST", path, &body, Some(&name)));
            }
            Act::Signal { name, n } => {
                let run = launches.lock().get(&name).and_then(|launched| launched.run.clone());
                let answer = run.and_then(|run| {
                    let (path, body) = signal(&name, &run, n);
                    caller.ask(node, "POST", &path, &body, None)
                });
                if answer.is_none_or(|(status, _)| status >= 300)
                    && let Some(launched) = launches.lock().get_mut(&name)
                    && !launched.signals.contains(&n)
                {
                    launched.signals.push(n);
                }
            }
        }));
    }

    /// What wasn't answered is asked again until it is, with the same keys; the launches, and what nobody answers.
    pub fn finish(self) -> (Launches, Vec<String>) {
        self.busy.into_iter().for_each(|thread| thread.join().expect("a customer"));
        let names: Vec<String> = self.launches.lock().keys().cloned().collect();
        let mut complaints = Vec::new();
        for name in names {
            let launched = self.launches.lock()[&name].clone();
            if launched.run.is_none() {
                let (path, body) = launch(&launched.kind, &launched.input);
                let answer = self.caller.insist(0, "POST", path, &body, Some(&name));
                let said = format!("{answer:?}");
                if !keep(&self.launches, &name, answer) {
                    complaints.push(format!("{name}: nobody launches it: {said}"));
                }
            }
            let Some(run) = self.launches.lock()[&name].run.clone() else { continue };
            for n in launched.signals {
                let (path, body) = signal(&name, &run, n);
                let answer = self.caller.insist(0, "POST", &path, &body, None);
                // A run that is over has had it: the judge looks at what it took.
                if answer.as_ref().is_none_or(|(status, _)| *status >= 300 && *status != 409) {
                    complaints.push(format!("{name}: nobody takes its signal {n}: {answer:?}"));
                }
            }
        }
        let launches = std::mem::take(&mut *self.launches.lock());
        (launches, complaints)
    }
}

fn launch(kind: &str, input: &Value) -> (&'static str, Value) {
    ("runs", json!({ "workflow": format!("soak/{kind}"), "input": input }))
}

fn signal(name: &str, run: &str, n: u64) -> (String, Value) {
    (format!("runs/{run}/signal"), json!({ "name": "go", "payload": { "n": n }, "id": format!("{name}-{n}") }))
}

/// Notes the run, if it was answered with one.
fn keep(launches: &Mutex<Launches>, name: &str, answer: Option<(u16, Value)>) -> bool {
    let Some((200 | 201, body)) = answer else { return false };
    let run = body["id"].as_str().map(str::to_owned);
    if let Some(launched) = launches.lock().get_mut(name) {
        launched.run = run;
    }
    true
}

/// Waits between two questions.
pub const MOMENT: Duration = Duration::from_millis(50);
