//! What a machine tells: signals to the run that waits for it, and secrets that come back. Whoever has the machine chooses all
//! of it, so all of it is bounded, and nothing is kept before it is known that the report counts.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_model::{Code, Problem, document::Document};

use super::{ATTEMPTS, Body, KIND, find, is_beaten, kept, read, refused, returned, short};
use crate::{
    Answer, Request,
    auth::secret::{hash, same},
};

/// Characters of a report's message, at most.
const TEXT_CHARS: usize = 2_000;
/// Reports of one claim, at most: each is a signal that is kept with its run.
const REPORTS: usize = 500;
/// Bytes of a value that comes back. A shorter one could be a word that stands in any text.
const VALUE_BYTES: std::ops::RangeInclusive<usize> = 24..=32 << 10;
/// Different characters that such a value has, at least.
const VALUE_CHARS: usize = 8;

/// What a claim remembers of its reports.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    /// Of each report's id.
    ids: BTreeSet<String>,
    /// By what came back, of the report that brought it: nothing replaces it.
    returned: BTreeMap<String, String>,
    /// How often somebody wanted to fetch again.
    pub refused: u32,
}

/// What a machine tells.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportBody {
    /// The word that came with what was fetched.
    word: String,
    /// Tells reports of one machine apart: the same one is taken once.
    id: String,
    /// What it is about: a component's name.
    component: String,
    /// How that stands: `pending`, `installing`, `installed`, `degraded`, `failed`, or any other word.
    state: String,
    /// More of it, for people.
    #[serde(default)]
    message: String,
    /// Secrets that come back, by the names that the claim has for them: each once, of 24 bytes to 32 KiB.
    #[serde(default)]
    returns: BTreeMap<String, String>,
}

/// That a report was taken.
#[derive(Serialize, JsonSchema)]
pub(super) struct ReportedView {
    /// The run that hears of it.
    run: String,
}

fn wrong(message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidInput, message)
}

impl ReportBody {
    fn check(&self, body: &Body) -> Result<(), Problem> {
        for (name, text, most) in
            [("id", &self.id, 100), ("component", &self.component, 100), ("state", &self.state, 40)]
        {
            short(name, text, most)?;
            if text.contains(char::is_control) {
                return Err(wrong(format!("`{name}` has control characters")));
            }
        }
        short("message", &self.message, TEXT_CHARS)?;
        for (name, value) in &self.returns {
            if !body.returns.contains(name) {
                let message = format!("the claim has no place for `{name}`");
                return Err(wrong(message).help("the script names what may come back"));
            }
            let different: BTreeSet<char> = value.chars().collect();
            if !VALUE_BYTES.contains(&value.len()) || different.len() < VALUE_CHARS {
                let (least, most) = VALUE_BYTES.into_inner();
                let message = format!("`{name}` can't be a secret: {least} to {most} bytes, {VALUE_CHARS} different");
                return Err(wrong(message).help("what is shorter or plainer could stand in any text"));
            }
        }
        Ok(())
    }

    /// Of this report, with one of its values: it may be sent again as it was.
    fn mark(&self, value: &str) -> String {
        hash(&format!("{}\n{value}", self.id))
    }

    /// Notes it at its claim; whether that changes anything.
    fn note(&self, body: &mut Body) -> Result<bool, Problem> {
        for (name, value) in &self.returns {
            if body.told.returned.get(name).is_some_and(|before| *before != self.mark(value)) {
                let message = format!("`{name}` came back before, and stays what it was");
                return Err(Problem::new(Code::Conflict, message).help("send the report without it"));
            }
        }
        let id = hash(&self.id)[..16].to_owned();
        let known = body.told.ids.contains(&id);
        let whole = self.returns.keys().all(|name| body.told.returned.contains_key(name));
        if known && !whole {
            return Err(Problem::new(Code::Conflict, "there was a report of this `id`, with other secrets")
                .help("give each report an `id` of its own"));
        }
        if known {
            return Ok(false);
        }
        if body.told.ids.len() >= REPORTS {
            return Err(Problem::new(Code::LimitExceeded, format!("this claim has had {REPORTS} reports"))
                .help("report what changes, not how long it takes"));
        }
        body.told.ids.insert(id);
        body.told.returned.extend(self.returns.iter().map(|(name, value)| (name.clone(), self.mark(value))));
        // It has come to the machine.
        body.sealed = None;
        Ok(true)
    }

    /// A text of the report without secrets, those that it brings included.
    fn clean(&self, request: &Request, organisation: &str, text: &str) -> String {
        let text = self.returns.values().fold(text.to_owned(), |text, value| text.replace(value, "[secret]"));
        request.api.secrets.scrub(organisation, &text)
    }
}

fn told(request: &Request) -> Result<(Document, Body, ReportBody), Problem> {
    let (found, body) = find(request)?;
    let told: ReportBody = request.json()?;
    if !body.report.as_ref().is_some_and(|report| same(&hash(&told.word), report)) {
        return Err(refused());
    }
    told.check(&body)?;
    Ok((found, body, told))
}

/// What is kept comes before the signal that tells of it, and the note comes before both: whatever ends in between, the same
/// report sent again completes it.
pub(super) fn report(request: Request) -> Result<Answer, Problem> {
    let (mut found, mut body, told) = told(&request)?;
    let engine = &request.api.engine;
    let state = engine.require(&body.run)?.state;
    if state.is_ended() {
        let message = format!("run `{}` is {state}: no report reaches it any more", body.run);
        return Err(Problem::new(Code::IllegalTransition, message));
    }
    for attempt in 1.. {
        if !told.note(&mut body)? {
            break;
        }
        match engine.change(vec![kept(&found, &body)]) {
            Ok(_) => break,
            // Another report of this machine was quicker.
            Err(problem) if attempt < ATTEMPTS && is_beaten(&problem) => {
                found = engine.document(KIND, &found.id)?.ok_or_else(refused)?;
                body = read(&found)?;
            }
            Err(problem) => return Err(problem),
        }
    }
    let mut secrets = BTreeMap::new();
    for (name, value) in &told.returns {
        let kept = returned(&found.organisation, &body.name, name);
        request.api.secrets.put(engine, &kept, value, &body.returns_to)?;
        secrets.insert(name, kept);
    }
    // Whoever withdraws the claim forgets what came back before the claim is gone, and after it: one of the two sees this.
    if !secrets.is_empty() && engine.document(KIND, &found.id)?.is_none() {
        for kept in secrets.values() {
            match request.api.secrets.delete(engine, kept) {
                Err(problem) if problem.code != Code::SecretNotFound => return Err(problem),
                _ => {}
            }
        }
        return Err(refused());
    }
    let clean = |text: &str| told.clean(&request, &found.organisation, text);
    let payload = json!({
        "claim": body.name, "component": clean(&told.component), "state": clean(&told.state),
        "message": clean(&told.message), "secrets": secrets,
    });
    let (by, id) = (format!("claim:{}", body.name), format!("{}:{}", found.id, told.id));
    engine.signal(&body.run, &body.signal, payload, &by, Some(id))?;
    Answer::json(&ReportedView { run: body.run.to_string() })
}
