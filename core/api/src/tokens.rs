//! API tokens: issued, listed, revoked. The token itself is told once, when it is issued.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_model::{Code, Problem, document::DocumentFilter};

use crate::{
    Access, Answer, Permission, Request, Route,
    auth::{
        self,
        access::Proof,
        binding::{Binding, shared},
        kept::{Token, now_ms},
        tokens::{self, NewToken},
    },
    page::{self, Page},
};

/// A token, without what makes it one.
#[derive(Serialize, JsonSchema)]
struct TokenView {
    /// Its id; the token begins with `wl_` and it.
    id: String,
    /// What people call it.
    name: String,
    /// Whose.
    user: String,
    /// What it may do at most; never more than its user.
    bindings: Vec<Binding>,
    /// When it was issued.
    created_at_ms: i64,
    /// When it was last used, to the minute.
    used_at_ms: Option<i64>,
    /// When it ends.
    expires_at_ms: Option<i64>,
}

/// A token that was issued just now.
#[derive(Serialize, JsonSchema)]
struct TokenIssued {
    /// The token: `Authorization: Bearer <token>`. It is told only now.
    token: String,
    /// The rest.
    #[serde(flatten)]
    view: TokenView,
}

/// A token to be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    /// What people call it.
    name: String,
    /// What it is to be allowed; what you don't hold is left out. None: all that you hold.
    #[serde(default)]
    bindings: Vec<Binding>,
    /// When it ends: at most a year from now, 90 days if nothing is said.
    expires_at_ms: Option<i64>,
}

/// Which tokens.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TokensQuery {
    /// Of everybody in organisations that you manage, not only your own.
    all: Option<bool>,
    /// Tokens on a page, 1 to 500.
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
}

const DAY_MS: i64 = 24 * 3_600_000;
/// Tokens that one user has at most.
const MOST: usize = 200;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/tokens", "tokens", "List tokens")
            .access(Access::Known)
            .query::<TokensQuery>()
            .answers::<Page<TokenView>>(200)
            .problems(&[Code::InvalidInput])
            .handle(list),
        Route::post("/api/v1/tokens", "tokens", "Issue a token")
            .access(Access::Known)
            .body::<TokenRequest>()
            .answers::<TokenIssued>(201)
            .problems(&[Code::InvalidInput, Code::PermissionDenied, Code::LimitExceeded])
            .handle(issue),
        Route::get("/api/v1/tokens/{id}", "tokens", "Show a token")
            .access(Access::Known)
            .answers::<TokenView>(200)
            .problems(&[Code::NotFound])
            .handle(show),
        Route::delete("/api/v1/tokens/{id}", "tokens", "Revoke a token")
            .access(Access::Known)
            .answers_nothing()
            .problems(&[Code::NotFound])
            .handle(revoke),
    ]
}

fn view(token: &Token) -> TokenView {
    TokenView {
        id: token.id.clone(),
        name: token.body.name.clone(),
        user: token.body.user.clone(),
        bindings: token.body.bindings.clone(),
        created_at_ms: token.created_at_ms,
        used_at_ms: token.body.used_at_ms,
        expires_at_ms: token.expires_at_ms,
    }
}

fn list(request: Request) -> Result<Answer, Problem> {
    let query: TokensQuery = request.query()?;
    let limit = page::limit(query.limit);
    let own = request.principal.person();
    let organisations = match query.all {
        Some(true) => request.principal.organisations(Permission::Manage),
        _ => None,
    };
    let all = query.all == Some(true);
    let filter = DocumentFilter { organisations, after: query.cursor, ..DocumentFilter::default() };
    let fits = |token: &Token| all || token.body.user == own;
    let mut tokens = Token::all(&request.api.engine, &filter, fits)?;
    tokens.truncate(limit as usize + 1);
    Answer::json(&Page::of(tokens.iter().map(view).collect(), limit, |token: &TokenView| token.id.clone()))
}

fn issue(request: Request) -> Result<Answer, Problem> {
    let body: TokenRequest = request.json()?;
    let engine = &request.api.engine;
    let user = request.principal.person().to_owned();
    let held = auth::held(&request.principal);
    let bindings = if body.bindings.is_empty() { held } else { shared(&body.bindings, &held) };
    if bindings.is_empty() {
        return Err(Problem::new(Code::PermissionDenied, "you hold nothing of what the token is to be allowed")
            .help("GET /api/v1/session tells what you hold"));
    }
    let now = now_ms();
    let mut expires_at_ms = body.expires_at_ms.unwrap_or(now + 90 * DAY_MS);
    if expires_at_ms > now + 366 * DAY_MS {
        return Err(Problem::new(Code::InvalidInput, "a token ends after a year at most")
            .data(serde_json::json!({ "pointer": "/expires_at_ms" })));
    }
    // A token can't outlive itself through another one.
    if let Proof::Token(id) = &request.principal.proof
        && let Some(end) = Token::require(engine, id)?.expires_at_ms
    {
        expires_at_ms = expires_at_ms.min(end);
    }
    if Token::all(engine, &DocumentFilter::default(), |token| token.body.user == user)?.len() >= MOST {
        return Err(Problem::new(Code::LimitExceeded, format!("you have {MOST} tokens already"))
            .help("revoke those that aren't used any more"));
    }
    let new = NewToken { name: body.name, user, bindings, expires_at_ms: Some(expires_at_ms) };
    let issued = tokens::issue_by(engine, &auth::by(&request), new)?;
    let token = Token::require(engine, &issued.id)?;
    let location = format!("/api/v1/tokens/{}", token.id);
    Answer::created(&location, &TokenIssued { token: issued.token, view: view(&token) })
}

/// One's own token, or one of somebody in an organisation that one manages.
fn found(request: &Request) -> Result<Token, Problem> {
    let token = Token::find(&request.api.engine, request.parameter("id"))?;
    let own = request.principal.person();
    token
        .filter(|token| token.body.user == own || request.may(Permission::Manage, &token.organisation, "*"))
        .ok_or_else(|| Problem::new(Code::NotFound, "there is no such token"))
}

fn show(request: Request) -> Result<Answer, Problem> {
    Answer::json(&view(&found(&request)?))
}

fn revoke(request: Request) -> Result<Answer, Problem> {
    let token = found(&request)?;
    tokens::revoke(&request.api.engine, &auth::by(&request), &token)?;
    request.api.auth.forget();
    Ok(Answer::nothing())
}
