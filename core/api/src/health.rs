//! Whether the server lives, whether it can serve, and what it is.

use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use windlass_model::{Code, Problem};

use crate::{Access, Answer, Request, Route};

/// What the server is.
#[derive(Serialize, JsonSchema)]
struct Version {
    /// The program's name.
    name: &'static str,
    /// Its version.
    version: String,
    /// Version of the API.
    api: &'static str,
    /// What stands in for something real beside a server that is only tried: “Hetzner Cloud”. What is made there is nowhere else.
    simulated: Vec<String>,
}

/// Whether the server can serve.
#[derive(Serialize, JsonSchema)]
struct Readiness {
    /// Whether all of the checks hold.
    ready: bool,
    /// What was looked at.
    checks: Vec<Check>,
}

/// One thing that has to be so.
#[derive(Serialize, JsonSchema)]
struct Check {
    /// What was looked at: `database`, `schema`, `executes`, `stopping`.
    name: &'static str,
    /// Whether it is as it has to be.
    ok: bool,
    /// What was found.
    reason: String,
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/livez", "operations", "Whether the process answers at all")
            .access(Access::Public)
            .answers_raw(200, "text/plain; charset=utf-8")
            .handle(|_| Ok(Answer::bytes("text/plain; charset=utf-8", "ok\n"))),
        Route::get("/readyz", "operations", "Whether the server can serve, and why not")
            .access(Access::Public)
            .answers::<Readiness>(200)
            .answers::<Readiness>(503)
            .handle(ready),
        Route::get("/api/v1/version", "operations", "What the server is")
            .access(Access::Public)
            .answers::<Version>(200)
            .problems(&[Code::InvalidInput])
            .handle(version),
    ]
}

fn version(request: Request) -> Result<Answer, Problem> {
    let config = &request.api.config;
    let (version, simulated) = (config.version.clone(), config.simulated.clone());
    Answer::json(&Version { name: "windlass", version, api: "v1", simulated })
}

// Anybody may ask: so what is wrong is told in words of ours, and never in the database's, which may name hosts.
fn ready(request: Request) -> Result<Answer, Problem> {
    let engine = &request.api.engine;
    let check = |name, ok: bool, good: &str, bad: &str| {
        let reason = if ok { good } else { bad };
        Check { name, ok, reason: reason.to_owned() }
    };
    let pending = engine.pending_migrations();
    let checks = vec![
        check("database", engine.queue_age_ms().is_ok(), "answers", "doesn't answer"),
        check(
            "schema",
            pending.is_ok_and(|pending| pending.is_empty()),
            "is this program's",
            "isn't this program's: `windlass migrate`",
        ),
        check("executes", engine.executes(), "this process executes runs", "this process executes no runs"),
        check("stopping", !*request.api.stopping().borrow(), "no", "the server is about to stop"),
    ];
    let ready = checks.iter().all(|check| check.ok);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Answer::with_json(status, &Readiness { ready, checks })
}
