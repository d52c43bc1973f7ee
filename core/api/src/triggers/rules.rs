//! What schedules, webhooks and triggers share: who may see and change them, how they are named, listed and owned.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{Code, Problem, document::DocumentFilter};

use super::{
    act::is_reserved,
    kept::{About, Grant, Owner, Rule},
};
use crate::{
    Permission, Request,
    auth::{
        access::Proof,
        kept::{By, Kept, PLATFORM, Token, User},
        users::require_organisation,
    },
    organisations::tree,
    page::{self, Page},
};

/// Of one kind in one organisation, at most.
const MOST: usize = 1_000;
/// Bytes of an input or a payload, at most.
const INPUT_BYTES: usize = 256 << 10;

/// Which of them.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RulesQuery {
    /// Of this organisation.
    organisation: Option<String>,
    /// Of this name.
    name: Option<String>,
    /// On a page, 1 to 500.
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
}

fn wrong(pointer: &str, message: String) -> Problem {
    Problem::new(Code::InvalidInput, message).data(json!({ "pointer": pointer }))
}

/// The one that the path names, if whoever asks may see it and do this to it.
pub fn found<T: Rule>(request: &Request, permission: Permission) -> Result<Kept<T>, Problem> {
    let rule = Kept::<T>::find(&request.api.engine, request.parameter("id"))?
        .filter(|rule| request.may(Permission::Read, &rule.organisation, rule.body.workflow()))
        .ok_or_else(|| Problem::new(Code::NotFound, format!("there is no such {}", T::WORD)))?;
    request.require(permission, &rule.organisation, rule.body.workflow())?;
    Ok(rule)
}

/// A page of those that whoever asks may see.
pub fn page<T: Rule, V>(
    request: &Request,
    view: impl Fn(&Kept<T>) -> Result<V, Problem>,
    id: impl Fn(&V) -> String,
) -> Result<Page<V>, Problem> {
    let query: RulesQuery = request.query()?;
    let limit = page::limit(query.limit);
    let organisations = match (query.organisation, request.principal.scopes(Permission::Read)) {
        (Some(one), _) => Some(vec![one]),
        (None, None) => None,
        (None, Some(scopes)) if scopes.iter().any(|scope| scope.organisation == "*") => None,
        (None, Some(scopes)) => Some(scopes.into_iter().map(|scope| scope.organisation).collect()),
    };
    let mut filter = DocumentFilter { organisations, after: query.cursor, limit: 500, ..DocumentFilter::default() };
    let fits = |rule: &Kept<T>| {
        query.name.as_ref().is_none_or(|name| rule.body.about().name == *name)
            && request.may(Permission::Read, &rule.organisation, rule.body.workflow())
    };
    let mut all = Vec::new();
    loop {
        let found = Kept::<T>::list(&request.api.engine, filter.clone())?;
        let last = found.last().map(|last| last.id.clone());
        let full = found.len() == filter.limit as usize;
        all.extend(found.into_iter().filter(&fits));
        filter.after = last;
        if all.len() > limit as usize || !full {
            break;
        }
    }
    all.truncate(limit as usize + 1);
    let views = all.iter().map(view).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::of(views, limit, id))
}

/// Where something new belongs: where it is said, else where whoever asks may make it.
pub fn organisation(request: &Request, named: Option<String>, workflow: &str) -> Result<String, Problem> {
    let own = || {
        let scopes = request.principal.scopes(Permission::Edit).unwrap_or_default();
        let own =
            scopes.into_iter().find(|scope| scope.organisation != "*" && scope.covers(&scope.organisation, workflow));
        own.map_or(PLATFORM.to_owned(), |scope| scope.organisation)
    };
    let organisation = match named {
        Some(organisation) => organisation,
        None if request.may(Permission::Edit, PLATFORM, workflow) => PLATFORM.to_owned(),
        None => own(),
    };
    request.require(Permission::Edit, &organisation, workflow)?;
    if organisation != PLATFORM {
        require_organisation(&request.api.engine, &organisation)
            .map_err(|problem| problem.data(json!({ "pointer": "/organisation" })))?;
        tree::require_active(&request.api.engine, &organisation)?;
    }
    Ok(organisation)
}

/// The user whose doing the request is, and what the token allows that it was sent with.
pub fn owner(request: &Request) -> Result<Owner, Problem> {
    let engine = &request.api.engine;
    let user = User::require(engine, request.principal.person())?;
    let grant = match &request.principal.proof {
        Proof::Token(id) => {
            let token = Token::require(engine, id)?;
            Some(Grant { bindings: token.body.bindings, expires_at_ms: token.expires_at_ms })
        }
        _ => None,
    };
    Ok(Owner { user, grant })
}

/// A name, if it can be one.
pub fn checked_name(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    match name.is_empty() || name.len() > 100 || name.contains(|letter: char| letter.is_control() || letter == '|') {
        true => Err(wrong("/name", "a name has 1 to 100 bytes in one line, without `|`".into())),
        false => Ok(name.to_owned()),
    }
}

/// A description, if it isn't too long.
pub fn checked_description(text: String) -> Result<String, Problem> {
    match text.len() > 2_000 || text.contains('\0') {
        true => Err(wrong("/description", "a description has at most 2,000 bytes".into())),
        false => Ok(text),
    }
}

/// Tags that people may give.
pub fn checked_tags(tags: &[String], pointer: &str) -> Result<(), Problem> {
    if tags.len() > 16 {
        return Err(wrong(pointer, "at most 16 tags".into()));
    }
    let fits = |tag: &String| (1..=128).contains(&tag.chars().count()) && !tag.contains('\0') && !is_reserved(tag);
    match tags.iter().position(|tag| !fits(tag)) {
        Some(index) => Err(wrong(
            &format!("{pointer}/{index}"),
            "a tag has 1 to 128 characters, and none of the prefixes that are kept for us".into(),
        )),
        None => Ok(()),
    }
}

/// An input or a payload, if its places can be read.
pub fn checked_template(template: &Value, pointer: &str) -> Result<(), Problem> {
    if template.to_string().len() > INPUT_BYTES {
        return Err(wrong(pointer, format!("it has more than {INPUT_BYTES} bytes")));
    }
    super::template::check(template, pointer)
}

/// Refuses one more than an organisation may have.
pub fn require_room<T: Rule>(engine: &Engine, organisation: &str) -> Result<(), Problem> {
    let filter = DocumentFilter { organisations: Some(vec![organisation.to_owned()]), ..DocumentFilter::default() };
    match Kept::<T>::all(engine, &filter, |_| true)?.len() >= MOST {
        true => Err(Problem::new(Code::LimitExceeded, format!("`{organisation}` has {MOST} {}s already", T::WORD))
            .help("remove those that aren't used any more")),
        false => Ok(()),
    }
}

/// Who it is, and for whom it acts from now on.
pub fn about(name: String, description: String, organisation: &str, owner: &Owner, paused: bool) -> About {
    About {
        name,
        description,
        organisation: organisation.to_owned(),
        owner: owner.user.id.clone(),
        owner_uid: owner.user.body.uid.clone(),
        grant: owner.grant.clone(),
        paused,
    }
}

/// What every change to one of them may say.
#[derive(Default)]
pub struct AboutChange {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it is at rest.
    pub paused: Option<bool>,
}

/// Changes them. Whoever does so is the owner from now on.
pub fn change_about(about: &mut About, change: AboutChange, owner: &Owner) -> Result<(), Problem> {
    if let Some(name) = change.name {
        about.name = checked_name(&name)?;
    }
    if let Some(description) = change.description {
        about.description = checked_description(description)?;
    }
    about.paused = change.paused.unwrap_or(about.paused);
    about.owner.clone_from(&owner.user.id);
    about.owner_uid.clone_from(&owner.user.body.uid);
    about.grant.clone_from(&owner.grant);
    Ok(())
}

/// An engine that notes a change of this rule.
pub fn audited<T: Rule>(engine: &Engine, by: &By, verb: &str, rule: &Kept<T>, before: Value, after: Value) -> Engine {
    by.audited(engine, &format!("{}.{verb}", T::WORD), (&rule.organisation, &rule.id), before, after)
}

/// Whether the workflow is there, and takes the input; one that has places to fill in is looked at when they are.
pub fn check_workflow(engine: &Engine, workflow: &str, input: &Value, pointer: &str) -> Result<(), Problem> {
    match super::template::has_places(input) {
        true => engine.check_workflow(workflow),
        false => engine
            .check_input(workflow, super::template::fill(input, &Value::Null, pointer, engine.input_bytes())?)
            .map_err(|problem| crate::runs::below(pointer, problem)),
    }
}
