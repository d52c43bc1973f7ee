//! Log-in through an OpenID provider: the way there, and the way back.

use http::{StatusCode, header};
use schemars::JsonSchema;
use serde::Deserialize;
use windlass_model::{Code, Problem};

use crate::{
    Access, Answer, Request, Route,
    auth::{self, kept::now_ms},
};

/// What the provider sends back with the browser. Providers add what they like.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Arrival {
    /// To be exchanged for tokens.
    code: Option<String>,
    /// What was sent along.
    state: Option<String>,
    /// Why there is no code.
    error: Option<String>,
    /// Who sends this.
    iss: Option<String>,
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/session/oidc", "session", "Names of the OpenID providers that log in")
            .access(Access::Public)
            .answers::<Vec<String>>(200)
            .handle(|request| Answer::json(&request.api.auth.oidc.names())),
        Route::get("/api/v1/session/oidc/{provider}", "session", "Log in through an OpenID provider")
            .describe("For browsers: leads to the provider's page.")
            .access(Access::Public)
            .answers_raw(303, "")
            .problems(&[Code::NotFound, Code::Unavailable])
            .stream(depart),
        Route::get(
            "/api/v1/session/oidc/{provider}/callback",
            "session",
            "Where the provider sends the browser back to",
        )
        .access(Access::Public)
        .query::<Arrival>()
        .answers_raw(200, "text/html; charset=utf-8")
        .problems(&[
            Code::InvalidInput,
            Code::NotFound,
            Code::Unauthenticated,
            Code::PermissionDenied,
            Code::Conflict,
            Code::Unavailable,
        ])
        .stream(arrive),
    ]
}

fn callback(request: &Request, provider: &str) -> String {
    format!("{}/api/v1/session/oidc/{provider}/callback", request.api.config.public_url.trim_end_matches('/'))
}

async fn depart(request: Request) -> Result<Answer, Problem> {
    let provider = request.parameter("provider");
    let (api, callback) = (&request.api, callback(&request, provider));
    let departure = api.auth.oidc.depart(provider, &callback, api.secrets.clone()).await?;
    let cookie = auth::way_cookie(&api.config.public_url, &departure.sealed, 600);
    let answer = Answer::nothing().status(StatusCode::SEE_OTHER);
    Ok(answer.header(header::LOCATION, &departure.location).header(header::SET_COOKIE, &cookie))
}

async fn arrive(request: Request) -> Result<Answer, Problem> {
    let (api, address) = (request.api.clone(), request.address);
    let arrived = come_back(request).await;
    if arrived.as_ref().is_err_and(|problem| matches!(problem.code, Code::Unauthenticated | Code::PermissionDenied)) {
        api.auth.refused(auth::How::Oidc, None, address);
    }
    arrived
}

async fn come_back(request: Request) -> Result<Answer, Problem> {
    let query: Arrival = request.query()?;
    let provider = request.parameter("provider").to_owned();
    let api = request.api.clone();
    let config = api.auth.oidc.provider(&provider)?;
    let refused = |why: String| Problem::new(Code::Unauthenticated, format!("the log-in didn't succeed: {why}"));
    if let Some(error) = query.error {
        return Err(refused(format!("the provider says `{}`", error.chars().take(100).collect::<String>())));
    }
    // Another provider's answer isn't taken for this one's.
    if query.iss.is_some_and(|issuer| issuer != config.issuer) {
        return Err(refused("it comes from another provider".into()));
    }
    let (Some(code), Some(state)) = (query.code, query.state) else {
        return Err(refused("the provider sent no code".into()));
    };
    let sealed = auth::way_of(&request.api.config.public_url, &request.headers)
        .ok_or_else(|| refused("this browser hasn't begun it".into()))?;
    let callback = callback(&request, &provider);
    let claims = api.auth.oidc.arrive(&provider, &callback, (&code, &state), &sealed, api.secrets.clone()).await?;
    let opened = {
        let (api, address, provider) = (api.clone(), request.address, provider.clone());
        let agent = request.header("user-agent").unwrap_or_default().to_owned();
        let task = tokio::task::spawn_blocking(move || {
            let user = claims.user(&api.engine, &provider, api.auth.oidc.provider(&provider)?, &address.to_string())?;
            api.auth.forget();
            api.auth.open_session(&api.engine, &user, address, &agent, &format!("oidc:{provider}"))
        });
        task.await.map_err(|error| Problem::new(Code::Internal, format!("a task broke down: {error}")))??
    };
    let seconds = opened.session.expires_at_ms.map_or(0, |end| (end - now_ms()) / 1_000);
    let url = &api.config.public_url;
    // A redirect would still count as coming from the provider, and the strict cookie wouldn't be sent: a page leads on.
    let page = "<!doctype html><meta http-equiv=\"refresh\" content=\"0; url=/\"><title>Windlass</title>\
                <a href=\"/\">You are logged in</a>";
    Ok(Answer::bytes("text/html; charset=utf-8", page)
        .header(header::SET_COOKIE, &auth::set_cookie(url, &opened.cookie, seconds))
        .header(header::SET_COOKIE, &auth::way_cookie(url, "", 0)))
}
