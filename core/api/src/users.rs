//! Users and what they may do. Whoever manages an organisation manages its users, but gives, takes and touches nothing
//! that goes beyond what they hold themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_model::{Code, Problem, document::DocumentFilter};

use crate::{
    Access, Answer, Permission, Request, Route,
    auth::{
        self,
        binding::{Binding, covered},
        kept::{PLATFORM, User, UserBody},
        users,
    },
    page::{self, Page},
};

/// A user.
#[derive(Serialize, JsonSchema)]
struct UserView {
    /// The name, which logs in and never changes.
    name: String,
    /// The organisation whose managers look after them.
    organisation: String,
    /// How people call them.
    title: String,
    /// Where mail reaches them; also logs in, once it is known to be theirs.
    email: Option<String>,
    /// Whether that is only said by whoever manages them: it becomes theirs when they accept an invitation that was sent there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    email_unproved: bool,
    /// Whether they are kept out.
    disabled: bool,
    /// What they may do, and where.
    bindings: Vec<Binding>,
    /// Whether they have a password.
    password: bool,
    /// Whether a second factor is asked for.
    totp: bool,
    /// The OpenID provider that knows them.
    external: Option<String>,
    /// When they were made.
    created_at_ms: i64,
    /// Rises with every change; `ETag` and `If-Match`.
    version: i64,
}

/// Which users.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct UsersQuery {
    /// Of this organisation.
    organisation: Option<String>,
    /// Users on a page, 1 to 500.
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
}

/// A user to be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// The name: letters, digits and `._-`; never changes.
    name: String,
    /// The organisation that they belong to; `platform` if nothing is said.
    organisation: Option<String>,
    /// How people call them.
    #[serde(default)]
    title: String,
    /// Where mail reaches them; also logs in, if an admin of the platform says it.
    email: Option<String>,
    /// At least 10 characters; without one they can't log in with a password.
    password: Option<String>,
    /// What they may do, and where.
    #[serde(default)]
    bindings: Vec<Binding>,
}

/// What is to be changed; what isn't given stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UserChange {
    /// How people call them.
    title: Option<String>,
    /// Where mail reaches them; empty: nowhere. One that an admin of the platform changes is theirs, and logs in.
    email: Option<String>,
    /// `false`: the address is theirs, because an admin of the platform says so; nobody else can. `true`: it stays unproved.
    email_unproved: Option<bool>,
    /// Whether they are kept out.
    disabled: Option<bool>,
    /// All that they may do from now on.
    bindings: Option<Vec<Binding>>,
}

/// A new password.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PasswordReset {
    /// At least 10 characters; one is made up if nothing is given.
    password: Option<String>,
}

/// A password that was made up; told once.
#[derive(Serialize, JsonSchema)]
struct PasswordMade {
    /// The password; absent if it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

const IF_MATCH: &[(&str, &str)] = &[("If-Match", "The version that the change is meant for, as in `ETag`")];

pub(crate) fn routes() -> Vec<Route> {
    let access = Access::Can(Permission::Manage);
    vec![
        Route::get("/api/v1/users", "users", "List users")
            .access(access)
            .query::<UsersQuery>()
            .answers::<Page<UserView>>(200)
            .problems(&[Code::InvalidInput])
            .handle(list),
        Route::post("/api/v1/users", "users", "Make a user")
            .access(access)
            .body::<NewUser>()
            .answers::<UserView>(201)
            .problems(&[Code::InvalidInput, Code::Conflict, Code::TooManyRequests])
            .handle(create),
        Route::get("/api/v1/users/{name}", "users", "Show a user")
            .access(access)
            .answers::<UserView>(200)
            .problems(&[Code::NotFound])
            .handle(show),
        Route::patch("/api/v1/users/{name}", "users", "Change a user")
            .access(access)
            .headers(IF_MATCH)
            .body::<UserChange>()
            .answers::<UserView>(200)
            .problems(&[Code::InvalidInput, Code::NotFound, Code::Conflict, Code::PreconditionFailed])
            .handle(change),
        Route::delete("/api/v1/users/{name}", "users", "Remove a user, with their sessions and tokens")
            .access(access)
            .headers(IF_MATCH)
            .answers_nothing()
            .problems(&[Code::NotFound, Code::Conflict, Code::PreconditionFailed])
            .handle(remove),
        Route::put("/api/v1/users/{name}/password", "users", "Give a user a new password")
            .describe("Ends all of their sessions. One's own is changed at `/api/v1/session/password`.")
            .access(access)
            .body::<PasswordReset>()
            .answers::<PasswordMade>(200)
            .problems(&[Code::InvalidInput, Code::NotFound, Code::Conflict, Code::TooManyRequests])
            .handle(reset_password),
        Route::delete("/api/v1/users/{name}/totp", "users", "Remove a user's second factor")
            .describe("One's own is removed at `/api/v1/session/totp`.")
            .access(access)
            .answers_nothing()
            .problems(&[Code::NotFound, Code::Conflict])
            .handle(reset_totp),
        Route::delete("/api/v1/users/{name}/sessions", "users", "End all of a user's sessions")
            .access(access)
            .answers_nothing()
            .problems(&[Code::NotFound, Code::Conflict])
            .handle(end_sessions),
    ]
}

fn view(user: &User) -> UserView {
    let body = &user.body;
    UserView {
        name: user.id.clone(),
        organisation: user.organisation.clone(),
        title: body.title.clone(),
        email: body.email.clone(),
        email_unproved: body.email_unproved,
        disabled: body.disabled,
        bindings: body.bindings.clone(),
        password: body.password.is_some(),
        totp: users::has_totp(user),
        external: body.external.as_ref().map(|external| external.provider.clone()),
        created_at_ms: user.created_at_ms,
        version: user.version,
    }
}

/// The user that the path names; one of another organisation is as if they weren't there.
fn found(request: &Request) -> Result<User, Problem> {
    let name = request.parameter("name").to_ascii_lowercase();
    let user = User::find(&request.api.engine, &name)?;
    user.filter(|user| request.may(Permission::Manage, &user.organisation, "*"))
        .ok_or_else(|| Problem::new(Code::NotFound, "there is no such user"))
}

/// The same, if whoever asks holds all that the user holds: else a new password would be a way to get more.
fn within_reach(request: &Request) -> Result<User, Problem> {
    let user = found(request)?;
    require_held(request, &user.body.bindings, &format!("{} holds", user.id))?;
    Ok(user)
}

/// Refuses what whoever asks would do to themselves: a token that leaked, or a session that somebody found open, must not be
/// enough to take the account over.
fn refuse_own(request: &Request, user: &User, what: &str, help: &str) -> Result<(), Problem> {
    if request.principal.person() != user.id {
        return Ok(());
    }
    Err(Problem::new(Code::PermissionDenied, format!("one's own {what} can't be changed here")).help(help))
}

fn require_held(request: &Request, wanted: &[Binding], who: &str) -> Result<(), Problem> {
    let held = auth::held(&request.principal);
    match wanted.iter().find(|binding| !covered(&held, binding)) {
        None => Ok(()),
        Some(binding) => {
            let (organisation, folder) = (&binding.organisation, &binding.folder);
            let role = serde_json::to_value(binding.role).unwrap_or_default();
            let role = role.as_str().unwrap_or_default();
            let message = format!("{who} the role `{role}` for `{folder}` in `{organisation}`, which you don't hold");
            Err(Problem::new(Code::PermissionDenied, message).help("ask somebody who holds it"))
        }
    }
}

fn list(request: Request) -> Result<Answer, Problem> {
    let query: UsersQuery = request.query()?;
    let limit = page::limit(query.limit);
    let mut organisations = request.principal.organisations(Permission::Manage);
    if let Some(asked) = query.organisation {
        let seen = organisations.is_none_or(|all| all.contains(&asked));
        organisations = Some(if seen { vec![asked] } else { Vec::new() });
    }
    let filter = DocumentFilter { organisations, after: query.cursor, limit: limit + 1, ..DocumentFilter::default() };
    let users = User::list(&request.api.engine, filter)?;
    Answer::json(&Page::of(users.iter().map(view).collect(), limit, |user: &UserView| user.name.clone()))
}

fn create(request: Request) -> Result<Answer, Problem> {
    let new: NewUser = request.json()?;
    let organisation = new.organisation.unwrap_or_else(|| PLATFORM.to_owned());
    request.require_in(Permission::Manage, &organisation)?;
    require_held(&request, &new.bindings, "the user would hold")?;
    let name = users::checked_name(&new.name)?;
    let password = new.password.as_deref().map(|password| users::hashed(password, &name)).transpose()?;
    let body = UserBody {
        title: checked_title(&new.title)?,
        email_unproved: new.email.is_some() && !users::vouches(&request.principal),
        email: new.email,
        password,
        bindings: new.bindings,
        ..UserBody::default()
    };
    let user = users::create(&request.api.engine, &auth::by(&request), &name, &organisation, body)?;
    request.api.auth.forget();
    Ok(Answer::created(&format!("/api/v1/users/{name}"), &view(&user))?.version(user.version))
}

fn checked_title(title: &str) -> Result<String, Problem> {
    let title = title.trim();
    if title.len() > 200 || title.contains(char::is_control) {
        let problem = Problem::new(Code::InvalidInput, "a title has at most 200 bytes, in one line");
        return Err(problem.data(serde_json::json!({ "pointer": "/title" })));
    }
    Ok(title.to_owned())
}

fn show(request: Request) -> Result<Answer, Problem> {
    let user = found(&request)?;
    Ok(Answer::json(&view(&user))?.version(user.version))
}

fn change(request: Request) -> Result<Answer, Problem> {
    let user = within_reach(&request)?;
    let change: UserChange = request.json()?;
    auth::if_match(&request, user.version)?;
    let mut body = user.body.clone();
    if let Some(title) = change.title {
        body.title = checked_title(&title)?;
    }
    if let Some(email) = change.email {
        body.email = Some(email).filter(|email| !email.is_empty());
        if body.email != user.body.email {
            body.email_unproved = body.email.is_some() && !users::vouches(&request.principal);
        }
    }
    if let Some(unproved) = change.email_unproved.filter(|unproved| *unproved != body.email_unproved) {
        body.email_unproved = said(&request, &user, &body, unproved)?;
    }
    if (&body.email, body.email_unproved) != (&user.body.email, user.body.email_unproved) {
        refuse_own(&request, &user, "e-mail address", "it also logs in: ask another admin")?;
    }
    if let Some(disabled) = change.disabled {
        body.disabled = disabled;
    }
    if let Some(bindings) = change.bindings {
        require_held(&request, &bindings, "the user would hold")?;
        body.bindings = bindings;
    }
    let changed = users::update(&request.api.engine, &auth::by(&request), "user.update", &user, body)?;
    request.api.auth.forget();
    Ok(Answer::json(&view(&changed))?.version(changed.version))
}

/// Whether an address is unproved, if that is said: only an admin of the platform says that it is somebody's, and what is theirs
/// stays so until it is changed.
fn said(request: &Request, user: &User, body: &UserBody, unproved: bool) -> Result<bool, Problem> {
    let changed = body.email != user.body.email;
    let (code, message, help) = match unproved {
        false if users::vouches(&request.principal) => return Ok(false),
        true if changed && body.email.is_some() => return Ok(true),
        false => (
            Code::PermissionDenied,
            "only an admin of the platform says that an address is somebody's",
            "they accept an invitation that is sent there, or an admin of the platform says so",
        ),
        true => (
            Code::InvalidInput,
            "an address that is known to be theirs stays so",
            "leave `email_unproved` out, or change the address",
        ),
    };
    Err(Problem::new(code, message).help(help).data(serde_json::json!({ "pointer": "/email_unproved" })))
}

fn remove(request: Request) -> Result<Answer, Problem> {
    let user = within_reach(&request)?;
    auth::if_match(&request, user.version)?;
    users::remove(&request.api.engine, &auth::by(&request), &user)?;
    request.api.auth.forget();
    Ok(Answer::nothing())
}

fn reset_password(request: Request) -> Result<Answer, Problem> {
    let user = within_reach(&request)?;
    let help = "PUT /api/v1/session/password asks for the present one; without it, ask another admin";
    refuse_own(&request, &user, "password", help)?;
    let given: PasswordReset = request.json_or_default()?;
    let made = given.password.is_none().then(auth::made_password);
    let password = given.password.or_else(|| made.clone()).unwrap_or_default();
    users::set_password(&request.api.engine, &auth::by(&request), &user, &password, None)?;
    request.api.auth.forget();
    Answer::json(&PasswordMade { password: made })
}

fn reset_totp(request: Request) -> Result<Answer, Problem> {
    let user = within_reach(&request)?;
    let help = "DELETE /api/v1/session/totp asks for the password; without it, ask another admin";
    refuse_own(&request, &user, "second factor", help)?;
    let body = UserBody { totp: None, ..user.body.clone() };
    users::update(&request.api.engine, &auth::by(&request), "user.totp_disable", &user, body)?;
    Ok(Answer::nothing())
}

fn end_sessions(request: Request) -> Result<Answer, Problem> {
    let user = within_reach(&request)?;
    users::end_sessions(&request.api.engine, &auth::by(&request), &user.id)?;
    request.api.auth.forget();
    Ok(Answer::nothing())
}
