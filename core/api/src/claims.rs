//! Claims: what a machine that has just been made may fetch once, and how it tells what becomes of it. Its first boot gets a
//! claim's address and word, and no secret: the provider keeps what a machine is booted with.

mod report;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{
    Code, Problem, RunId, RunState,
    audit::NewAudit,
    document::{Change, Document, Expected},
};

use crate::{
    Access, Answer, Request, Route,
    auth::{
        kept::now_ms,
        secret::{hash, random_hex, same},
    },
};

/// The kind of document.
const KIND: &str = "claim";
/// Bytes of a request, at most.
const BODY_BYTES: usize = 256 << 10;
/// How often a change is tried while others change the same claim.
const ATTEMPTS: usize = 20;
/// How many vain attempts to fetch are told in the audit log.
const REFUSALS: u32 = 20;

/// A claim to be.
pub struct NewClaim {
    /// How the script calls it, unique in the organisation.
    pub name: String,
    /// The run's organisation.
    pub organisation: String,
    /// The run that waits for the machine.
    pub run: RunId,
    /// The step that makes it: the same step makes one claim.
    pub key: String,
    /// What is fetched.
    pub values: BTreeMap<String, String>,
    /// What has to be shown for it.
    pub word: String,
    /// Names of secrets that the machine may send back.
    pub returns: Vec<String>,
    /// Where those may go.
    pub returns_to: Vec<String>,
    /// The signal that each report becomes.
    pub signal: String,
    /// How long it stays open.
    pub open_ms: i64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Body {
    name: String,
    run: RunId,
    key: String,
    /// The values, sealed; gone when whoever fetched them has them for certain.
    sealed: Option<String>,
    /// Of the word that fetches.
    word: String,
    /// Of the word that reports.
    report: Option<String>,
    returns: Vec<String>,
    returns_to: Vec<String>,
    signal: String,
    fetched: Option<Fetched>,
    #[serde(default)]
    told: report::Told,
}

#[derive(Clone, Serialize, Deserialize)]
struct Fetched {
    at_ms: i64,
    from: String,
    /// Of the word that whoever fetched had chosen.
    machine: Option<String>,
}

/// The name of the secret in which a returned value is kept. No other secret is called so: names that begin with a dot are
/// nobody's to choose, and `name` has no `/`.
pub fn returned(organisation: &str, claim: &str, name: &str) -> String {
    format!("made/{organisation}/{RETURNED}/{claim}/{name}")
}

/// Below which returned values are kept.
const RETURNED: &str = ".returned";

/// Whether a machine has chosen the value of the secret of this name.
pub fn is_returned(secret: &str) -> bool {
    let mut parts = secret.split('/');
    parts.next() == Some("made") && parts.nth(1) == Some(RETURNED)
}

/// By which a claim is found.
fn key(organisation: &str, name: &str) -> String {
    format!("{organisation}/{name}")
}

fn context(id: &str) -> String {
    format!("claim:{id}")
}

/// The claim of this name.
fn named(engine: &Engine, organisation: &str, name: &str) -> Result<Option<(Document, Body)>, Problem> {
    let found = engine.document_by_key(KIND, &key(organisation, name))?;
    found.map(|found| read(&found).map(|body| (found, body))).transpose()
}

/// Whether nobody waits for the claim's machine any more: its run has ended, or its undo is stuck. Such a claim keeps its name
/// from nobody.
fn is_left(engine: &Engine, body: &Body) -> Result<bool, Problem> {
    let left = |state: RunState| state.is_ended() || state == RunState::RollbackStuck;
    Ok(engine.run(&body.run)?.is_none_or(|run| left(run.state)))
}

/// Whether the claim of this name is the one that this step has made. None is there, or one that a run has left which executes no more: no.
/// Refused if a run that goes on has it.
pub fn is_ours(engine: &Engine, organisation: &str, name: &str, step: &str) -> Result<bool, Problem> {
    let Some((_, body)) = named(engine, organisation, name)? else { return Ok(false) };
    if body.key == step {
        return Ok(true);
    }
    if is_left(engine, &body)? {
        return Ok(false);
    }
    let message = format!("there is a claim `{name}` already, of run {}, which hasn't ended", body.run);
    Err(Problem::new(Code::Conflict, message).help("give it another name, or withdraw that one").no_effect())
}

/// Makes a claim, sealed by what takes a context and a text; its id. The same step finds its own; what an ended run has left
/// gives way.
pub fn offer(
    engine: &Engine,
    seal: impl Fn(&str, &str) -> Result<String, Problem>,
    new: &NewClaim,
) -> Result<String, Problem> {
    let ours = is_ours(engine, &new.organisation, &new.name, &new.key)?;
    let found = named(engine, &new.organisation, &new.name)?.map(|(found, _)| found.id);
    let left = match found {
        Some(id) if ours => return Ok(id),
        Some(id) => Some(Change::Delete { kind: KIND.into(), id, expected: Expected::Any }),
        None => None,
    };
    let id = random_hex()[..24].to_owned();
    let body = Body {
        name: new.name.clone(),
        run: new.run.clone(),
        key: new.key.clone(),
        sealed: Some(seal(&context(&id), &json!(new.values).to_string())?),
        word: hash(&new.word),
        report: None,
        returns: new.returns.clone(),
        returns_to: new.returns_to.clone(),
        signal: new.signal.clone(),
        fetched: None,
        told: report::Told::default(),
    };
    let made = Change::Put {
        kind: KIND.into(),
        id: id.clone(),
        organisation: new.organisation.clone(),
        body: json!(body),
        keys: vec![key(&new.organisation, &new.name)],
        expires_at_ms: Some(now_ms().saturating_add(new.open_ms)),
        expected: Expected::Absent,
    };
    engine.change(left.into_iter().chain([made]).collect())?;
    Ok(id)
}

/// Whether the claim of this name is another step's than this one, which undoes its own: then that has given way already.
pub fn is_anothers(engine: &Engine, organisation: &str, name: &str, step: &str) -> Result<bool, Problem> {
    Ok(named(engine, organisation, name)?.is_some_and(|(_, body)| body.key != step))
}

/// Removes a claim of this name that an ended run has left.
pub fn clear(engine: &Engine, organisation: &str, name: &str) -> Result<(), Problem> {
    let Some((found, body)) = named(engine, organisation, name)? else { return Ok(()) };
    if is_left(engine, &body)? {
        engine.change(vec![Change::Delete { kind: KIND.into(), id: found.id, expected: Expected::Any }])?;
    }
    Ok(())
}

/// Removes a claim of this name that this run made; whether there was one.
pub fn withdraw(engine: &Engine, organisation: &str, name: &str, run: &RunId) -> Result<bool, Problem> {
    let Some((found, body)) = named(engine, organisation, name)? else { return Ok(false) };
    if body.run != *run {
        let message = format!("the claim `{name}` is of run {}", body.run);
        return Err(Problem::new(Code::Conflict, message).help("a run withdraws its own claims only").no_effect());
    }
    // Whatever the machine does at this moment.
    engine.change(vec![Change::Delete { kind: KIND.into(), id: found.id, expected: Expected::Any }])?;
    Ok(true)
}

/// Names of what the machine may send back, of a claim of this name that this run made.
pub fn returns(engine: &Engine, organisation: &str, name: &str, run: &RunId) -> Result<Vec<String>, Problem> {
    let found = named(engine, organisation, name)?.map(|(_, body)| body);
    Ok(found.filter(|body| body.run == *run).map_or_else(Vec::new, |body| body.returns))
}

fn read(document: &Document) -> Result<Body, Problem> {
    serde_json::from_value(document.body.clone())
        .map_err(|error| Problem::new(Code::Storage, format!("the claim {} can't be read: {error}", document.id)))
}

/// What fetches.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FetchBody {
    /// The claim's word, which the machine was booted with.
    word: String,
    /// A word that the machine chooses and tells nobody else. With the same one it may fetch again until its first report: the
    /// answer may have been lost.
    #[serde(default)]
    machine: Option<String>,
}

/// What is fetched.
#[derive(Serialize, JsonSchema)]
struct FetchedView {
    /// The values by their names.
    values: BTreeMap<String, String>,
    /// What reports are sent with from now on.
    report_word: String,
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/claims/{id}/fetch", "claims", "Fetch what a claim holds, once")
            .describe(
                "For a machine that has just been made. The word works once: whoever comes second gets 410, which is told in \
                 the audit log. Only with the same `machine` it works again, until the first report. 401 is all that whoever doesn't have the word gets to know.",
            )
            .access(Access::Signed)
            .body::<FetchBody>()
            .body_bytes(BODY_BYTES)
            .answers::<FetchedView>(200)
            .problems(&[Code::Unauthenticated, Code::Gone, Code::InvalidInput])
            .handle(fetch),
        Route::post("/api/v1/claims/{id}/reports", "claims", "Tell what becomes of a machine")
            .describe("Each report is a signal to the run that waits for the machine.")
            .access(Access::Signed)
            .body::<report::ReportBody>()
            .body_bytes(BODY_BYTES)
            .answers::<report::ReportedView>(200)
            .problems(&[Code::Unauthenticated, Code::InvalidInput, Code::RunNotFound, Code::Conflict, Code::LimitExceeded])
            .handle(report::report),
    ]
}

fn refused() -> Problem {
    Problem::new(Code::Unauthenticated, "there is no such claim, or this isn't its word")
        .help("a claim is withdrawn when its run is undone, and ends with its time")
}

fn find(request: &Request) -> Result<(Document, Body), Problem> {
    let id = request.parameter("id");
    let found = request.api.engine.document(KIND, id)?.ok_or_else(refused)?;
    let body = read(&found)?;
    Ok((found, body))
}

fn entry(request: &Request, found: &Document, body: &Body, action: &str) -> NewAudit {
    NewAudit {
        actor: format!("claim:{}", body.name),
        organisation: found.organisation.clone(),
        action: action.to_owned(),
        target: body.run.to_string(),
        source: request.address.to_string(),
        before: Value::Null,
        after: json!({ "claim": body.name }),
    }
}

fn kept(found: &Document, body: &Body) -> Change {
    Change::Put {
        kind: KIND.into(),
        id: found.id.clone(),
        organisation: found.organisation.clone(),
        body: json!(body),
        keys: vec![key(&found.organisation, &body.name)],
        expires_at_ms: found.expires_at_ms,
        expected: Expected::Version(found.version),
    }
}

fn fetch(request: Request) -> Result<Answer, Problem> {
    for _ in 0..ATTEMPTS {
        match fetch_once(&request) {
            Err(problem) if is_beaten(&problem) => {}
            done => return done,
        }
    }
    Err(Problem::new(Code::Unavailable, "others fetch the same claim at this moment").retryable())
}

/// A conflict if the claim was changed meanwhile: by somebody who was quicker, or was refused.
fn fetch_once(request: &Request) -> Result<Answer, Problem> {
    let (found, mut body) = find(request)?;
    let asked: FetchBody = request.json()?;
    if !same(&hash(&asked.word), &body.word) {
        return Err(refused());
    }
    let engine = &request.api.engine;
    let gone = |fetched: &Option<Fetched>| {
        let from = fetched.as_ref().map_or_else(String::new, |fetched| format!(" from {}", fetched.from));
        Problem::new(Code::Gone, format!("it was fetched before{from}")).help(
            "if that wasn't this machine, its secrets are in wrong hands: cancel the run, which undoes everything",
        )
    };
    if let Some(machine) = &asked.machine {
        short("machine", machine, 200)?;
        if machine.chars().count() < 20 {
            return Err(Problem::new(
                Code::InvalidInput,
                "`machine` has to have 20 characters or more: it can't be guessed then",
            ));
        }
    }
    let machine = asked.machine.as_ref().map(|machine| hash(machine));
    let before = body.fetched.as_ref().map(|fetched| &fetched.machine);
    let again = matches!((before, &machine), (Some(Some(before)), Some(machine)) if same(before, machine));
    let Some(sealed) = body.sealed.clone().filter(|_| before.is_none() || again) else {
        body.told.refused += 1;
        if body.told.refused <= REFUSALS {
            let audited = engine.audited(entry(request, &found, &body, "claim.refuse"));
            audited.change(vec![kept(&found, &body)])?;
        }
        return Err(gone(&body.fetched));
    };
    let values = request.api.secrets.unseal(&context(&found.id), &sealed)?;
    let values: BTreeMap<String, String> = serde_json::from_str(&values)
        .map_err(|_| Problem::new(Code::Storage, format!("the claim {} is damaged", found.id)))?;
    let report_word = random_hex();
    body.report = Some(hash(&report_word));
    // Without a word of its own nobody could tell it from somebody else the next time.
    body.sealed = machine.is_some().then_some(sealed);
    body.fetched = Some(Fetched { at_ms: now_ms(), from: request.address.to_string(), machine });
    engine.audited(entry(request, &found, &body, "claim.fetch")).change(vec![kept(&found, &body)])?;
    Answer::json(&FetchedView { values, report_word })
}

/// Whether somebody else has changed the claim meanwhile.
fn is_beaten(problem: &Problem) -> bool {
    matches!(problem.code, Code::Conflict | Code::PreconditionFailed)
}

fn short(name: &str, text: &str, most: usize) -> Result<(), Problem> {
    match text.chars().count() <= most {
        true => Ok(()),
        false => Err(Problem::new(Code::InvalidInput, format!("`{name}` has more than {most} characters"))),
    }
}
