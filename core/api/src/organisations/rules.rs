//! Organisations: made, changed, suspended and removed, with the rules that hold whoever does it.

use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{
    Code, EventKind, Problem, RunState,
    audit::{AuditFilter, AuditRecord},
    document::{Change, Document, DocumentFilter, Expected},
    inmate,
    ledger::{CREDIT, EntryFilter},
    query::{ResourceFilter, RunFilter},
};

use super::{
    kept::{Brand, Environment},
    quota::{self, Quota},
    tree,
};
use crate::{
    auth::{
        kept::{
            By, Kept, Organisation, OrganisationBody, OrganisationKind, PLATFORM, Quotas, Session, Token, User,
            UserBody,
        },
        users,
    },
    invitations::kept::Invitation,
    lab_drawings,
    triggers::kept::{Rule, ScheduleBody, TriggerBody, WebhookBody},
};

/// The kind of document that keeps the name of one that is gone: nobody who is called so later may read what was its own.
const GONE: &str = "organisation_gone";

/// An organisation to be.
#[derive(Clone, Debug, Default)]
pub struct NewOrganisation {
    /// Its name.
    pub name: String,
    /// How people call it.
    pub title: String,
    /// What it is.
    pub kind: OrganisationKind,
    /// The organisation that it is under; none: the platform.
    pub parent: Option<String>,
    /// How much it may have.
    pub quotas: Quotas,
    /// The step that makes it: the same step finds its own.
    pub made_by: Option<String>,
}

/// A title as it is kept; the name, if there is none.
pub fn checked_title(title: &str, name: &str) -> Result<String, Problem> {
    let title = title.trim();
    if title.len() > 200 || title.contains(char::is_control) {
        let problem = Problem::new(Code::InvalidInput, "a title has at most 200 bytes, in one line");
        return Err(problem.data(json!({ "pointer": "/title" })));
    }
    Ok(if title.is_empty() { name.to_owned() } else { title.to_owned() })
}

fn wrong(pointer: &str, message: String) -> Problem {
    Problem::new(Code::InvalidInput, message).data(json!({ "pointer": pointer }))
}

/// Refuses a name whose programs would run as another organisation's do; what is changed with it keeps two such from being made at
/// once. `uids`: users of a machine that there are for organisations.
fn own_user(engine: &Engine, name: &str, uids: u32) -> Result<Option<Change>, Problem> {
    let place_of = |name: &str| inmate::place(blake3::hash(name.as_bytes()).as_bytes(), uids);
    let Some(place) = place_of(name).filter(|_| name != PLATFORM) else { return Ok(None) };
    let guard = quota::guard(engine, &format!("uid/{place}"))?;
    let has = |other: &str| other != name && place_of(other) == Some(place);
    if !has(PLATFORM) && Organisation::all(engine, &DocumentFilter::default(), |one| has(&one.id))?.is_empty() {
        return Ok(Some(guard));
    }
    let message = format!("programs of an organisation `{name}` would run as the same user as another one's");
    Err(Problem::new(Code::Conflict, message)
        .help(
            "choose another name: the user follows from it. If many are refused, whoever runs the server raises `hosts.exec.uid_count`",
        )
        .data(json!({ "pointer": "/name" }))
        .no_effect())
}

/// Makes an organisation under another one. Whether whoever asks may is for the caller to know. `uids`: users of a machine that
/// there are for organisations; 0 if all share one.
pub fn create(engine: &Engine, by: &By, new: &NewOrganisation, uids: u32) -> Result<Organisation, Problem> {
    let name = users::checked_name(&new.name)?;
    if let Some(step) = &new.made_by
        && let Some(found) = Organisation::find(engine, &name)?.filter(|one| one.body.made_by.as_ref() == Some(step))
    {
        return Ok(found);
    }
    if engine.document(GONE, &name)?.is_some() {
        let message =
            format!("there was an organisation `{name}`, whose runs or entries in the audit log are still here");
        return Err(Problem::new(Code::Conflict, message)
            .help("choose another name: whoever is in the new one would read what was the old one's")
            .data(json!({ "pointer": "/name" }))
            .no_effect());
    }
    let parent = new.parent.clone().unwrap_or_else(|| PLATFORM.to_owned());
    check_parent(engine, new.kind, &parent)?;
    let body = OrganisationBody {
        title: checked_title(&new.title, &name)?,
        kind: new.kind,
        parent: Some(parent.clone()).filter(|parent| parent != PLATFORM),
        quotas: new.quotas.clone(),
        made_by: new.made_by.clone(),
        ..OrganisationBody::default()
    };
    let organisation: Organisation = Kept::new(&name, &name, body);
    quota::within(engine, &[(parent.as_str(), Quota::Customers)], |mut changes| {
        if parent != PLATFORM {
            check_parent(engine, new.kind, &parent)?;
            quota::check_under(&tree::chain(engine, &parent)?, &new.quotas)?;
        }
        changes.extend(own_user(engine, &name, uids)?);
        changes.push(organisation.put()?);
        let audited = by.audited(engine, "organisation.create", (&name, &name), Value::Null, json!(organisation.body));
        told(&audited, EventKind::OrganisationCreated, &organisation).change(changes)
    })?;
    Organisation::require(engine, &name)
}

fn check_parent(engine: &Engine, kind: OrganisationKind, parent: &str) -> Result<(), Problem> {
    match kind {
        OrganisationKind::Platform => return Err(wrong("/kind", "there is one platform, and it is there".into())),
        OrganisationKind::Franchisee if parent != PLATFORM => {
            return Err(wrong("/parent", "a franchisee is under the platform, and under nobody else".into()));
        }
        _ => {}
    }
    if parent == PLATFORM {
        return Ok(());
    }
    let above = Organisation::find(engine, parent)?;
    let above = above.ok_or_else(|| wrong("/parent", format!("there is no organisation `{parent}`")))?;
    if tree::kind(&above) != OrganisationKind::Franchisee {
        let message = format!(
            "`{parent}` is a {}: only the platform and franchisees have others under them",
            tree::kind(&above).as_str()
        );
        return Err(wrong("/parent", message));
    }
    tree::require_active(engine, parent)
}

/// The handle that tells those above it what becomes of an organisation.
fn told(engine: &Engine, kind: EventKind, organisation: &Organisation) -> Engine {
    let body = &organisation.body;
    let above = tree::parent(organisation).unwrap_or(PLATFORM);
    let mut data = json!({ "name": organisation.id, "kind": tree::kind(organisation), "title": body.title,
                           "organisation": above });
    if !body.reason.is_empty() {
        data["reason"] = body.reason.as_str().into();
    }
    engine.announced(kind, data)
}

/// Changes an organisation to what it is to be.
pub fn update(
    engine: &Engine,
    by: &By,
    before: &Organisation,
    body: OrganisationBody,
) -> Result<Organisation, Problem> {
    if before.id == PLATFORM && (body.suspended || body.quotas != Quotas::default()) {
        return Err(Problem::new(Code::InvalidInput, "the platform itself can't be suspended or limited"));
    }
    if body.quotas != before.body.quotas {
        quota::check(engine, before, &body.quotas)?;
    }
    let after = Organisation { body, ..before.clone() };
    let action = match (before.body.suspended, after.body.suspended) {
        (false, true) => "organisation.suspend",
        (true, false) => "organisation.resume",
        _ => "organisation.update",
    };
    let place = (before.id.as_str(), before.id.as_str());
    let mut through = by.audited(engine, action, place, json!(before.body), json!(after.body));
    through = match (before.body.suspended, after.body.suspended) {
        (false, true) => told(&through, EventKind::OrganisationSuspended, &after),
        (true, false) => told(&through, EventKind::OrganisationResumed, &after),
        _ => through,
    };
    through.change(vec![after.put()?])?;
    Organisation::require(engine, &before.id)
}

/// Keeps an organisation's members, and those of the ones under it, from acting. One that is suspended stays so.
pub fn suspend(engine: &Engine, by: &By, name: &str, reason: &str) -> Result<Organisation, Problem> {
    if reason.len() > 500 || reason.contains(char::is_control) {
        return Err(wrong("/reason", "a reason has at most 500 bytes, in one line".into()));
    }
    let before = Organisation::require(engine, name)?;
    if before.body.suspended {
        return Ok(before);
    }
    let body = OrganisationBody { suspended: true, reason: reason.trim().to_owned(), ..before.body.clone() };
    update(engine, by, &before, body)
}

/// Lets them act again.
pub fn resume(engine: &Engine, by: &By, name: &str) -> Result<Organisation, Problem> {
    let before = Organisation::require(engine, name)?;
    if !before.body.suspended {
        return Ok(before);
    }
    let body = OrganisationBody { suspended: false, reason: String::new(), ..before.body.clone() };
    update(engine, by, &before, body)
}

/// What is in an organisation, in words, and how much.
pub fn contents(engine: &Engine, name: &str) -> Result<Vec<(&'static str, u64)>, Problem> {
    let open = RunState::ALL.iter().copied().filter(|state| !state.is_ended());
    let runs = RunFilter { states: open.collect(), organisation: Some(name.to_owned()), ..RunFilter::default() };
    let live = ResourceFilter {
        open_only: true,
        organisation: Some(name.to_owned()),
        limit: 1_000,
        ..ResourceFilter::default()
    };
    let found = [
        ("organisations under it", Quota::Customers.used(engine, name)?),
        ("members", quota::members(engine, name)?.len() as u64),
        ("open runs", engine.count_runs(&runs, 10_000)?),
        ("accounts with credit", credits(engine, name)?),
        ("things that its runs have made", engine.resources_where(&live)?.len() as u64),
        ("secrets", Quota::Secrets.used(engine, name)?),
        ("schedules, webhooks and triggers", Quota::Schedules.used(engine, name)?),
        ("approved plugins", Quota::Plugins.used(engine, name)?),
    ];
    Ok(found.into_iter().filter(|(_, count)| *count > 0).collect())
}

/// In how many currencies its credit isn't 0: whoever gets its name later would get the money, too.
fn credits(engine: &Engine, name: &str) -> Result<u64, Problem> {
    let balances = engine.ledger_balances(Some(name))?;
    Ok(balances.iter().filter(|one| one.name == CREDIT && one.amount != 0).count() as u64)
}

/// Those of its contents that nobody removes with it: they go first, one by one.
const STAY: [&str; 4] =
    ["organisations under it", "open runs", "things that its runs have made", "accounts with credit"];

/// Does something while nobody else changes a secret.
pub type Removing<'a> = dyn Fn(&mut dyn FnMut() -> Result<(), Problem>) -> Result<(), Problem> + 'a;

/// Removes an organisation: an empty one, or with `offboard` one that is suspended, with its members, tokens, secrets,
/// schedules and plugins; `removing` keeps secrets from being changed by others meanwhile. Its ended runs and its entries in the audit log stay until their own time is over.
pub fn remove(
    engine: &Engine,
    by: &By,
    organisation: &Organisation,
    offboard: bool,
    removing: &Removing<'_>,
) -> Result<(), Problem> {
    let name = organisation.id.as_str();
    if name == PLATFORM {
        return Err(Problem::new(Code::InvalidInput, "the platform itself can't be removed"));
    }
    if offboard && !organisation.body.suspended {
        return Err(Problem::new(Code::Conflict, format!("the organisation `{name}` isn't suspended"))
            .help("suspend it first: then nothing new begins in it while it is taken apart"));
    }
    let found = contents(engine, name)?;
    let in_the_way: Vec<_> = found.iter().filter(|(what, _)| !offboard || STAY.contains(what)).collect();
    if !in_the_way.is_empty() {
        let list: Vec<String> = in_the_way.iter().map(|(what, count)| format!("{count} {what}")).collect();
        let data: Value = in_the_way.iter().map(|(what, count)| json!({ "what": what, "count": count })).collect();
        let help = match offboard {
            true => {
                "cancel its runs, and have what they made removed; remove the organisations under it first, and write its \
                 credit off (`franchise/offboard` does)"
            }
            false => "remove them first; one that is suspended can be offboarded with all that is its own",
        };
        return Err(Problem::new(Code::Conflict, format!("the organisation `{name}` has {}", list.join(", ")))
            .help(help)
            .data(json!({ "contents": data })));
    }
    let mut changes = removal(engine, organisation)?;
    if has_lived(engine, name)? {
        changes.push(Change::Put {
            kind: GONE.into(),
            id: name.to_owned(),
            organisation: PLATFORM.into(),
            body: json!({}),
            keys: Vec::new(),
            expires_at_ms: None,
            expected: Expected::Any,
        });
    }
    let audited =
        by.audited(engine, "organisation.delete", (name, name), json!(organisation.body), json!({ "had": found }));
    let told = told(&audited, EventKind::OrganisationRemoved, organisation);
    // What is refused leaves its secrets, too.
    let removed = removing(&mut || {
        let mut secrets = engine.secrets()?;
        secrets.retain(|secret| quota::secret_owner(&secret.name) == name);
        let forgotten = secrets.into_iter().map(|secret| {
            let before = json!({ "to": secret.policy["to"] });
            let entry = by.entry("secret.delete", (name, &secret.name), before, Value::Null);
            (secret.name, entry)
        });
        told.change_and_forget(changes.clone(), forgotten.collect())
    });
    removed.map_err(|problem| match quota::is_overtaken(&problem) {
        true => Problem::new(Code::Conflict, format!("something was made in the organisation `{name}` at this moment"))
            .help("look at what is in it now, and try again"),
        false => problem,
    })
}

/// Whether anything of its own stays when it is removed: runs, what is booked, or entries in the audit log of what its
/// members did.
fn has_lived(engine: &Engine, name: &str) -> Result<bool, Problem> {
    const READ: u32 = 500;
    let runs = RunFilter { organisation: Some(name.to_owned()), ..RunFilter::default() };
    if engine.count_runs(&runs, 1)? > 0 {
        return Ok(true);
    }
    let booked = EntryFilter { organisations: Some(vec![name.to_owned()]), before: None, limit: 1 };
    if !engine.ledger_entries(&booked)?.is_empty() {
        return Ok(true);
    }
    let filter = AuditFilter { organisations: Some(vec![name.to_owned()]), limit: READ, ..AuditFilter::default() };
    let entries = engine.audit_log(&filter)?;
    let about_it = |entry: &AuditRecord| {
        ["organisation.", "environment.", "invitation."].iter().any(|begins| entry.action.starts_with(begins))
    };
    Ok(entries.len() >= READ as usize || !entries.iter().all(about_it))
}

/// Everything that goes with it. Its version is expected: whoever changes it meanwhile is heard.
fn removal(engine: &Engine, organisation: &Organisation) -> Result<Vec<Change>, Problem> {
    let name = organisation.id.as_str();
    let own = DocumentFilter { organisations: Some(vec![name.to_owned()]), ..DocumentFilter::default() };
    let expected = Expected::Version(organisation.version);
    let mut changes = vec![
        Change::Delete { kind: "organisation".into(), id: name.to_owned(), expected },
        tree::guard(engine, name, "below")?,
    ];
    for user in quota::members(engine, name)? {
        let stays = user.organisation != name || users::is_platform_admin(&user.body);
        if !stays {
            changes.push(user.delete());
            changes.extend(users::sessions(engine, &user.id)?.iter().map(Session::delete));
        } else {
            let mut bindings = user.body.bindings.clone();
            bindings.retain(|binding| binding.organisation != name);
            let body = UserBody { bindings, ..user.body.clone() };
            let organisation = if user.organisation == name { PLATFORM.to_owned() } else { user.organisation.clone() };
            changes.push(User { body, organisation, ..user }.put()?);
        }
    }
    changes.extend(Token::all(engine, &own, |_| true)?.iter().map(Token::delete));
    changes.extend(Invitation::all(engine, &own, |_| true)?.iter().map(Invitation::delete));
    changes.extend(Environment::all(engine, &own, |_| true)?.iter().map(Environment::delete));
    changes.extend(Brand::all(engine, &own, |_| true)?.iter().map(Brand::delete));
    rules::<ScheduleBody>(engine, &own, &mut changes)?;
    rules::<WebhookBody>(engine, &own, &mut changes)?;
    rules::<TriggerBody>(engine, &own, &mut changes)?;
    for kind in ["plugin_approval", lab_drawings::KIND] {
        let mut theirs = DocumentFilter { kind: kind.into(), limit: 1_000, ..own.clone() };
        loop {
            let page = engine.documents(&theirs)?;
            let Some(last) = page.last() else { break };
            theirs.after = Some(last.id.clone());
            let delete = |it: Document| Change::Delete { kind: it.kind, id: it.id, expected: Expected::Any };
            changes.extend(page.into_iter().map(delete));
        }
    }
    Ok(changes)
}

fn rules<T: Rule>(engine: &Engine, own: &DocumentFilter, changes: &mut Vec<Change>) -> Result<(), Problem> {
    changes.extend(Kept::<T>::all(engine, own, |_| true)?.iter().map(Kept::delete));
    Ok(())
}
