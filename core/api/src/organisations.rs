//! Organisations: whose runs, users and workflows are whose. The platform's admins make and suspend them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_model::{Code, Problem, document::DocumentFilter};

use crate::{
    Access, Answer, Permission, Request, Route,
    auth::{
        self,
        kept::{Kept, Organisation, OrganisationBody, PLATFORM},
        users,
    },
    page::{self, Page},
};

/// An organisation.
#[derive(Serialize, JsonSchema)]
struct OrganisationView {
    /// The name, which never changes.
    name: String,
    /// How people call it.
    title: String,
    /// Whether its members are kept from acting in it.
    suspended: bool,
    /// When it was made.
    created_at_ms: i64,
    /// Rises with every change; `ETag` and `If-Match`.
    version: i64,
}

/// An organisation to be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewOrganisation {
    /// The name: letters, digits and `._-`; never changes.
    name: String,
    /// How people call it.
    #[serde(default)]
    title: String,
}

/// What is to be changed; what isn't given stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OrganisationChange {
    /// How people call it.
    title: Option<String>,
    /// Whether its members are kept from acting in it.
    suspended: Option<bool>,
}

/// Which organisations.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct OrganisationsQuery {
    /// Organisations on a page, 1 to 500.
    limit: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/organisations", "organisations", "List the organisations that one may see")
            .access(Access::Known)
            .query::<OrganisationsQuery>()
            .answers::<Page<OrganisationView>>(200)
            .problems(&[Code::InvalidInput])
            .handle(list),
        Route::post("/api/v1/organisations", "organisations", "Make an organisation")
            .access(Access::Can(Permission::Administer))
            .body::<NewOrganisation>()
            .answers::<OrganisationView>(201)
            .problems(&[Code::InvalidInput, Code::Conflict])
            .handle(create),
        Route::get("/api/v1/organisations/{name}", "organisations", "Show an organisation")
            .access(Access::Known)
            .answers::<OrganisationView>(200)
            .problems(&[Code::NotFound])
            .handle(show),
        Route::patch("/api/v1/organisations/{name}", "organisations", "Rename or suspend an organisation")
            .describe("Members of a suspended organisation can't act in it; its runs go on.")
            .access(Access::Can(Permission::Administer))
            .headers(&[("If-Match", "The version that the change is meant for, as in `ETag`")])
            .body::<OrganisationChange>()
            .answers::<OrganisationView>(200)
            .problems(&[Code::InvalidInput, Code::NotFound, Code::Conflict, Code::PreconditionFailed])
            .handle(change),
    ]
}

fn view(organisation: &Organisation) -> OrganisationView {
    OrganisationView {
        name: organisation.id.clone(),
        title: organisation.body.title.clone(),
        suspended: organisation.body.suspended,
        created_at_ms: organisation.created_at_ms,
        version: organisation.version,
    }
}

/// Whether whoever asks has anything to do with it.
fn is_seen(request: &Request, name: &str) -> bool {
    let scopes = request.principal.bindings.iter();
    scopes.map(|(_, scope)| scope.organisation.as_str()).any(|held| held == "*" || held == name)
}

fn found(request: &Request) -> Result<Organisation, Problem> {
    let name = request.parameter("name");
    let organisation = Organisation::find(&request.api.engine, name)?.filter(|found| is_seen(request, &found.id));
    organisation.ok_or_else(|| Problem::new(Code::NotFound, "there is no such organisation"))
}

fn list(request: Request) -> Result<Answer, Problem> {
    let query: OrganisationsQuery = request.query()?;
    let limit = page::limit(query.limit);
    let filter = DocumentFilter { after: query.cursor, ..DocumentFilter::default() };
    let mut all = Organisation::all(&request.api.engine, &filter, |found| is_seen(&request, &found.id))?;
    all.truncate(limit as usize + 1);
    Answer::json(&Page::of(all.iter().map(view).collect(), limit, |item: &OrganisationView| item.name.clone()))
}

fn create(request: Request) -> Result<Answer, Problem> {
    request.require_in(Permission::Administer, "*")?;
    let new: NewOrganisation = request.json()?;
    let name = users::checked_name(&new.name)?;
    let body = OrganisationBody { title: checked_title(new.title, &name)?, suspended: false };
    let after = json!(body);
    let organisation: Organisation = Kept::new(&name, &name, body);
    let audited = request.audited("organisation.create", &name, &name, Value::Null, after);
    audited.change(vec![organisation.put()?])?;
    answer(&request, &name, true)
}

fn checked_title(title: String, name: &str) -> Result<String, Problem> {
    if title.len() > 200 || title.contains(char::is_control) {
        let problem = Problem::new(Code::InvalidInput, "a title has at most 200 bytes, in one line");
        return Err(problem.data(json!({ "pointer": "/title" })));
    }
    Ok(if title.trim().is_empty() { name.to_owned() } else { title.trim().to_owned() })
}

fn answer(request: &Request, name: &str, made: bool) -> Result<Answer, Problem> {
    let organisation = Organisation::require(&request.api.engine, name)?;
    let answer = match made {
        true => Answer::created(&format!("/api/v1/organisations/{name}"), &view(&organisation)),
        false => Answer::json(&view(&organisation)),
    };
    Ok(answer?.version(organisation.version))
}

fn show(request: Request) -> Result<Answer, Problem> {
    let organisation = found(&request)?;
    Ok(Answer::json(&view(&organisation))?.version(organisation.version))
}

fn change(request: Request) -> Result<Answer, Problem> {
    request.require_in(Permission::Administer, "*")?;
    let before = found(&request)?;
    let change: OrganisationChange = request.json()?;
    auth::if_match(&request, before.version)?;
    let mut after = before.clone();
    if let Some(title) = change.title {
        after.body.title = checked_title(title, &before.id)?;
    }
    after.body.suspended = change.suspended.unwrap_or(before.body.suspended);
    if after.id == PLATFORM && after.body.suspended {
        return Err(Problem::new(Code::InvalidInput, "the platform itself can't be suspended"));
    }
    let audited = request.audited("organisation.update", &before.id, &before.id, json!(before.body), json!(after.body));
    audited.change(vec![after.put()?])?;
    request.api.auth.forget();
    answer(&request, &before.id, false)
}
