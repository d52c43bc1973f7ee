//! Invitations: made, sent, accepted and withdrawn, with the rules that hold whoever does it. An invitation is for one
//! address; its word works once, and only a hash of it is kept.

use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{
    Code, Problem,
    document::{Change, DocumentFilter, Expected},
};

use super::{
    kept::{Invitation, InvitationBody},
    letter,
};
use crate::{
    auth::{
        access::Role,
        binding::Binding,
        kept::{By, Kept, Organisation, User, UserBody, now_ms},
        secret, users,
    },
    organisations::{
        quota::{self, Quota},
        tree,
    },
    services::Mail,
};

const DAY_MS: i64 = 24 * 3_600_000;
/// How long one can be accepted.
pub const OPEN_MS: i64 = 7 * DAY_MS;
/// Between two letters of one invitation.
const BETWEEN_MS: i64 = 60_000;
/// Letters of one invitation, at most.
const WORDS: u32 = 10;
/// Invitations of one organisation that are open, at most.
const MOST: usize = 500;

/// An invitation to be.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// The organisation that it is into.
    pub organisation: String,
    /// Whom it is for.
    pub email: String,
    /// What they will hold there.
    pub role: Role,
    /// Whether an admin of the platform invites.
    pub vouched: bool,
    /// The step that makes it: the same step finds its own.
    pub made_by: Option<String>,
}

/// An invitation whose word was made just now: nobody can read it again.
#[derive(Clone, Debug)]
pub struct Invited {
    /// The invitation.
    pub invitation: Invitation,
    /// Its word; none if the step had made it before.
    pub word: Option<String>,
}

/// How a letter went.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Whether a mail server has taken it over.
    pub sent: bool,
    /// Why not.
    pub reason: String,
}

/// A role as people read it.
pub fn role_word(role: Role) -> String {
    serde_json::to_value(role).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What others may know of it, and the audit log keeps.
pub fn view(invitation: &Invitation) -> Value {
    let body = &invitation.body;
    json!({ "id": invitation.id, "email": body.email, "role": body.role, "organisation": body.into, "by": body.by })
}

/// Whether somebody who stands above an organisation may invite into it: whoever is to manage it, while nobody does. More would
/// be a way to what is its members' own.
pub fn require_first(engine: &Engine, organisation: &str, role: Role) -> Result<(), Problem> {
    let manages = |user: &User| {
        !user.body.disabled
            && user.body.bindings.iter().any(|held| {
                held.organisation == organisation
                    && held.folder == "*"
                    && matches!(held.role, Role::Franchisee | Role::Admin)
            })
    };
    let managed = quota::members(engine, organisation)?.iter().any(manages);
    if role == Role::Franchisee && !managed {
        return Ok(());
    }
    let message = match managed {
        true => format!("the organisation `{organisation}` has somebody who manages it, and who alone invites into it"),
        false => format!("the first to be invited into the organisation `{organisation}` is to manage it"),
    };
    Err(Problem::new(Code::PermissionDenied, message)
        .help("invite one person with the role `franchisee`; they invite the others")
        .data(json!({ "organisation": organisation }))
        .no_effect())
}

/// Makes an invitation. Whether whoever invites may is for the caller to know.
pub fn create(engine: &Engine, by: &By, new: &NewInvitation) -> Result<Invited, Problem> {
    let email = users::checked_email(&new.email).map_err(Problem::no_effect)?;
    let organisation = Organisation::require(engine, &new.organisation)?;
    tree::require_active(engine, &organisation.id)?;
    if let Some(found) = Invitation::find_by_key(engine, &format!("{}|{email}", organisation.id))? {
        if new.made_by.is_some() && found.body.made_by == new.made_by {
            return Ok(Invited { invitation: found, word: None });
        }
        let message = format!("{email} is invited into the organisation `{}` already", organisation.id);
        return Err(Problem::new(Code::Conflict, message).help("send it again, or withdraw it").no_effect());
    }
    if let Some(user) = users::by_login(engine, &email)?
        && user.body.bindings.iter().any(|held| held.covers(&Binding::new(new.role, &organisation.id)))
    {
        let message = format!("{email} holds that in the organisation `{}` already", organisation.id);
        return Err(Problem::new(Code::Conflict, message).no_effect());
    }
    if list(engine, &organisation.id)?.len() >= MOST {
        let message = format!("the organisation `{}` has {MOST} open invitations already", organisation.id);
        return Err(Problem::new(Code::LimitExceeded, message)
            .help("withdraw those that nobody will accept")
            .no_effect());
    }
    let (id, word) = (ulid::Ulid::new().to_string().to_lowercase(), secret::random_hex());
    let body = InvitationBody {
        email,
        into: organisation.id.clone(),
        role: new.role,
        by: by.actor.clone(),
        hash: secret::hash(&word),
        made_at_ms: now_ms(),
        words: 1,
        sent_at_ms: None,
        mailed: Some(false),
        vouched: new.vouched,
        made_by: new.made_by.clone(),
    };
    let expires_at_ms = Some(now_ms() + OPEN_MS);
    let invitation = Invitation { expires_at_ms, ..Kept::new(&id, &organisation.id, body) };
    quota::within(engine, &[(organisation.id.as_str(), Quota::Members)], |mut changes| {
        changes.push(invitation.put()?);
        let place = (organisation.id.as_str(), id.as_str());
        by.audited(engine, "invitation.create", place, Value::Null, view(&invitation)).change(changes)
    })?;
    Ok(Invited { invitation: Invitation::require(engine, &id)?, word: Some(spoken(&id, &word)) })
}

fn spoken(id: &str, word: &str) -> String {
    format!("wi_{id}_{word}")
}

/// Makes a new word for an invitation; the one before works no more. `vouched`: for an admin of the platform.
pub fn renew(engine: &Engine, by: &By, before: &Invitation, vouched: bool) -> Result<Invited, Problem> {
    tree::require_active(engine, &before.organisation)?;
    let now = now_ms();
    if before.body.words >= WORDS {
        return Err(Problem::new(Code::LimitExceeded, format!("it was sent {WORDS} times"))
            .help("withdraw it, and invite them again once you know that the address is theirs"));
    }
    // Where no letter went out, nobody is flooded, and somebody waits for the link.
    let went_out = before.body.sent_at_ms.is_some();
    if went_out && now < before.body.made_at_ms + BETWEEN_MS {
        let seconds = (before.body.made_at_ms + BETWEEN_MS - now) / 1_000 + 1;
        return Err(Problem::new(Code::TooManyRequests, format!("it was sent a moment ago; wait {seconds} s"))
            .data(json!({ "retry_after_seconds": seconds })));
    }
    let word = secret::random_hex();
    let mut after = before.clone();
    after.expires_at_ms = Some(now + OPEN_MS);
    after.body.hash = secret::hash(&word);
    after.body.made_at_ms = now;
    after.body.words += 1;
    after.body.mailed = Some(false);
    after.body.vouched = vouched;
    let place = (before.organisation.as_str(), before.id.as_str());
    by.audited(engine, "invitation.send", place, Value::Null, view(&after)).change(vec![after.put()?])?;
    Ok(Invited { invitation: Invitation::require(engine, &before.id)?, word: Some(spoken(&before.id, &word)) })
}

/// Where it is accepted. Behind `#`: browsers send that to no server, and no log has it.
pub fn link(public_url: &str, word: &str) -> String {
    format!("{}/invitation#{word}", public_url.trim_end_matches('/'))
}

/// Sends the letter; whatever goes wrong stands in the answer.
pub fn send(engine: &Engine, mail: Option<&dyn Mail>, public_url: &str, invited: &Invited) -> Result<Sent, Problem> {
    let invitation = &invited.invitation;
    let Some(word) = &invited.word else {
        let sent = invitation.body.sent_at_ms.is_some();
        let reason = if sent { "" } else { "whether it arrived isn't known: send it again" };
        return Ok(Sent { sent, reason: reason.into() });
    };
    let Some(mail) = mail else {
        let reason = "no mail server is configured: `host` under [hosts.notify.email]".to_owned();
        return Ok(Sent { sent: false, reason });
    };
    let title = Organisation::require(engine, &invitation.organisation)?.body.title;
    let until = jiff::Timestamp::from_millisecond(invitation.expires_at_ms.unwrap_or_default());
    let until = until.map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default();
    let letter = letter::write(
        &invitation.body.email,
        &letter::Facts {
            title: &title,
            name: &invitation.organisation,
            by: &invitation.body.by,
            role: &role_word(invitation.body.role),
            link: &link(public_url, word),
            until: &until,
        },
    );
    match mail.send(&letter) {
        Err(reason) => {
            tracing::warn!(invitation = invitation.id, reason, "an invitation wasn't sent");
            Ok(Sent { sent: false, reason })
        }
        Ok(()) => {
            let mut noted = invitation.clone();
            noted.body.sent_at_ms = Some(now_ms());
            noted.body.mailed = Some(true);
            // Somebody may have accepted it by now: then there is nothing to note.
            match engine.change(vec![noted.put()?]) {
                Err(problem) if !matches!(problem.code, Code::Conflict | Code::NotFound) => Err(problem),
                _ => Ok(Sent { sent: true, reason: String::new() }),
            }
        }
    }
}

/// Those of an organisation that are open.
pub fn list(engine: &Engine, organisation: &str) -> Result<Vec<Invitation>, Problem> {
    let own = DocumentFilter { organisations: Some(vec![organisation.to_owned()]), ..DocumentFilter::default() };
    Invitation::all(engine, &own, |_| true)
}

/// Withdraws one.
pub fn withdraw(engine: &Engine, by: &By, invitation: &Invitation) -> Result<(), Problem> {
    let place = (invitation.organisation.as_str(), invitation.id.as_str());
    let through = by.audited(engine, "invitation.delete", place, view(invitation), Value::Null);
    through.change(vec![invitation.delete()]).map(drop)
}

/// The id in a word; something that no invitation has, if it can't be one.
pub fn id_of(word: &str) -> &str {
    let id = word.strip_prefix("wi_").and_then(|rest| rest.split_once('_')).map_or("", |(id, _)| id);
    if id.len() == 26 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) { id } else { "none" }
}

/// The invitation that a word opens. Whatever is wrong with it, the answer is the same.
pub fn by_word(engine: &Engine, word: &str) -> Result<Invitation, Problem> {
    let id = id_of(word);
    let random = word.rsplit('_').next().unwrap_or_default();
    let found = Invitation::find(engine, id)?;
    let kept = found.as_ref().map_or_else(|| secret::hash(""), |found| found.body.hash.clone());
    let fits = secret::same(&secret::hash(random), &kept);
    let open = |found: &Invitation| fits && found.expires_at_ms.is_none_or(|end| now_ms() < end);
    found.filter(open).ok_or_else(|| {
        Problem::new(
            Code::NotFound,
            "there is no such invitation: it was accepted, withdrawn, or sent again, or its time is over",
        )
        .help("ask whoever invited you to send it again")
    })
}

/// Whoever accepts by becoming a user.
pub struct Newcomer<'a> {
    /// The name that they choose.
    pub name: &'a str,
    /// How people call them.
    pub title: &'a str,
    /// Their password.
    pub password: &'a str,
}

/// The removal that lets it be accepted once.
fn spent(invitation: &Invitation) -> Change {
    let expected = Expected::Version(invitation.version);
    Change::Delete { kind: "invitation".into(), id: invitation.id.clone(), expected }
}

fn raced(problem: Problem) -> Problem {
    match problem.message.contains("invitation `") {
        true => {
            Problem::new(Code::NotFound, "there is no such invitation any more: somebody has accepted or changed it")
        }
        false => problem,
    }
}

/// A user who wasn't there accepts. The place that the invitation held becomes theirs.
pub fn accept_new(engine: &Engine, source: &str, invitation: &Invitation, new: &Newcomer) -> Result<User, Problem> {
    tree::require_active(engine, &invitation.organisation)?;
    let name = users::checked_name(new.name)?;
    let body = UserBody {
        title: new.title.trim().to_owned(),
        email: Some(invitation.body.email.clone()),
        email_unproved: !invitation.body.proves(),
        password: Some(users::hashed(new.password, &name)?),
        bindings: vec![Binding::new(invitation.body.role, &invitation.organisation)],
        ..UserBody::default()
    };
    let by = By { actor: name.clone(), source: source.to_owned() };
    let user = users::create_with(engine, &by, &name, &invitation.organisation, body, vec![spent(invitation)]);
    let user = user.map_err(raced)?;
    accepted(engine, &by, invitation)?;
    Ok(user)
}

/// A user who is there accepts.
pub fn accept(engine: &Engine, by: &By, invitation: &Invitation, user: &User) -> Result<User, Problem> {
    tree::require_active(engine, &invitation.organisation)?;
    let mut body = user.body.clone();
    let binding = Binding::new(invitation.body.role, &invitation.organisation);
    body.bindings.retain(|held| !binding.covers(held));
    body.bindings.push(binding);
    if invitation.body.proves() && body.email.as_ref() == Some(&invitation.body.email) {
        body.email_unproved = false;
    }
    let user = users::update_with(engine, by, "user.update", user, body, vec![spent(invitation)]).map_err(raced)?;
    accepted(engine, by, invitation)?;
    Ok(user)
}

fn accepted(engine: &Engine, by: &By, invitation: &Invitation) -> Result<(), Problem> {
    engine.audit(windlass_model::audit::NewAudit {
        actor: by.actor.clone(),
        organisation: invitation.organisation.clone(),
        action: "invitation.accept".into(),
        target: invitation.id.clone(),
        source: by.source.clone(),
        before: view(invitation),
        after: Value::Null,
    })
}
