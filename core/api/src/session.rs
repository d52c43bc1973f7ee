//! One's own session: logging in and out, who one is, one's password and second factor, and sessions elsewhere.

use http::header;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_model::{Code, Problem};

use crate::{
    Access, Answer, Permission, Request, Route,
    auth::{
        self, Credentials,
        access::Proof,
        binding::Binding,
        kept::{Session, User, UserBody, now_ms},
        totp, users,
    },
};

/// What somebody logs in with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LogIn {
    /// Name or e-mail address.
    name: String,
    /// Password.
    password: String,
    /// Code of the second factor, if there is one: six digits, or a recovery code.
    code: Option<String>,
}

/// A link that somebody was given to come in once, and the password that they choose.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LinkUse {
    /// The word of the link: what stands behind `#link=`.
    token: String,
    /// The password from now on.
    password: String,
}

/// Who one is.
#[derive(Serialize, JsonSchema)]
struct WhoAmI {
    /// Their name; a token's is `user/token`.
    name: String,
    /// The user.
    user: String,
    /// How they proved it: `session` or `token`.
    by: &'static str,
    /// What they may do, and where.
    bindings: Vec<Binding>,
    /// All permissions that they have somewhere.
    permissions: Vec<Permission>,
    /// To be sent as `X-CSRF-Token` with everything that changes something; absent for tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf: Option<String>,
    /// Whether a second factor is asked for at log-in.
    totp: bool,
    /// Milliseconds that the server takes for an answer at most: of whoever was silent for longer nothing will come.
    request_ms: u64,
}

/// A session.
#[derive(Serialize, JsonSchema)]
struct SessionView {
    /// Its id.
    id: String,
    /// Whether it is this one.
    current: bool,
    /// When it was opened.
    created_at_ms: i64,
    /// When it was last used, to the minute.
    seen_at_ms: i64,
    /// When it ends at the latest.
    expires_at_ms: Option<i64>,
    /// From where it was opened.
    address: String,
    /// What the browser calls itself.
    agent: String,
}

/// A new password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// The present one.
    current: String,
    /// The new one.
    password: String,
}

/// The present password, once more.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PasswordAgain {
    /// The present password.
    current: String,
}

/// A code of the second factor.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TotpCode {
    /// Six digits from the app.
    code: String,
}

/// A second factor that waits for its first code. Told once.
#[derive(Serialize, JsonSchema)]
struct TotpEnrolled {
    /// The seed for the app, base32.
    seed: String,
    /// The same for a QR code.
    uri: String,
    /// Codes for the day when the phone is gone; each works once.
    recovery: Vec<String>,
}

/// Bytes of a body with a name and passwords: anybody may send one.
const CREDENTIALS: usize = 16 << 10;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/session", "session", "Log in")
            .describe("The answer sets the session's cookie. Programs use tokens instead.")
            .access(Access::Public)
            .body::<LogIn>()
            .body_bytes(CREDENTIALS)
            .answers::<WhoAmI>(200)
            .problems(&[Code::InvalidInput, Code::Unauthenticated, Code::TooManyRequests])
            .handle(log_in),
        Route::post("/api/v1/session/link", "session", "Come in once by a link, and choose a password")
            .describe("The link is one of `windlass seed`. It works once; sessions that were opened before end.")
            .access(Access::Public)
            .body::<LinkUse>()
            .body_bytes(CREDENTIALS)
            .answers::<WhoAmI>(200)
            .problems(&[Code::InvalidInput, Code::Unauthenticated, Code::TooManyRequests])
            .handle(come_in),
        Route::get("/api/v1/session", "session", "Who one is, and what one may do")
            .access(Access::Known)
            .answers::<WhoAmI>(200)
            .handle(show),
        Route::delete("/api/v1/session", "session", "Log out")
            .access(Access::Known)
            .answers_nothing()
            .problems(&[Code::PermissionDenied])
            .handle(log_out),
        Route::put("/api/v1/session/password", "session", "Change one's password")
            .describe("Ends all of one's other sessions.")
            .access(Access::Known)
            .body::<PasswordChange>()
            .body_bytes(CREDENTIALS)
            .answers_nothing()
            .problems(&[Code::InvalidInput, Code::PermissionDenied, Code::Conflict, Code::TooManyRequests])
            .handle(change_password),
        Route::post("/api/v1/session/totp", "session", "Begin to use a second factor")
            .describe("It is asked for once its first code was confirmed.")
            .access(Access::Known)
            .body::<PasswordAgain>()
            .body_bytes(CREDENTIALS)
            .answers::<TotpEnrolled>(200)
            .problems(&[Code::InvalidInput, Code::PermissionDenied, Code::Conflict, Code::TooManyRequests])
            .handle(enrol),
        Route::put("/api/v1/session/totp", "session", "Confirm the second factor with its first code")
            .access(Access::Known)
            .body::<TotpCode>()
            .body_bytes(CREDENTIALS)
            .answers_nothing()
            .problems(&[Code::InvalidInput, Code::PermissionDenied, Code::Conflict, Code::TooManyRequests])
            .handle(confirm),
        Route::delete("/api/v1/session/totp", "session", "Use no second factor any more")
            .access(Access::Known)
            .body::<PasswordAgain>()
            .body_bytes(CREDENTIALS)
            .answers_nothing()
            .problems(&[Code::InvalidInput, Code::PermissionDenied, Code::Conflict, Code::TooManyRequests])
            .handle(disable),
        Route::get("/api/v1/sessions", "session", "List one's sessions")
            .access(Access::Known)
            .answers::<Vec<SessionView>>(200)
            .problems(&[Code::PermissionDenied])
            .handle(list),
        Route::delete("/api/v1/sessions/{id}", "session", "End one of one's sessions")
            .access(Access::Known)
            .answers_nothing()
            .problems(&[Code::PermissionDenied, Code::NotFound])
            .handle(revoke),
    ]
}

fn log_in(request: Request) -> Result<Answer, Problem> {
    let body: LogIn = request.json()?;
    let api = &request.api;
    let credentials = Credentials { name: &body.name, password: &body.password, code: body.code.as_deref() };
    let agent = request.header("user-agent").unwrap_or_default();
    let opened = api.auth.log_in(&api.engine, &credentials, request.address, agent)?;
    welcome(&request, &opened)
}

fn come_in(request: Request) -> Result<Answer, Problem> {
    let body: LinkUse = request.json()?;
    let agent = request.header("user-agent").unwrap_or_default();
    let given = (body.token.as_str(), body.password.as_str());
    let opened = request.api.auth.log_in_by_link(&request.api.engine, given, request.address, agent)?;
    welcome(&request, &opened)
}

/// The session's cookie, and who one is in it.
fn welcome(request: &Request, opened: &auth::Opened) -> Result<Answer, Problem> {
    let api = &request.api;
    let user = User::require(&api.engine, &opened.session.body.user)?;
    let principal = api.auth.of_session(&api.engine, &opened.session, &user)?;
    let who = who(request, &principal, Some(auth::csrf(&opened.cookie)), &user);
    Ok(Answer::json(&who)?.header(header::SET_COOKIE, &cookie(request, opened)))
}

fn cookie(request: &Request, opened: &auth::Opened) -> String {
    let seconds = opened.session.expires_at_ms.map_or(0, |end| (end - now_ms()) / 1_000);
    auth::set_cookie(&request.api.config.public_url, &opened.cookie, seconds)
}

fn who(request: &Request, principal: &crate::Principal, csrf: Option<String>, user: &User) -> WhoAmI {
    // An admin has all of them.
    let all = crate::Role::Admin.permissions();
    WhoAmI {
        name: principal.name.clone(),
        user: user.id.clone(),
        by: if matches!(principal.proof, Proof::Token(_)) { "token" } else { "session" },
        bindings: auth::held(principal),
        permissions: all.iter().copied().filter(|permission| principal.may_somewhere(*permission)).collect(),
        csrf,
        totp: users::has_totp(user),
        request_ms: request.api.config.request_ms,
    }
}

fn show(request: Request) -> Result<Answer, Problem> {
    let user = User::require(&request.api.engine, request.principal.person())?;
    let csrf = match request.principal.proof {
        Proof::Session(_) => request.api.auth.csrf_of(&request.headers),
        _ => None,
    };
    Answer::json(&who(&request, &request.principal, csrf, &user))
}

/// The session's id and its user. A token that leaks must not be enough to take the account over.
fn own(request: &Request) -> Result<(String, User), Problem> {
    let Proof::Session(id) = &request.principal.proof else {
        return Err(Problem::new(Code::PermissionDenied, "a token can't do this: it needs a session")
            .help("log in at POST /api/v1/session"));
    };
    Ok((id.clone(), User::require(&request.api.engine, request.principal.person())?))
}

fn log_out(request: Request) -> Result<Answer, Problem> {
    let (id, _) = own(&request)?;
    let session = Session::find(&request.api.engine, &id)?;
    if let Some(session) = session {
        end(&request, &session)?;
    }
    let gone = auth::set_cookie(&request.api.config.public_url, "", 0);
    Ok(Answer::nothing().header(header::SET_COOKIE, &gone))
}

fn end(request: &Request, session: &Session) -> Result<(), Problem> {
    let place = (session.organisation.as_str(), session.body.user.as_str());
    let before = serde_json::json!({ "session": short(session), "address": session.body.address });
    let by = auth::by(request);
    let audited = by.audited(&request.api.engine, "session.end", place, before, serde_json::Value::Null);
    audited.change(vec![session.delete()])?;
    request.api.auth.forget();
    Ok(())
}

fn change_password(request: Request) -> Result<Answer, Problem> {
    let (session, user) = own(&request)?;
    let body: PasswordChange = request.json()?;
    let api = &request.api;
    api.auth.require_password(&user, &body.current, request.address)?;
    users::set_password(&api.engine, &auth::by(&request), &user, &body.password, Some(&session))?;
    api.auth.forget();
    Ok(Answer::nothing())
}

fn enrol(request: Request) -> Result<Answer, Problem> {
    let (_, user) = own(&request)?;
    let body: PasswordAgain = request.json()?;
    let api = &request.api;
    api.auth.require_password(&user, &body.current, request.address)?;
    if users::has_totp(&user) {
        return Err(Problem::new(Code::Conflict, "there is a second factor already")
            .help("remove it first: DELETE /api/v1/session/totp"));
    }
    let (kept, told) = totp::enrol(&*api.secrets, &user.id)?;
    let body = UserBody { totp: Some(kept), ..user.body.clone() };
    users::update(&api.engine, &auth::by(&request), "user.totp_enrol", &user, body)?;
    Answer::json(&TotpEnrolled { seed: told.seed, uri: told.uri, recovery: told.recovery })
}

fn confirm(request: Request) -> Result<Answer, Problem> {
    let (session, user) = own(&request)?;
    let body: TotpCode = request.json()?;
    let api = &request.api;
    let Some(kept) = user.body.totp.clone().filter(|kept| !kept.confirmed) else {
        return Err(Problem::new(Code::Conflict, "no second factor waits for its first code")
            .help("begin with POST /api/v1/session/totp"));
    };
    api.auth.count_try(&user, request.address)?;
    let used = totp::check(&*api.secrets, &user.id, &kept, &body.code, now_ms())?.ok_or_else(|| {
        api.auth.wrong_again(auth::How::Code, &user, request.address);
        Problem::new(Code::InvalidInput, "the code doesn't fit")
            .help("if codes never fit, the clock of the phone or of the server is off")
            .data(serde_json::json!({ "pointer": "/code" }))
    })?;
    users::confirm_totp(&api.engine, &auth::by(&request), &user, totp::spend(&kept, &used), &session)?;
    api.auth.forget();
    Ok(Answer::nothing())
}

fn disable(request: Request) -> Result<Answer, Problem> {
    let (_, user) = own(&request)?;
    let body: PasswordAgain = request.json()?;
    let api = &request.api;
    api.auth.require_password(&user, &body.current, request.address)?;
    let body = UserBody { totp: None, ..user.body.clone() };
    users::update(&api.engine, &auth::by(&request), "user.totp_disable", &user, body)?;
    Ok(Answer::nothing())
}

/// A session's id as it is shown: enough to tell one's own apart.
fn short(session: &Session) -> &str {
    let hash = session.id.rsplit_once(':').map_or("", |(_, hash)| hash);
    hash.get(..16).unwrap_or(hash)
}

fn list(request: Request) -> Result<Answer, Problem> {
    let (current, user) = own(&request)?;
    let view = |session: &Session| SessionView {
        id: short(session).to_owned(),
        current: session.id == current,
        created_at_ms: session.created_at_ms,
        seen_at_ms: session.body.seen_at_ms,
        expires_at_ms: session.expires_at_ms,
        address: session.body.address.clone(),
        agent: session.body.agent.clone(),
    };
    let now = now_ms();
    let sessions = users::sessions(&request.api.engine, &user.id)?;
    let open = sessions.iter().filter(|session| session.expires_at_ms.is_none_or(|end| end > now));
    Answer::json(&open.map(view).collect::<Vec<_>>())
}

fn revoke(request: Request) -> Result<Answer, Problem> {
    let (_, user) = own(&request)?;
    let id = request.parameter("id");
    let sessions = users::sessions(&request.api.engine, &user.id)?;
    let session = sessions
        .iter()
        .find(|session| short(session) == id)
        .ok_or_else(|| Problem::new(Code::NotFound, "you have no such session"))?;
    end(&request, session)?;
    Ok(Answer::nothing())
}
