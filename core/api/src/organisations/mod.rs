//! Organisations: whose runs, users and workflows are whose. The platform stands above franchisees, a franchisee above its
//! customers. Whoever manages the one above makes, limits, suspends and removes those under it, and sees how much they use; what
//! is theirs (runs, secrets, consoles, the audit log) is their members' own.

pub mod brand;
pub mod environments;
pub mod kept;
pub(crate) mod look;
mod places;
pub mod quota;
pub mod rules;
pub mod tree;
mod usage;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_model::{Code, Problem, document::DocumentFilter};

use self::{rules::NewOrganisation, tree::Standing};
use crate::{
    Access, Answer, Permission, Request, Route,
    auth::{
        self,
        kept::{Organisation, OrganisationBody, OrganisationKind, PLATFORM, Quotas},
    },
    page::{self, Page},
    vouchers,
};

/// An organisation.
#[derive(Serialize, JsonSchema)]
struct OrganisationView {
    /// The name, which never changes.
    name: String,
    /// How people call it.
    title: String,
    /// What it is.
    kind: OrganisationKind,
    /// The organisation that it is under; absent for the platform, and for those who have nothing to do with that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    /// Whether its members are kept from acting in it.
    suspended: bool,
    /// Why, if somebody has said so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
    /// How much it may have, together with those under it.
    quotas: Quotas,
    /// When it was made.
    created_at_ms: i64,
    /// Rises with every change; `ETag` and `If-Match`.
    version: i64,
}

/// An organisation to be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewBody {
    /// The name: letters, digits and `._-`; never changes.
    name: String,
    /// How people call it.
    #[serde(default)]
    title: String,
    /// What it is; a customer, if nothing is said.
    #[serde(default)]
    kind: OrganisationKind,
    /// The organisation that it is under: the platform, or a franchisee. If nothing is said, the one that you manage.
    parent: Option<String>,
    /// How much it may have.
    #[serde(default)]
    quotas: Quotas,
}

/// What is to be changed; what isn't given stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OrganisationChange {
    /// How people call it.
    title: Option<String>,
    /// Whether its members are kept from acting in it; for whoever stands above it.
    suspended: Option<bool>,
}

/// Why it is suspended.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct SuspendBody {
    /// For its members, and for the audit log.
    reason: String,
}

/// How it is removed.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RemoveQuery {
    /// With its members, tokens, secrets, schedules and plugins. It has to be suspended.
    offboard: bool,
}

/// Which organisations.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct OrganisationsQuery {
    /// Under this one.
    parent: Option<String>,
    /// Organisations on a page, 1 to 500.
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
}

const IF_MATCH: &[(&str, &str)] = &[("If-Match", "The version that the change is meant for, as in `ETag`")];

pub(crate) fn routes() -> Vec<Route> {
    let above = Access::Can(Permission::Manage);
    let own = vec![
        Route::get("/api/v1/organisations", "organisations", "List the organisations that one may see")
            .describe("Those that one holds something in, and those under what one manages.")
            .access(Access::Known)
            .query::<OrganisationsQuery>()
            .answers::<Page<OrganisationView>>(200)
            .problems(&[Code::InvalidInput])
            .handle(list),
        Route::post("/api/v1/organisations", "organisations", "Make an organisation under another one")
            .describe("The platform makes franchisees and customers; whoever manages a franchisee makes customers under it.")
            .access(above)
            .body::<NewBody>()
            .answers::<OrganisationView>(201)
            .problems(&[Code::InvalidInput, Code::Conflict, Code::LimitExceeded, Code::PermissionDenied])
            .handle(create),
        Route::get("/api/v1/organisations/{name}", "organisations", "Show an organisation")
            .access(Access::Known)
            .answers::<OrganisationView>(200)
            .problems(&[Code::NotFound])
            .handle(show),
        Route::patch("/api/v1/organisations/{name}", "organisations", "Rename or suspend an organisation")
            .describe("Its managers rename it; whoever manages the one above suspends it, too.")
            .access(above)
            .headers(IF_MATCH)
            .body::<OrganisationChange>()
            .answers::<OrganisationView>(200)
            .problems(&[Code::InvalidInput, Code::NotFound, Code::Conflict, Code::PreconditionFailed])
            .handle(change),
        Route::delete("/api/v1/organisations/{name}", "organisations", "Remove an organisation")
            .describe(
                "One that is empty; or with `offboard`, one that is suspended, with its members, tokens, secrets, schedules and \
                 plugins. Organisations under it, open runs and things that runs have made have to be gone first. Ended runs \
                 and the audit log stay until their own time is over.",
            )
            .access(above)
            .query::<RemoveQuery>()
            .answers_nothing()
            .problems(&[Code::NotFound, Code::Conflict])
            .handle(remove),
        Route::post("/api/v1/organisations/{name}/suspend", "organisations", "Keep an organisation's members from acting")
            .describe(
                "Those of the organisations under it, too. Their tokens are refused; nothing is launched in it, not by schedules, \
                 webhooks or triggers either. Open runs go on to their ends.",
            )
            .access(above)
            .body::<SuspendBody>()
            .answers::<OrganisationView>(200)
            .problems(&[Code::InvalidInput, Code::NotFound, Code::Conflict])
            .handle(suspend),
        Route::post("/api/v1/organisations/{name}/resume", "organisations", "Let an organisation's members act again")
            .access(above)
            .answers::<OrganisationView>(200)
            .problems(&[Code::NotFound, Code::Conflict])
            .handle(resume),
    ];
    [own, usage::routes(), places::routes(), look::routes()].into_iter().flatten().collect()
}

fn view(request: &Request, organisation: &Organisation) -> OrganisationView {
    let parent = tree::parent(organisation).filter(|parent| {
        let near = |name: &str| {
            request.principal.bindings.iter().any(|(_, scope)| ["*", name].contains(&scope.organisation.as_str()))
        };
        near(&organisation.id) || near(parent)
    });
    OrganisationView {
        name: organisation.id.clone(),
        title: organisation.body.title.clone(),
        kind: tree::kind(organisation),
        parent: parent.map(str::to_owned),
        suspended: organisation.body.suspended,
        reason: organisation.body.reason.clone(),
        quotas: organisation.body.quotas.clone(),
        created_at_ms: organisation.created_at_ms,
        version: organisation.version,
    }
}

/// The organisation that the path names, and what whoever asks is to it. One that they have nothing to do with is as if it
/// weren't there.
pub(crate) fn found(request: &Request) -> Result<(Organisation, Standing), Problem> {
    let found = Organisation::find(&request.api.engine, request.parameter("name"))?;
    let seen =
        found.map(|found| (standing(request, &found), found)).filter(|(standing, _)| *standing > Standing::Nobody);
    let (standing, organisation) = seen.ok_or_else(|| Problem::new(Code::NotFound, "there is no such organisation"))?;
    Ok((organisation, standing))
}

fn standing(request: &Request, organisation: &Organisation) -> Standing {
    let everywhere = request.principal.bindings.iter().any(|(_, scope)| scope.organisation == "*");
    tree::standing(&request.principal, organisation).max(if everywhere { Standing::Member } else { Standing::Nobody })
}

/// The same, for what needs more than to see it.
pub(crate) fn found_as(request: &Request, needed: Standing) -> Result<(Organisation, Standing), Problem> {
    let (organisation, standing) = found(request)?;
    if standing >= needed {
        return Ok((organisation, standing));
    }
    if needed <= Standing::Manager {
        return Err(request.principal.denied(Permission::Manage, &organisation.id, "*"));
    }
    let message = format!("this is for whoever manages the organisation that `{}` is under", organisation.id);
    Err(Problem::new(Code::PermissionDenied, message).data(json!({ "organisation": organisation.id })))
}

fn list(request: Request) -> Result<Answer, Problem> {
    let query: OrganisationsQuery = request.query()?;
    let limit = page::limit(query.limit);
    let filter = DocumentFilter { after: query.cursor, ..DocumentFilter::default() };
    let mut all = Organisation::all(&request.api.engine, &filter, |found| {
        standing(&request, found) > Standing::Nobody
            && query.parent.as_deref().is_none_or(|asked| tree::parent(found) == Some(asked))
    })?;
    all.truncate(limit as usize + 1);
    let items = all.iter().map(|one| view(&request, one)).collect();
    Answer::json(&Page::of(items, limit, |item: &OrganisationView| item.name.clone()))
}

fn create(request: Request) -> Result<Answer, Problem> {
    // Before the body is looked at: whoever may make none is refused whatever it says.
    let own = own_parent(&request)?;
    let new: NewBody = request.json()?;
    let parent = new.parent.unwrap_or(own);
    require_above(&request, &parent)?;
    let new = NewOrganisation {
        name: new.name,
        title: new.title,
        kind: new.kind,
        parent: Some(parent),
        quotas: new.quotas,
        made_by: None,
    };
    let organisation = rules::create(&request.api.engine, &auth::by(&request), &new, request.api.config.uids)?;
    let location = format!("/api/v1/organisations/{}", organisation.id);
    Ok(Answer::created(&location, &view(&request, &organisation))?.version(organisation.version))
}

/// Where somebody who names no parent makes organisations: under the platform, or under the franchisee that they manage.
fn own_parent(request: &Request) -> Result<String, Problem> {
    let principal = &request.principal;
    if principal.may(Permission::Administer, PLATFORM, "*") {
        return Ok(PLATFORM.to_owned());
    }
    for name in principal.organisations(Permission::Manage).unwrap_or_default() {
        let found = Organisation::find(&request.api.engine, &name)?;
        if found.is_some_and(|found| tree::kind(&found) == OrganisationKind::Franchisee) {
            return Ok(name);
        }
    }
    Err(principal.denied(Permission::Manage, PLATFORM, "*"))
}

fn require_above(request: &Request, parent: &str) -> Result<(), Problem> {
    let platform = request.may(Permission::Administer, PLATFORM, "*");
    match platform || parent != PLATFORM && request.may(Permission::Manage, parent, "*") {
        true => Ok(()),
        false => Err(request.principal.denied(Permission::Manage, parent, "*")),
    }
}

fn show(request: Request) -> Result<Answer, Problem> {
    let (organisation, _) = found(&request)?;
    Ok(Answer::json(&view(&request, &organisation))?.version(organisation.version))
}

fn answer(request: &Request, organisation: &Organisation) -> Result<Answer, Problem> {
    request.api.auth.forget();
    Ok(Answer::json(&view(request, organisation))?.version(organisation.version))
}

fn change(request: Request) -> Result<Answer, Problem> {
    let (before, _) = found_as(&request, Standing::Manager)?;
    let change: OrganisationChange = request.json()?;
    auth::if_match(&request, before.version)?;
    let mut body = before.body.clone();
    if let Some(title) = change.title {
        body.title = rules::checked_title(&title, &before.id)?;
    }
    if let Some(suspended) = change.suspended
        && suspended != before.body.suspended
    {
        found_as(&request, Standing::Parent)?;
        body = OrganisationBody { suspended, reason: String::new(), ..body };
    }
    let after = rules::update(&request.api.engine, &auth::by(&request), &before, body)?;
    answer(&request, &after)
}

fn remove(request: Request) -> Result<Answer, Problem> {
    let (organisation, _) = found_as(&request, Standing::Parent)?;
    let query: RemoveQuery = request.query()?;
    let api = &request.api;
    let removing = |work: &mut dyn FnMut() -> Result<(), Problem>| api.secrets.removing(work);
    rules::remove(&api.engine, &auth::by(&request), &organisation, query.offboard, &removing)?;
    vouchers::revoke_all(&api.engine, &organisation.id, (&request.principal.actor(), &request.address.to_string()))?;
    api.auth.forget();
    Ok(Answer::nothing())
}

fn suspend(request: Request) -> Result<Answer, Problem> {
    let (organisation, _) = found_as(&request, Standing::Parent)?;
    let body: SuspendBody = request.json_or_default()?;
    let after = rules::suspend(&request.api.engine, &auth::by(&request), &organisation.id, &body.reason)?;
    answer(&request, &after)
}

fn resume(request: Request) -> Result<Answer, Problem> {
    let (organisation, _) = found_as(&request, Standing::Parent)?;
    let after = rules::resume(&request.api.engine, &auth::by(&request), &organisation.id)?;
    answer(&request, &after)
}
