//! Users: made, changed and removed, with the rules that hold whoever does it.

use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{
    Code, Problem,
    document::{Change, DocumentFilter, Expected},
};

use crate::organisations::quota::{self, Quota};

use super::{
    access::Principal,
    binding::{Binding, covered},
    held,
    kept::{By, Kept, Organisation, OrganisationBody, PLATFORM, Session, Token, TotpBody, User, UserBody},
    password, secret,
};

/// A user who is there now, whether or not they were before.
#[derive(Clone, Debug)]
pub struct Seeded {
    /// Their name.
    pub name: String,
    /// Their password, if they were made just now.
    pub password: Option<String>,
}

/// Makes sure that there is a platform admin of this name. Without a password they get one that nobody knows yet.
pub fn ensure_admin(engine: &Engine, name: &str, password: Option<&str>) -> Result<Seeded, Problem> {
    let by = By { actor: "system:setup".into(), source: "local".into() };
    let name = checked_name(name)?;
    if User::find(engine, &name)?.is_some() {
        return Ok(Seeded { name, password: None });
    }
    let password = password.map_or_else(secret::spoken, str::to_owned);
    let body = UserBody {
        title: name.clone(),
        password: Some(hashed(&password, &name)?),
        bindings: vec![Binding::platform_admin()],
        ..UserBody::default()
    };
    match create(engine, &by, &name, PLATFORM, body) {
        // Another process was faster.
        Err(problem) if problem.code == Code::Conflict => Ok(Seeded { name, password: None }),
        other => other.map(|user| Seeded { name: user.id, password: Some(password) }),
    }
}

/// The hash of a password that is good enough.
pub fn hashed(password: &str, name: &str) -> Result<String, Problem> {
    password::check(password, name)?;
    password::hash(password)
}

/// A name as it is kept, if it can be one.
pub fn checked_name(name: &str) -> Result<String, Problem> {
    let name = name.to_ascii_lowercase();
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if !begins || name.len() > 64 || !name.bytes().all(known) {
        return Err(Problem::new(Code::InvalidInput, format!("`{name}` can't be a name"))
            .help("up to 64 letters, digits and `._-`, beginning with a letter or a digit")
            .data(json!({ "pointer": "/name" })));
    }
    Ok(name)
}

/// An e-mail address as it is kept, if it looks like one.
pub fn checked_email(email: &str) -> Result<String, Problem> {
    let email = email.trim().to_lowercase();
    let sound = email.len() <= 254
        && !email.contains(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '|')
        && email
            .split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'));
    if sound {
        return Ok(email);
    }
    let problem = Problem::new(Code::InvalidInput, format!("`{email}` isn't an e-mail address"));
    Err(problem.data(json!({ "pointer": "/email" })))
}

/// The user who logs in with this name or e-mail address: one that is known to be theirs.
pub fn by_login(engine: &Engine, login: &str) -> Result<Option<User>, Problem> {
    let login = login.trim().to_lowercase();
    // What stands behind `|` belongs to a provider; nobody types that.
    if login.is_empty() || login.len() > 254 || login.contains('|') {
        return Ok(None);
    }
    User::find_by_key(engine, &login)
}

/// Whether an address is somebody's because this one says so. Whoever manages an organisation could say it of anybody's.
pub fn vouches(principal: &Principal) -> bool {
    covered(&held(principal), &Binding::platform_admin())
}

/// What others may know of a user, and the audit log keeps.
pub fn view(user: &User) -> Value {
    let mut view = json!({
        "name": user.id,
        "organisation": user.organisation,
        "title": user.body.title,
        "email": user.body.email,
        "disabled": user.body.disabled,
        "bindings": user.body.bindings,
        "password": user.body.password.is_some(),
        "totp": has_totp(user),
        "external": user.body.external.as_ref().map(|external| &external.provider),
    });
    if user.body.email_unproved {
        view["email_unproved"] = json!(true);
    }
    view
}

/// Whether a second factor is asked for.
pub fn has_totp(user: &User) -> bool {
    user.body.totp.as_ref().is_some_and(|totp| totp.confirmed)
}

/// Makes a user. Their organisation and those of their bindings have to be there, and to have room.
pub fn create(engine: &Engine, by: &By, name: &str, organisation: &str, body: UserBody) -> Result<User, Problem> {
    let places = places(organisation, &body.bindings);
    quota::within(engine, &quota::each(&places, Quota::Members), |guards| {
        create_with(engine, by, name, organisation, body.clone(), guards)
    })
}

/// As `create`, with further changes in the same transaction; whether there is room is for the caller to know.
pub fn create_with(
    engine: &Engine,
    by: &By,
    name: &str,
    organisation: &str,
    mut body: UserBody,
    mut changes: Vec<Change>,
) -> Result<User, Problem> {
    let name = checked_name(name)?;
    body.email = body.email.as_deref().map(checked_email).transpose()?;
    body.uid = ulid::Ulid::new().to_string().to_lowercase();
    if organisation == PLATFORM && Organisation::find(engine, PLATFORM)?.is_none() {
        let platform = Kept::new(PLATFORM, PLATFORM, OrganisationBody::platform());
        changes.push(platform.put_expecting(Expected::Any)?);
    } else {
        require_organisation(engine, organisation)?;
    }
    check_bindings(engine, &body.bindings)?;
    let mut user: User = Kept::new(&name, organisation, body);
    changes.push(user.put()?);
    if is_platform_admin(&user.body) {
        changes.push(guard(engine)?);
    }
    let audited = by.audited(engine, "user.create", (organisation, &name), Value::Null, view(&user));
    audited.change(changes)?;
    user = User::require(engine, &name)?;
    Ok(user)
}

/// Changes a user to what they are to be. The last platform admin stays one.
pub fn update(engine: &Engine, by: &By, action: &str, before: &User, body: UserBody) -> Result<User, Problem> {
    let held = places(&before.organisation, &before.body.bindings);
    let mut entered = places(&before.organisation, &body.bindings);
    entered.retain(|place| !held.contains(place));
    quota::within(engine, &quota::each(&entered, Quota::Members), |guards| {
        update_with(engine, by, action, before, body.clone(), guards)
    })
}

/// The organisations that a user is a member of.
fn places(organisation: &str, bindings: &[Binding]) -> Vec<String> {
    let named = bindings.iter().map(|binding| binding.organisation.clone()).filter(|name| name != "*");
    let mut places: Vec<String> = named.chain([organisation.to_owned()]).collect();
    places.sort();
    places.dedup();
    places
}

/// As `update`, with further changes in the same transaction.
pub fn update_with(
    engine: &Engine,
    by: &By,
    action: &str,
    before: &User,
    mut body: UserBody,
    mut changes: Vec<Change>,
) -> Result<User, Problem> {
    if body.email != before.body.email {
        body.email = body.email.as_deref().map(checked_email).transpose()?;
    }
    if body.bindings != before.body.bindings {
        check_bindings(engine, &body.bindings)?;
    }
    if is_platform_admin(&before.body) != is_platform_admin(&body) {
        if is_platform_admin(&before.body) {
            require_another_admin(engine, &before.id)?;
        }
        changes.push(guard(engine)?);
    }
    let after = User { body, ..before.clone() };
    changes.push(after.put()?);
    let place = (before.organisation.as_str(), before.id.as_str());
    by.audited(engine, action, place, view(before), view(&after)).change(changes)?;
    User::require(engine, &before.id)
}

/// Removes a user with their sessions and tokens.
pub fn remove(engine: &Engine, by: &By, user: &User) -> Result<(), Problem> {
    let mut changes =
        vec![Change::Delete { kind: "user".into(), id: user.id.clone(), expected: Expected::Version(user.version) }];
    if is_platform_admin(&user.body) {
        require_another_admin(engine, &user.id)?;
        changes.push(guard(engine)?);
    }
    changes.extend(sessions(engine, &user.id)?.iter().map(Session::delete));
    let tokens = Token::all(engine, &DocumentFilter::default(), |token| token.body.user == user.id)?;
    changes.extend(tokens.iter().map(Token::delete));
    let place = (user.organisation.as_str(), user.id.as_str());
    by.audited(engine, "user.delete", place, view(user), Value::Null).change(changes)?;
    Ok(())
}

/// A new password. It ends every session but the one that is named, and those that are just being opened.
pub fn set_password(engine: &Engine, by: &By, user: &User, password: &str, keep: Option<&str>) -> Result<(), Problem> {
    let body = UserBody { password: Some(hashed(password, &user.id)?), ..user.body.clone() };
    anew(engine, by, "user.password", (user, body), keep)
}

/// A second factor that has shown that it works. What was opened without it ends, but for the session that is named: other sessions,
/// and links.
pub fn confirm_totp(engine: &Engine, by: &By, user: &User, totp: TotpBody, keep: &str) -> Result<(), Problem> {
    let body = UserBody { totp: Some(TotpBody { confirmed: true, ..totp }), ..user.body.clone() };
    anew(engine, by, "user.totp_confirm", (user, body), Some(keep))
}

/// Changes a user, and ends what was opened before: every session but the one that is named, those that are just being opened, and
/// links.
fn anew(
    engine: &Engine,
    by: &By,
    action: &str,
    (user, body): (&User, UserBody),
    keep: Option<&str>,
) -> Result<(), Problem> {
    let generation = user.body.generation + 1;
    let mut changes = Vec::new();
    for mut session in sessions(engine, &user.id)? {
        if keep != Some(session.id.as_str()) {
            changes.push(session.delete());
        } else if session.body.generation == user.body.generation {
            session.body.generation = generation;
            changes.push(session.put()?);
        }
    }
    update_with(engine, by, action, user, UserBody { generation, ..body }, changes)?;
    sweep(engine, &user.id, generation);
    Ok(())
}

/// Takes away sessions that were written between the look at them and the change that ended them. They let nobody in any more, so
/// that change stands even if they can't be taken away.
pub(super) fn sweep(engine: &Engine, user: &str, generation: u64) {
    let late = |session: &&Session| session.body.generation < generation;
    let swept = sessions(engine, user).and_then(|all| {
        let late: Vec<Change> = all.iter().filter(late).map(Session::delete).collect();
        if late.is_empty() { Ok(()) } else { engine.change(late).map(drop) }
    });
    if let Err(problem) = swept {
        tracing::warn!(%problem, user, "sessions that have ended stay listed until they expire");
    }
}

/// Ends all of a user's sessions, and those that are just being opened.
pub fn end_sessions(engine: &Engine, by: &By, user: &str) -> Result<(), Problem> {
    /// Times that somebody else may change the user first: each log-in with a code does.
    const TRIES: usize = 10;
    let mut tries = 0;
    loop {
        let mut user = User::require(engine, user)?;
        let sessions = sessions(engine, &user.id)?;
        user.body.generation += 1;
        let mut changes: Vec<Change> = sessions.iter().map(Session::delete).collect();
        changes.push(user.put()?);
        let place = (user.organisation.as_str(), user.id.as_str());
        let before = json!({ "sessions": sessions.len() });
        tries += 1;
        match by.audited(engine, "session.end", place, before, Value::Null).change(changes) {
            Err(problem) if problem.code == Code::Conflict && tries < TRIES => {}
            ended => {
                ended?;
                sweep(engine, &user.id, user.body.generation);
                return Ok(());
            }
        }
    }
}

/// A user's sessions.
pub fn sessions(engine: &Engine, user: &str) -> Result<Vec<Session>, Problem> {
    let filter = DocumentFilter { id_prefix: Some(format!("{user}:")), ..DocumentFilter::default() };
    Session::all(engine, &filter, |session| session.body.user == user)
}

/// Whether the user may do everything everywhere.
pub fn is_platform_admin(body: &UserBody) -> bool {
    !body.disabled && body.bindings.iter().any(|binding| binding.covers(&Binding::platform_admin()))
}

fn require_another_admin(engine: &Engine, name: &str) -> Result<(), Problem> {
    let others =
        User::all(engine, &DocumentFilter::default(), |user| user.id != name && is_platform_admin(&user.body))?;
    if others.is_empty() {
        return Err(Problem::new(Code::Conflict, format!("`{name}` is the last admin of the platform"))
            .help("make another user an admin of everything first"));
    }
    Ok(())
}

/// Two changes that each rest on "there is another admin" can't both happen: they change this document, too.
fn guard(engine: &Engine) -> Result<Change, Problem> {
    let (kind, id) = ("guard", "platform_admins");
    let expected = engine.document(kind, id)?.map_or(Expected::Absent, |guard| Expected::Version(guard.version));
    Ok(Change::Put {
        kind: kind.into(),
        id: id.into(),
        organisation: PLATFORM.into(),
        body: json!({}),
        keys: Vec::new(),
        expires_at_ms: None,
        expected,
    })
}

/// Refuses an organisation that isn't there.
pub fn require_organisation(engine: &Engine, name: &str) -> Result<Organisation, Problem> {
    Organisation::find(engine, name)?.ok_or_else(|| {
        Problem::new(Code::InvalidInput, format!("there is no organisation `{name}`"))
            .help("make it first: POST /api/v1/organisations")
    })
}

fn check_bindings(engine: &Engine, bindings: &[Binding]) -> Result<(), Problem> {
    const MOST: usize = 100;
    if bindings.len() > MOST {
        return Err(Problem::new(Code::InvalidInput, format!("more than {MOST} bindings")));
    }
    for (index, binding) in bindings.iter().enumerate() {
        let at =
            |problem: Problem, field: &str| problem.data(json!({ "pointer": format!("/bindings/{index}/{field}") }));
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
        let folder = binding.folder.as_str();
        let sound = folder == "*"
            || (folder.bytes().all(known) && folder.len() <= 200 && folder.split('/').all(|part| !part.is_empty()));
        if !sound {
            let problem = Problem::new(Code::InvalidInput, format!("`{folder}` isn't a folder of workflows"));
            return Err(at(problem.help("`lab`, `lab/grid`, or `*` for all of them"), "folder"));
        }
        if binding.organisation != "*" && binding.organisation != PLATFORM {
            require_organisation(engine, &binding.organisation).map_err(|problem| at(problem, "organisation"))?;
        }
    }
    Ok(())
}
