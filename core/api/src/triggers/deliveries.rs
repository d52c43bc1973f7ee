//! Deliveries: what other systems send to a webhook does its work once, if it is signed.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use windlass_model::{Code, Problem, document::Expected};

use super::{
    act::Actor,
    kept::{Action, DeliveryBody, Launched, OutcomeBody, Scheme, Webhook},
    rules, signature, template,
    webhooks::{context, wrong},
};
use crate::{
    Access, Answer, Api, Request, Route,
    auth::kept::{Kept, now_ms},
    route::Parameters,
};

const DAY_MS: i64 = 24 * 3_600_000;
/// Bytes of a tag or an id that is filled in, at most.
const WORD_BYTES: usize = 4 << 10;

/// What a delivery has done.
#[derive(Serialize, JsonSchema)]
pub struct DeliveredView {
    /// The run that it launched or signalled.
    run: String,
    /// Whether the run was there already: the same delivery arrived before.
    existing: bool,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/hooks/{id}", "webhooks", "Deliver to a webhook")
            .describe(
                "For other systems: no token is asked for, but a signature of the body with the webhook's key. The same delivery \
                 (`webhook-id`, or for GitHub's scheme the same body) does its work once, however often it is sent within 7 \
                 days (GitHub's scheme: 30). 401 is all that whoever can't sign gets to know.",
            )
            .access(Access::Signed)
            .headers(&[
                ("webhook-id", "The delivery's id (Standard Webhooks)"),
                ("webhook-timestamp", "When it was signed, seconds since 1970 (Standard Webhooks)"),
                ("webhook-signature", "`v1,<base64>` of HMAC-SHA256 over id, time and body (Standard Webhooks)"),
                ("X-Hub-Signature-256", "`sha256=<hex>` of HMAC-SHA256 over the body (GitHub)"),
            ])
            .raw_body("*/*")
            .body_bytes(1 << 20)
            .answers::<DeliveredView>(201)
            .answers::<DeliveredView>(200)
            .problems(&[
                Code::Unauthenticated,
                Code::InvalidInput,
                Code::WorkflowNotFound,
                Code::WorkflowInvalid,
                Code::RunNotFound,
                Code::PermissionDenied,
                Code::Conflict,
                Code::IdempotencyConflict,
                Code::LimitExceeded,
            ])
            .first(|api, parameters| found(api, parameter(parameters)).map(drop))
            .handle(deliver),
    ]
}

fn parameter(parameters: &Parameters) -> &str {
    parameters.iter().find(|(name, _)| *name == "id").map_or("", |(_, id)| id)
}

fn refused() -> Problem {
    Problem::new(Code::Unauthenticated, "there is no such webhook, or the delivery isn't signed with its key")
        .help("is the body signed as it is sent, byte by byte, and is the sender's clock right?")
}

/// The webhook, unless it is paused.
fn found(api: &Api, id: &str) -> Result<Webhook, Problem> {
    Webhook::find(&api.engine, id)?.filter(|webhook| !webhook.body.about.paused).ok_or_else(refused)
}

/// One delivery. Until its signature is found to be right, nothing is told and nothing is written.
fn deliver(request: Request) -> Result<Answer, Problem> {
    let engine = &request.api.engine;
    let webhook = found(&request.api, request.parameter("id"))?;
    let now = now_ms();
    let open = webhook.body.keys.iter().filter(|key| key.until_ms.is_none_or(|until| until > now));
    let open = open.map(|key| request.api.secrets.unseal(&context(&webhook.id), &key.sealed));
    let keys: Vec<Vec<u8>> =
        open.filter_map(|key| key.ok().and_then(|key| signature::bytes(webhook.body.scheme, &key))).collect();
    let scheme = webhook.body.scheme;
    let id = signature::verify(scheme, &keys, &request.headers, &request.body, now, webhook.body.window_ms).map_err(
        |why| {
            tracing::info!(webhook = webhook.body.about.name, why, "a delivery was refused");
            refused()
        },
    )?;
    let done = act(&request, &webhook, &id);
    let mut outcome: Kept<OutcomeBody> = Kept::find(engine, &webhook.id)?
        .unwrap_or_else(|| Kept::new(&webhook.id, &webhook.organisation, OutcomeBody::default()));
    match &done {
        Ok(done) => {
            outcome.body.last = Some(Launched { at_ms: now, launched_at_ms: now_ms(), run: Some(done.run.clone()) });
        }
        Err(problem) => outcome.body.error = Some(super::act::failure(problem)),
    }
    if let Err(problem) = engine.change(vec![outcome.put_expecting(Expected::Any)?]) {
        tracing::warn!(%problem, "what became of a delivery wasn't written down");
    }
    let done = done?;
    match done.existing {
        true => Answer::json(&done),
        false => Answer::created(&format!("/api/v1/runs/{}", done.run), &done),
    }
}

/// How long a delivery is known. Senders of Standard Webhooks try for some days, and what is older than the window is refused;
/// GitHub's scheme signs no time.
const fn known_ms(scheme: Scheme) -> i64 {
    match scheme {
        Scheme::Standard => 7 * DAY_MS,
        Scheme::Github => 30 * DAY_MS,
    }
}

/// What stands for a delivery once it has done its work.
fn note(webhook: &Webhook, delivery: &str, body: &[u8]) -> Kept<DeliveryBody> {
    let id = format!("{}:{}", webhook.id, blake3::hash(delivery.as_bytes()).to_hex());
    let body = DeliveryBody { run: None, digest: blake3::hash(body).to_hex().to_string() };
    Kept::new(&id, &webhook.organisation, body)
}

/// What the same delivery did before.
fn before(request: &Request, note: &Kept<DeliveryBody>) -> Result<Option<DeliveredView>, Problem> {
    match Kept::<DeliveryBody>::find(&request.api.engine, &note.id)?.map(|found| found.body) {
        None => Ok(None),
        Some(found) if found.digest != note.body.digest => Err(Problem::new(Code::IdempotencyConflict, ANOTHER)),
        Some(found) => Ok(Some(DeliveredView { run: found.run.unwrap_or_default(), existing: true })),
    }
}

const ANOTHER: &str = "a delivery with this id, but another content, came before";

fn act(request: &Request, webhook: &Webhook, id: &str) -> Result<DeliveredView, Problem> {
    let actor = Actor::of(&request.api.engine, webhook)?;
    let mut note = note(webhook, id, &request.body);
    note.expires_at_ms = Some(request.api.engine.now_ms() + known_ms(webhook.body.scheme));
    if let Some(done) = before(request, &note)? {
        return Ok(done);
    }
    match acted(request, webhook, id, actor, &mut note) {
        // Perhaps it is done just now, by the same delivery.
        Err(problem) if problem.code == Code::Conflict => before(request, &note)?.ok_or(problem),
        other => other,
    }
}

/// The work, and in the same commit the note that it is done.
fn acted(
    request: &Request,
    webhook: &Webhook,
    id: &str,
    actor: Actor,
    note: &mut Kept<DeliveryBody>,
) -> Result<DeliveredView, Problem> {
    let body = match request.body.is_empty() {
        true => Value::Null,
        // Not as our own bodies are read: others may well send lists.
        false => serde_json::from_slice(&request.body)
            .map_err(|error| Problem::new(Code::InvalidInput, format!("the body can't be read as JSON: {error}")))?,
    };
    let limit = request.api.engine.input_bytes();
    let mut context = json!({ "id": id, "headers": told(&request.headers) });
    // It may be large: moved, and not copied.
    context["body"] = body;
    let text = |template: &str, pointer: &str| match template::fill(&template.into(), &context, pointer, WORD_BYTES)? {
        Value::String(text) => Ok(text),
        Value::Null => Err(wrong(pointer, "nothing is there")),
        other => Ok(other.to_string()),
    };
    match &webhook.body.action {
        Action::Launch { workflow, input, tags } => {
            let input = template::fill(input, &context, "/action/input", limit)?;
            let tags = tags.iter().enumerate().map(|(index, tag)| text(tag, &format!("/action/tags/{index}")));
            let tags = tags.collect::<Result<Vec<_>, _>>()?;
            rules::checked_tags(&tags, "/action/tags")?;
            let launched = actor.noting(note.put()?).launch(id, workflow, input, tags)?;
            let launched = launched.ok_or_else(|| Problem::new(Code::IdempotencyConflict, ANOTHER))?;
            Ok(DeliveredView { run: launched.run.to_string(), existing: launched.existing })
        }
        Action::Signal { workflow, run, tag, signal, payload } => {
            let run = match (run, tag) {
                (Some(run), _) => actor.run(&text(run, "/action/run")?, workflow)?,
                (None, tag) => actor.tagged(&text(tag.as_deref().unwrap_or_default(), "/action/tag")?, workflow)?,
            };
            let payload = template::fill(payload, &context, "/action/payload", limit)?;
            note.body.run = Some(run.id.to_string());
            actor.noting(note.put()?).signal(&run, signal, payload, id)?;
            Ok(DeliveredView { run: run.id.to_string(), existing: true })
        }
    }
}

/// Headers that inputs may take from: none that prove anything.
fn told(headers: &http::HeaderMap) -> Value {
    let secret = [
        "authorization",
        "cookie",
        "proxy-authorization",
        "webhook-signature",
        "x-hub-signature-256",
        "x-hub-signature",
    ];
    let all = headers.iter().filter(|(name, _)| !secret.contains(&name.as_str()));
    all.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.into())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
