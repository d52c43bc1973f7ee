//! How much an organisation has, and how much it may have.

use schemars::JsonSchema;
use serde::Serialize;
use windlass_model::{Code, Problem};

use super::{found, found_as, quota::Quota, rules, tree::Standing};
use crate::{
    Access, Answer, Permission, Request, Route,
    auth::{
        self,
        binding::Binding,
        kept::{OrganisationBody, Quotas, User},
    },
};

/// How much an organisation has of one thing.
#[derive(Serialize, JsonSchema)]
struct UsageView {
    /// Of what.
    quota: Quota,
    /// How many it may have, together with those under it; absent: no limit of its own.
    limit: Option<u64>,
    /// How many it has itself.
    used: u64,
    /// How many it and those under it have: what the limit is compared with.
    together: u64,
}

/// How much an organisation has.
#[derive(Serialize, JsonSchema)]
struct UsagesView {
    /// The organisation.
    organisation: String,
    /// Each thing that can be limited.
    items: Vec<UsageView>,
}

/// A member, as whoever manages the organisation may know them.
#[derive(Serialize, JsonSchema)]
struct MemberView {
    /// The user's name.
    name: String,
    /// How people call them.
    title: String,
    /// Where mail reaches them; for the organisation's own managers.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Whether that is only said by whoever manages them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    email_unproved: bool,
    /// Whether they are kept out.
    disabled: bool,
    /// What they hold in this organisation.
    bindings: Vec<Binding>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/organisations/{name}/usage", "organisations", "How much an organisation has, and may have")
            .access(Access::Known)
            .answers::<UsagesView>(200)
            .problems(&[Code::NotFound])
            .handle(usage),
        Route::put("/api/v1/organisations/{name}/quotas", "organisations", "Say how much an organisation may have")
            .describe(
                "All of it: what isn't given isn't limited from now on. For whoever stands above it, within their own.",
            )
            .access(Access::Can(Permission::Manage))
            .body::<Quotas>()
            .answers::<UsagesView>(200)
            .problems(&[Code::InvalidInput, Code::NotFound, Code::Conflict, Code::LimitExceeded])
            .handle(limit),
        Route::get("/api/v1/organisations/{name}/members", "organisations", "List an organisation's members")
            .access(Access::Can(Permission::Manage))
            .answers::<Vec<MemberView>>(200)
            .problems(&[Code::NotFound])
            .handle(members),
    ]
}

fn answer(request: &Request, name: &str, quotas: &Quotas) -> Result<Answer, Problem> {
    let engine = &request.api.engine;
    let mut items = Vec::new();
    for quota in Quota::ALL {
        items.push(UsageView {
            quota,
            limit: quota.of(quotas),
            used: quota.used(engine, name)?,
            together: quota.used_with_below(engine, name)?,
        });
    }
    Answer::json(&UsagesView { organisation: name.to_owned(), items })
}

fn usage(request: Request) -> Result<Answer, Problem> {
    let (organisation, _) = found(&request)?;
    answer(&request, &organisation.id, &organisation.body.quotas)
}

fn limit(request: Request) -> Result<Answer, Problem> {
    let (before, _) = found_as(&request, Standing::Parent)?;
    let quotas: Quotas = request.json()?;
    let body = OrganisationBody { quotas, ..before.body.clone() };
    let after = rules::update(&request.api.engine, &auth::by(&request), &before, body)?;
    answer(&request, &after.id, &after.body.quotas)
}

fn members(request: Request) -> Result<Answer, Problem> {
    let (organisation, standing) = found_as(&request, Standing::Manager)?;
    let name = organisation.id.as_str();
    let own = standing == Standing::Platform || request.may(Permission::Manage, name, "*");
    let view = |user: &User| MemberView {
        name: user.id.clone(),
        title: user.body.title.clone(),
        email: user.body.email.clone().filter(|_| own),
        email_unproved: own && user.body.email.is_some() && user.body.email_unproved,
        disabled: user.body.disabled,
        // What they hold elsewhere is nobody's business here.
        bindings: user.body.bindings.iter().filter(|held| held.organisation == name).cloned().collect(),
    };
    let all: Vec<_> = super::quota::members(&request.api.engine, name)?.iter().map(view).collect();
    Answer::json(&all)
}
