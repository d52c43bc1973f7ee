//! API tokens: `wl_<id>_<random>`. What is kept is a hash; what one may do is never more than its user may.

use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{Code, Problem};

use crate::organisations::quota::{self, Quota};

use super::{
    binding::{Binding, shared},
    kept::{By, Kept, Token, TokenBody, User, now_ms},
    secret,
};

/// A token to be.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What people call it.
    pub name: String,
    /// Whose.
    pub user: String,
    /// What it may do; what its user may not is left out. None: all that the user may.
    pub bindings: Vec<Binding>,
    /// When it ends.
    pub expires_at_ms: Option<i64>,
}

/// A token that was made just now. Nobody can read it again.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Its id.
    pub id: String,
    /// The token itself.
    pub token: String,
}

/// Makes a token, in the name of its user.
pub fn issue(engine: &Engine, new: NewToken) -> Result<Issued, Problem> {
    let by = By { actor: new.user.clone(), source: "local".into() };
    issue_by(engine, &by, new)
}

/// Makes a token.
pub fn issue_by(engine: &Engine, by: &By, new: NewToken) -> Result<Issued, Problem> {
    let user = User::require(engine, &new.user)?;
    let bindings = match new.bindings.as_slice() {
        [] => user.body.bindings.clone(),
        asked => shared(asked, &user.body.bindings),
    };
    if bindings.is_empty() {
        let message = format!("{} holds nothing of what the token is to be allowed", new.user);
        return Err(Problem::new(Code::PermissionDenied, message)
            .help("a token can be allowed what its user is; GET /api/v1/session tells what that is"));
    }
    let name = new.name.trim();
    if name.is_empty() || name.len() > 100 || name.contains(char::is_control) {
        let problem = Problem::new(Code::InvalidInput, "a token's name has 1 to 100 bytes in one line");
        return Err(problem.data(json!({ "pointer": "/name" })));
    }
    if new.expires_at_ms.is_some_and(|end| end <= now_ms()) {
        let problem = Problem::new(Code::InvalidInput, "the token would have expired already");
        return Err(problem.data(json!({ "pointer": "/expires_at_ms" })));
    }
    let (id, random) = (ulid::Ulid::new().to_string().to_lowercase(), secret::random_hex());
    let body = TokenBody {
        name: name.to_owned(),
        user: user.id.clone(),
        uid: user.body.uid.clone(),
        hash: secret::hash(&random),
        bindings,
        used_at_ms: None,
    };
    let token = Token { expires_at_ms: new.expires_at_ms, ..Kept::new(&id, &user.organisation, body) };
    let place = (user.organisation.as_str(), id.as_str());
    quota::within(engine, &[(user.organisation.as_str(), Quota::Tokens)], |mut changes| {
        changes.push(token.put()?);
        by.audited(engine, "token.issue", place, Value::Null, view(&token)).change(changes)
    })?;
    Ok(Issued { token: format!("wl_{id}_{random}"), id })
}

/// Ends a token.
pub fn revoke(engine: &Engine, by: &By, token: &Token) -> Result<(), Problem> {
    let place = (token.organisation.as_str(), token.id.as_str());
    by.audited(engine, "token.revoke", place, view(token), Value::Null).change(vec![token.delete()])?;
    Ok(())
}

/// What others may know of a token, and the audit log keeps.
pub fn view(token: &Token) -> Value {
    json!({
        "id": token.id,
        "name": token.body.name,
        "user": token.body.user,
        "bindings": token.body.bindings,
        "expires_at_ms": token.expires_at_ms,
    })
}

/// The token and its user, if it is one of ours, hasn't ended, and its user is let in.
pub fn verify(engine: &Engine, text: &str) -> Result<Option<(Token, User)>, Problem> {
    let Some((id, random)) = parts(text) else { return Ok(None) };
    let Some(token) = Token::find(engine, id)? else { return Ok(None) };
    let fits = secret::same(&secret::hash(random), &token.body.hash);
    if !fits || token.expires_at_ms.is_some_and(|end| end <= now_ms()) {
        return Ok(None);
    }
    let user = User::find(engine, &token.body.user)?;
    let user = user.filter(|user| user.body.uid == token.body.uid && !user.body.disabled);
    Ok(user.map(|user| (token, user)))
}

/// Whose token this is or was, if one of this id is still there.
pub(super) fn owner(engine: &Engine, text: &str) -> Result<Option<User>, Problem> {
    let Some((id, _)) = parts(text) else { return Ok(None) };
    match Token::find(engine, id)? {
        Some(token) => User::find(engine, &token.body.user),
        None => Ok(None),
    }
}

/// A token's id and its random part.
fn parts(text: &str) -> Option<(&str, &str)> {
    let parts = text.strip_prefix("wl_")?.split_once('_')?;
    (parts.0.len() == 26 && parts.1.len() == 64).then_some(parts)
}
