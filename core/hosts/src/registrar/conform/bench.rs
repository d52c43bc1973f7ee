//! Calls a plugin as a run would, with the wire in hand: live, replayed, or one answer for everything.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use zeroize::Zeroizing;

use super::fixture::Exchange;
use crate::{
    registrar::{
        Office, Source, account, call,
        office::Account,
        scene::{Scene, granted, told},
    },
    web::{Guard, Request},
};

/// What stands for the value of a secret field in recorded exchanges.
pub(super) fn placeholder(field: &str) -> String {
    format!("recorded-{field}")
}

pub(super) struct Bench<'a> {
    pub source: &'a Arc<Source>,
    pub office: &'a Office,
    pub runtime: &'a tokio::runtime::Handle,
}

/// Who answers.
pub(super) enum Wire {
    /// Whoever the endpoints lead to.
    Live,
    /// What was recorded, in its order.
    Replay(VecDeque<Exchange>),
    /// This, always.
    Always(Value),
}

/// What a call came to.
pub(super) struct Called {
    pub result: Result<Value, Problem>,
    /// What was sent and answered, with placeholders for secrets.
    pub exchanges: Vec<Exchange>,
}

impl Bench<'_> {
    /// Calls a function with these values for the credentials' fields.
    pub fn call(&self, values: &BTreeMap<String, String>, function: &str, request: &Value, wire: Wire) -> Called {
        self.call_of(self.source, values, function, request, wire)
    }

    /// The same of other sources.
    pub fn call_of(
        &self,
        source: &Source,
        values: &BTreeMap<String, String>,
        function: &str,
        request: &Value,
        wire: Wire,
    ) -> Called {
        // What one call was told to wait for must not keep the next one.
        self.office.forget_patience();
        let secret = |name: &str| source.manifest.credentials.get(name).is_some_and(|field| field.secret);
        let given = values.iter().map(|(name, value)| {
            let value = if secret(name) { json!({ "$secret": name }) } else { json!(value) };
            (name.clone(), value)
        });
        let given = given.collect();
        let seen = match account::seen(&given, &source.manifest) {
            Ok(seen) => seen,
            Err(problem) => return Called { result: Err(problem), exchanges: Vec::new() },
        };
        let hidden = values.iter().filter(|(name, _)| secret(name));
        let hidden = hidden.map(|(name, value)| (value.clone(), placeholder(name))).collect();
        let state = Mutex::new(State { wire, exchanges: Vec::new() });
        let scene = InKit { bench: self, source, values, hidden, state };
        let result =
            call::perform(self.office, (source, Account::of("", source, &given)), &scene, &seen, (function, request));
        Called { result, exchanges: scene.state.into_inner().exchanges }
    }

    /// Placeholders for all fields.
    pub fn placeholders(&self) -> BTreeMap<String, String> {
        let fields = self.source.manifest.credentials.iter().filter(|(_, field)| !field.optional);
        fields.map(|(name, _)| (name.clone(), placeholder(name))).collect()
    }
}

struct State {
    wire: Wire,
    exchanges: Vec<Exchange>,
}

struct InKit<'a> {
    bench: &'a Bench<'a>,
    source: &'a Source,
    values: &'a BTreeMap<String, String>,
    hidden: Vec<(String, String)>,
    state: Mutex<State>,
}

impl InKit<'_> {
    fn hide(&self, text: &str) -> String {
        self.hidden.iter().fold(text.to_owned(), |text, (value, placeholder)| text.replace(value, placeholder))
    }

    fn live(&self, request: Request) -> Result<Value, Problem> {
        let granted = |verb: &str| granted(&self.source.manifest, verb);
        let guard = Guard { granted: &granted, holds: Arc::new(|| true) };
        self.bench.runtime.block_on(self.bench.office.client.send_on(&guard, request)).map(told)
    }
}

impl Scene for InKit<'_> {
    fn reveal(&self, field: &str, _: &str) -> Result<Zeroizing<String>, Problem> {
        let value = self.values.get(field);
        let missing = || Problem::new(Code::SecretNotFound, format!("the credentials have no `{field}`"));
        value.cloned().map(Zeroizing::new).ok_or_else(missing)
    }

    fn send(&self, request: Request) -> Result<Value, Problem> {
        let mut sent = Exchange {
            method: request.method.to_string(),
            url: self.hide(request.url.as_str()),
            body: request.body.as_ref().map(|body| self.hide(&String::from_utf8_lossy(body))),
            ..Exchange::default()
        };
        let mut state = self.state.lock();
        let answer = match &mut state.wire {
            Wire::Live => self.live(request)?,
            Wire::Always(answer) => answer.clone(),
            Wire::Replay(rest) => match rest.pop_front() {
                Some(expected) if expected.fits(&sent) => expected.reply(),
                Some(expected) => {
                    let (had, has) = (expected.line(), sent.line());
                    let message = format!("the recorded exchange has `{had}` here, and the plugin sends `{has}`");
                    return Err(Problem::new(Code::Conflict, message));
                }
                None => {
                    let message = format!("the recorded exchange is over, and the plugin sends `{}`", sent.line());
                    return Err(Problem::new(Code::Conflict, message));
                }
            },
        };
        sent.take(&answer, &|text| self.hide(text));
        state.exchanges.push(sent);
        Ok(answer)
    }

    fn wait(&self, time: Duration) -> Result<(), Problem> {
        if matches!(self.state.lock().wire, Wire::Live) {
            std::thread::sleep(time);
        }
        Ok(())
    }

    fn stopped(&self) -> bool {
        false
    }

    fn step(&self, seed: &[u8]) -> Result<u64, Problem> {
        self.bench.office.step(seed, &|time| {
            std::thread::sleep(time);
            Ok(())
        })
    }
}
