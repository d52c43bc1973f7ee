//! How a redemption goes, for whoever began it: they have no account yet. A word that is told once at the beginning opens it.

use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_model::{Code, EventKind, Problem, RunId, RunState, query::RunRecord};

use super::{
    keys::{Hasher, Sealing},
    redeem::WORKFLOW,
};
use crate::{
    Access, Answer, Request, Route,
    auth::secret,
    organisations::look::{self, Look},
};

/// Bytes of a request, at most.
const BODY_BYTES: usize = 4 << 10;
/// Events of a run that are looked through: a redemption has some dozens.
const EVENTS: u32 = 2_000;
/// Phases that are told, at most.
const PHASES: usize = 50;

/// Which redemption.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ProgressBody {
    /// The run, as `POST /api/v1/redeem` has answered.
    run: String,
    /// The word that it has answered.
    word: String,
}

/// Something that has begun.
#[derive(Serialize, JsonSchema)]
struct PhaseView {
    at_ms: i64,
    message: String,
}

/// How a redemption goes.
#[derive(Serialize, JsonSchema)]
struct ProgressView {
    #[schemars(with = "String")]
    state: RunState,
    /// Whether it is over, well or not.
    ended: bool,
    /// What has begun, in its order; the last one is under way.
    phases: Vec<PhaseView>,
    begun_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at_ms: Option<i64>,
    /// The organisation that is made.
    organisation: String,
    /// How people call it; empty, if nobody has said so.
    title: String,
    /// Where its letters go.
    email: String,
    /// Its first environment, once all is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    /// The name of that environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<String>,
    /// Where the first app is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// What was credited, in the currency's smallest unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<i64>,
    /// ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    /// Whether a letter went out.
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<bool>,
    /// Why it didn't become what it was to be. The rest is its issuer's business.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    problem: Option<Code>,
    /// How whoever issued the voucher looks.
    from: Look,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/redeem/progress", "vouchers", "Look how a redemption goes")
            .describe(
                "For whoever has begun it, with the run and the word that they were answered. Phases are what the workflow says of \
                 its progress; at the end there is where the first app is reached.",
            )
            .access(Access::Public)
            .from_any_page()
            .body::<ProgressBody>()
            .body_bytes(BODY_BYTES)
            .answers::<ProgressView>(200)
            .problems(&[Code::InvalidInput, Code::NotFound, Code::TooManyRequests])
            .handle(progress),
    ]
}

/// The word that opens a redemption's progress. Nothing is kept of it: the key makes it anew.
pub(super) fn word(engine: &windlass_engine::Engine, sealing: &dyn Sealing, run: &str) -> Result<String, Problem> {
    Ok(Hasher::of(engine, sealing)?.hash("progress", run))
}

/// The run that the word opens. Whatever is wrong, the answer is the same.
fn opened(request: &Request, body: &ProgressBody) -> Result<RunRecord, Problem> {
    let (engine, sealing) = (&request.api.engine, &*request.api.secrets);
    let (throttle, now) = (&request.api.redeeming, Instant::now());
    throttle.refuse(request.address, now)?;
    let none = || {
        throttle.missed(request.address, now);
        Problem::new(Code::NotFound, "there is no such redemption")
            .help("follow the link that you were given when it began")
    };
    let id = RunId::from(body.run.as_str());
    let fits = secret::same(&word(engine, &sealing, &body.run)?, &body.word);
    let run = if fits { engine.run(&id)? } else { None };
    run.filter(|run| run.workflow == WORKFLOW).ok_or_else(none)
}

fn progress(request: Request) -> Result<Answer, Problem> {
    let body: ProgressBody = request.json()?;
    let run = opened(&request, &body)?;
    let engine = &request.api.engine;
    let mut phases: Vec<PhaseView> = Vec::new();
    for event in engine.events(&run.id, 0, EVENTS)? {
        let said = event.data["message"].as_str().filter(|_| event.kind == EventKind::Progress);
        if let Some(message) = said
            && phases.last().is_none_or(|last| last.message != message)
        {
            phases.push(PhaseView { at_ms: event.at_ms, message: message.to_owned() });
        }
    }
    let older = phases.len().saturating_sub(PHASES);
    let phases = phases.split_off(older);
    let output = run.output.clone().unwrap_or_default();
    let text = |name: &str| output[name].as_str().map(str::to_owned);
    let given = |name: &str| run.input[name].as_str().unwrap_or_default().to_owned();
    Answer::json(&ProgressView {
        state: run.state,
        ended: run.state.is_ended(),
        phases,
        begun_at_ms: run.launched_at_ms,
        ended_at_ms: run.ended_at_ms,
        organisation: given("organisation"),
        title: given("title"),
        email: given("owner_email"),
        environment: text("environment"),
        domain: text("domain"),
        address: text("address"),
        amount: output["amount"].as_i64(),
        currency: text("currency"),
        told: output["told"].as_bool(),
        problem: run.problem.as_ref().map(|problem| problem.code),
        from: look::of(engine, &run.organisation)?,
    })
}
