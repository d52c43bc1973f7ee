//! What anybody may do with a code: look what it is worth, and redeem it. And what other Sovereigns ask.

use std::time::Instant;

use http::{HeaderName, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_engine::Launch;
use windlass_model::{
    Code, Problem,
    voucher::{Closed, VoucherRecord},
};

use super::{office::Office, progress, settle};
use crate::{
    Access, Answer, Request, Route,
    auth::{
        kept::{Organisation, PLATFORM},
        users::{checked_email, checked_name},
    },
    organisations::{
        look::{self, Look},
        quota, tree,
    },
    runs,
};

/// The workflow that a redemption launches.
pub(super) const WORKFLOW: &str = "franchise/redeem";
/// Who launches it.
const BY: &str = "redeem";
/// Bytes of a request, at most.
const BODY_BYTES: usize = 16 << 10;
/// Bytes of a title, at most.
const TITLE_BYTES: usize = 200;
/// Characters of an idempotency key, at most.
const KEY_CHARS: usize = 100;

/// What a code is worth.
#[derive(Serialize, JsonSchema)]
struct PreviewView {
    /// In the currency's smallest unit.
    credit: i64,
    /// ISO 4217.
    currency: String,
    description: String,
    /// What it can be redeemed for; empty: for anything.
    products: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at_ms: Option<i64>,
    /// How whoever issued it looks.
    from: Look,
}

/// Who redeems a code. What is made for them is the issuer's affair: see `vouchers.offer` in the configuration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RedeemBody {
    /// The code, or a voucher that another Sovereign has signed.
    code: String,
    /// The name of the organisation to be: letters, digits and `._-`; never changes.
    organisation: String,
    /// How people call it.
    #[serde(default)]
    title: String,
    /// Who is told, and looks after the organisation.
    email: String,
    /// What the credit is for, if the voucher is for certain products.
    product: Option<String>,
    /// The name of their first environment; if none is named, the workflow's own.
    environment: Option<String>,
}

/// A redemption that was begun.
#[derive(Serialize, JsonSchema)]
struct BegunView {
    /// The run that does it; whoever issued the voucher can see it.
    run: String,
    /// Opens `POST /api/v1/redeem/progress` for this run.
    word: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/redeem/{code}", "vouchers", "Look what a code is worth")
            .describe(
                "404: there is no such code, or it is mistyped. 410: it was redeemed as often as it may be, has expired, or was \
                 taken back (`data.reason`). Each address may ask some times a minute, and all together some more.",
            )
            .access(Access::Public)
            .answers::<PreviewView>(200)
            .problems(&[Code::NotFound, Code::Gone, Code::TooManyRequests])
            .handle(preview),
        Route::post("/api/v1/redeem", "vouchers", "Redeem a code")
            .describe(
                "Launches `franchise/redeem` for whoever issued the voucher: an organisation and an environment, a name and a \
                 first app where the server's configuration offers them (`vouchers.offer`), and a mail to the customer. Counts \
                 like a look at the code. 409: there is an organisation of this name.",
            )
            .access(Access::Public)
            .from_any_page()
            .headers(&[("Idempotency-Key", "A second request with this key gives the same run")])
            .body::<RedeemBody>()
            .body_bytes(BODY_BYTES)
            .answers::<BegunView>(202)
            .problems(&[
                Code::InvalidInput,
                Code::NotFound,
                Code::Gone,
                Code::TooManyRequests,
                Code::IdempotencyConflict,
                Code::Conflict,
                Code::LimitExceeded,
                Code::WorkflowNotFound,
            ])
            .handle(redeem),
        Route::post(settle::PATH, "vouchers", "Ask for what was redeemed of this Sovereign's vouchers")
            .describe(
                "What another Sovereign sends that is trusted here: its key's id in `X-Windlass-Key`, the signature of the body in \
                 `X-Windlass-Signature`. Each claim is judged once; asked again, the answer is the same. It is signed, too.",
            )
            .access(Access::Signed)
            .headers(&[
                (settle::KEY, "Id of the key that has signed the body"),
                (settle::SIGNATURE, "Ed25519, base64url, over the words “windlass claims 1”, a line feed and the body"),
            ])
            .body::<Value>()
            .body_bytes(settle::BODY_BYTES)
            .answers::<Value>(200)
            .problems(&[Code::Unauthenticated, Code::InvalidInput, Code::TooManyRequests])
            .handle(claims),
    ]
}

fn gone(closed: Closed) -> Problem {
    let message = match closed {
        Closed::Revoked => "the voucher was taken back by whoever issued it",
        Closed::Expired => "the voucher's time is over",
        Closed::UsedUp => "the voucher was redeemed as often as it may be",
    };
    Problem::new(Code::Gone, message)
        .help("ask whoever gave it to you for another one")
        .data(json!({ "reason": closed }))
}

/// The voucher of a code that somebody has sent, if it can be redeemed.
fn open(request: &Request, code: &str, keep: bool) -> Result<VoucherRecord, Problem> {
    let throttle = &request.api.redeeming;
    throttle.attempt(request.address, Instant::now())?;
    let (engine, sealing) = (&request.api.engine, &*request.api.secrets);
    let office = Office::new(engine, &sealing);
    let found = if keep { office.present(code) } else { office.preview(code) };
    let voucher = found.inspect_err(|problem| {
        if problem.code == Code::NotFound {
            throttle.missed(request.address, Instant::now());
        }
    })?;
    if let Some(closed) = voucher.closed(engine.now_ms()) {
        return Err(gone(closed));
    }
    match office.has_issuer(&voucher)? {
        true => Ok(voucher),
        false => Err(Problem::new(Code::Gone, "whoever issued the voucher redeems none at the moment")
            .help("ask whoever gave it to you")
            .data(json!({ "reason": "issuer" }))),
    }
}

/// Refuses a name that somebody has. Who sends the same once more may find what they have begun.
fn require_free(request: &Request, name: &str, voucher: &VoucherRecord, again: bool) -> Result<(), Problem> {
    let found = Organisation::find(&request.api.engine, name)?;
    let may_be_theirs = |found: &Organisation| again && tree::parent(found) == Some(voucher.issuer.as_str());
    match found {
        None if name != PLATFORM => Ok(()),
        Some(found) if may_be_theirs(&found) => Ok(()),
        _ => Err(Problem::new(Code::Conflict, format!("there is an organisation `{name}`"))
            .help("choose another name")
            .data(json!({ "pointer": "/organisation" }))),
    }
}

fn preview(request: Request) -> Result<Answer, Problem> {
    let voucher = open(&request, request.parameter("code"), false)?;
    Answer::json(&PreviewView {
        credit: voucher.credit,
        currency: voucher.currency,
        description: voucher.description,
        products: voucher.products.into_keys().collect(),
        expires_at_ms: voucher.expires_at_ms,
        from: look::of(&request.api.engine, &voucher.issuer)?,
    })
}

fn redeem(request: Request) -> Result<Answer, Problem> {
    let body: RedeemBody = request.json()?;
    let organisation = checked_name(&body.organisation)?;
    let email = checked_email(&body.email)?;
    let title = body.title.trim().to_owned();
    if title.len() > TITLE_BYTES || title.contains(char::is_control) {
        let message = format!("a title has at most {TITLE_BYTES} bytes, in one line");
        return Err(Problem::new(Code::InvalidInput, message).data(json!({ "pointer": "/title" })));
    }
    let voucher = open(&request, &body.code, true)?;
    let again = request.header("idempotency-key").is_some();
    require_free(&request, &organisation, &voucher, again)?;
    // Where, and what runs there, isn't the customer's to say: the run may do all that the workflow is granted.
    let mut input = request.api.config.redeem_offer.clone();
    // The id, and never the code: a run's input stands in the database.
    let own = [
        ("voucher", Some(voucher.id.clone())),
        ("organisation", Some(organisation.clone())),
        ("title", Some(title).filter(|title| !title.is_empty())),
        ("owner_email", Some(email)),
        ("product", body.product),
    ];
    for (name, value) in own {
        if let Some(value) = value {
            input.insert(name.to_owned(), value.into());
        } else {
            input.remove(name);
        }
    }
    if let Some(environment) = body.environment {
        input.insert("environment".to_owned(), environment.into());
    }
    let idempotency_key = request.header("idempotency-key").map(|key| {
        let key = key.trim();
        match (1..=KEY_CHARS).contains(&key.len()) {
            true => Ok(format!("redeem/{}/{key}", voucher.id)),
            false => {
                Err(Problem::new(Code::InvalidInput, format!("an idempotency key has 1 to {KEY_CHARS} characters")))
            }
        }
    });
    let launch = Launch {
        workflow: WORKFLOW.into(),
        input: Value::Object(input),
        by: BY.into(),
        idempotency_key: idempotency_key.transpose()?,
        tags: vec![format!("voucher:{}", voucher.id)],
        organisation: voucher.issuer.clone(),
        priority: None,
    };
    let after = json!({ "voucher": voucher.id, "organisation": organisation });
    let audited = request.audited("voucher.redeem", &voucher.issuer, "", Value::Null, after);
    // Nobody's permission is asked for: the voucher is it. What its issuer may have at most holds all the same.
    let launched = quota::launching(&request.api.engine, &voucher.issuer, |guards| {
        runs::with(&audited, guards).launch(launch.clone())
    });
    let launched = launched.map_err(|problem| match problem.code {
        // How much an issuer may have is nobody else's business.
        Code::LimitExceeded if problem.data["quota"].is_string() => {
            Problem::new(Code::LimitExceeded, "whoever issued the voucher can't take more customers at the moment")
                .help("try again later, or ask whoever gave it to you")
        }
        _ => problem,
    })?;
    let (run, sealing) = (launched.run.to_string(), &*request.api.secrets);
    let word = progress::word(&request.api.engine, &sealing, &run)?;
    Answer::with_json(StatusCode::ACCEPTED, &BegunView { run, word })
}

fn claims(request: Request) -> Result<Answer, Problem> {
    let (engine, sealing) = (&request.api.engine, &*request.api.secrets);
    let (kid, signature) = (request.header(settle::KEY).unwrap_or_default(), request.header(settle::SIGNATURE));
    let (throttle, now) = (&request.api.claiming, Instant::now());
    throttle.refuse(request.address, now)?;
    let judged = Office::new(engine, &sealing).judge(kid, signature.unwrap_or_default(), &request.body);
    let (answer, signature) = judged.inspect_err(|problem| {
        if problem.code == Code::Unauthenticated {
            throttle.missed(request.address, now);
        }
    })?;
    let signed = HeaderName::from_static(settle::SIGNATURE);
    Ok(Answer::bytes("application/json", answer).header(signed, &signature))
}
