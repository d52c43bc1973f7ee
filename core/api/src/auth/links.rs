//! Links with which somebody comes in once and chooses a password: for the first admin. What is kept of one is its hash; it is spent in
//! the same transaction that sets the password, so it works once, however many try.

use serde::{Deserialize, Serialize};
use windlass_engine::Engine;
use windlass_model::{
    Code, Problem,
    document::{Change, Expected},
};

use super::{
    kept::{By, Kept, Kind, Session, User, UserBody, now_ms},
    secret, users,
};

/// A link. Its id is `USER:` and the hash of its word.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkBody {
    /// Whose.
    pub user: String,
    /// The user's `uid`.
    pub uid: String,
    /// The user's `generation`: a new password, or the end of all sessions, ends the link, too.
    pub generation: u64,
}

impl Kind for LinkBody {
    const KIND: &'static str = "login_link";
}

type Link = Kept<LinkBody>;

/// A link that was made just now. Nobody can read its word again.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The word that the link carries.
    pub token: String,
    /// When it ends.
    pub expires_at_ms: i64,
}

fn id(user: &str, token: &str) -> String {
    format!("{user}:{}", secret::hash(token))
}

/// Makes a link for a user; the ones before hold no more. Who has a second factor has come in before, and gets none.
pub fn issue(engine: &Engine, by: &By, user: &User, holds_ms: i64) -> Result<Issued, Problem> {
    if users::has_totp(user) {
        return Err(Problem::new(
            Code::Conflict,
            format!("`{}` has a second factor, which a link would go round", user.id),
        )
        .help("`windlass users reset-password --remove-totp NAME` gives them a new password"));
    }
    let token = format!("{}:{}", user.id, secret::random_hex());
    let expires_at_ms = now_ms() + holds_ms;
    let generation = user.body.generation + 1;
    let body = LinkBody { user: user.id.clone(), uid: user.body.uid.clone(), generation };
    let mut link: Link = Kept::new(&id(&user.id, &token), &user.organisation, body);
    link.expires_at_ms = Some(expires_at_ms);
    let after = UserBody { generation, ..user.body.clone() };
    users::update_with(engine, by, "user.link", user, after, vec![link.put()?])?;
    Ok(Issued { token, expires_at_ms })
}

/// Spends a link: the user has this password from now on, and no session that was opened before.
pub fn spend(engine: &Engine, token: &str, password: &str, source: &str) -> Result<User, Problem> {
    let unknown = || {
        Problem::new(Code::Unauthenticated, "the link isn't good: it was used, it has ended, or there is a newer one")
            .help("`windlass seed --link` on the server prints a new one")
    };
    let (name, random) = token.split_once(':').ok_or_else(unknown)?;
    if random.len() != 64 || name.len() > 64 {
        return Err(unknown());
    }
    let link = Link::find(engine, &id(name, token))?.ok_or_else(unknown)?;
    let has_ended = link.expires_at_ms.is_some_and(|end| end <= now_ms());
    let user = User::find(engine, &link.body.user)?.filter(|user| {
        let (user, link) = (&user.body, &link.body);
        !has_ended && user.uid == link.uid && user.generation == link.generation && !user.disabled
    });
    // A second factor that was set up since isn't gone round.
    let user = user.filter(|user| !users::has_totp(user));
    let user = user.ok_or_else(unknown)?;
    let by = By { actor: user.id.clone(), source: source.to_owned() };
    let hash = users::hashed(password, &user.id)?;
    let generation = user.body.generation + 1;
    let body = UserBody { password: Some(hash), generation, ..user.body.clone() };
    let mut changes: Vec<Change> = users::sessions(engine, &user.id)?.iter().map(Session::delete).collect();
    let expected = Expected::Version(link.version);
    changes.push(Change::Delete { kind: LinkBody::KIND.to_owned(), id: link.id.clone(), expected });
    match users::update_with(engine, &by, "user.password", &user, body, changes) {
        // Somebody else was faster.
        Err(problem) if problem.code == Code::Conflict => Err(unknown()),
        other => other.inspect(|user| users::sweep(engine, &user.id, generation)),
    }
}
