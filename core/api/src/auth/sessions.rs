//! Sessions in browsers: a random word in a cookie; what is kept of it is its hash.

use windlass_engine::Engine;
use windlass_model::{Code, Problem, document::Expected};

use super::{
    kept::{By, Kept, Session, SessionBody, User, now_ms},
    secret,
};

/// A session that was opened just now.
pub struct Opened {
    /// The cookie's value.
    pub cookie: String,
    /// The session.
    pub session: Session,
}

/// The id of a user's session: by it the session is found, and by its beginning all of a user's are.
fn id(user: &str, cookie: &str) -> String {
    format!("{user}:{}", secret::hash(cookie))
}

/// Opens a session for a user as they were when their password was looked at.
pub(super) fn open(
    engine: &Engine,
    by: &By,
    user: &User,
    agent: &str,
    session_max_ms: i64,
    method: &str,
) -> Result<Opened, Problem> {
    // The user stands in the cookie, so that the session is found by its id and not by one more key.
    let cookie = format!("{}:{}", user.id, secret::random_hex());
    let body = SessionBody {
        user: user.id.clone(),
        uid: user.body.uid.clone(),
        generation: user.body.generation,
        seen_at_ms: now_ms(),
        address: by.source.clone(),
        agent: agent.chars().filter(|letter| !letter.is_control()).take(200).collect(),
    };
    let mut session: Session = Kept::new(&id(&user.id, &cookie), &user.organisation, body);
    session.created_at_ms = now_ms();
    session.expires_at_ms = Some(now_ms() + session_max_ms);
    let place = (user.organisation.as_str(), user.id.as_str());
    let after = serde_json::json!({ "method": method });
    by.audited(engine, "session.open", place, serde_json::Value::Null, after).change(vec![session.put()?])?;
    // A new password may have come meanwhile: then this is no session, and nobody is told that they have one.
    if !User::find(engine, &user.id)?.is_some_and(|user| belongs(&session, &user)) {
        engine.change(vec![session.delete()])?;
        return Err(
            Problem::new(Code::Unauthenticated, "the account was changed while you logged in").help("log in again")
        );
    }
    Ok(Opened { cookie, session })
}

/// Whether a session is this user's, and all of theirs weren't ended since.
fn belongs(session: &Session, user: &User) -> bool {
    let (session, user) = (&session.body, &user.body);
    user.uid == session.uid && user.generation == session.generation && !user.disabled
}

/// The session of a cookie and its user, if it is one of ours, hasn't ended, and its user is let in.
pub(super) fn verify(engine: &Engine, cookie: &str, idle_ms: i64) -> Result<Option<(Session, User)>, Problem> {
    let Some((name, random)) = cookie.split_once(':') else { return Ok(None) };
    if random.len() != 64 || name.len() > 64 {
        return Ok(None);
    }
    let Some(session) = Session::find(engine, &id(name, cookie))? else { return Ok(None) };
    let now = now_ms();
    let over = session.expires_at_ms.is_some_and(|end| end <= now) || session.body.seen_at_ms + idle_ms <= now;
    if over {
        return Ok(None);
    }
    let user = User::find(engine, &session.body.user)?;
    let user = user.filter(|user| belongs(&session, user));
    Ok(user.map(|user| (session, user)))
}

/// Notes that a session is in use.
pub(super) fn touch(engine: &Engine, session: &Session) -> Result<(), Problem> {
    let mut session = session.clone();
    session.body.seen_at_ms = now_ms();
    // One that was revoked meanwhile must not come back.
    engine.change(vec![session.put_expecting(Expected::Version(session.version))?])?;
    Ok(())
}
