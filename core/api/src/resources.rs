//! The inventory: what runs have made and what became of it; and the locks that they hold.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_model::{
    Code, Problem, ResourceRef, ResourceState, RunId, query::ResourceFilter, resource::ResourceRecord,
};

use crate::{
    Access, Answer, Permission, Request, Route,
    page::{self, Page},
    runs::{
        self,
        filter::clean,
        things::{self, ResourceView},
    },
};

/// Which things.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ResourcesQuery {
    /// Kept by this provider: `net`.
    provider: Option<String>,
    /// Of this kind: `namespace`.
    kind: Option<String>,
    /// Whose id begins so.
    prefix: Option<String>,
    /// In one of these states: a comma list. If nothing is said: what is there, or perhaps there.
    state: Option<String>,
    /// Made by this run.
    run: Option<String>,
    /// Of this organisation.
    organisation: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// At most so many on a page: 1 to 500, 50 if nothing is said.
    limit: Option<u32>,
}

/// A lock that is held.
#[derive(Serialize, JsonSchema)]
struct LockView {
    /// Its name.
    name: String,
    /// Who holds it.
    run: String,
    /// Since when.
    acquired_at_ms: i64,
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/resources", "resources", "What runs have made")
            .access(Access::Can(Permission::Read))
            .query::<ResourcesQuery>()
            .answers::<Page<ResourceView>>(200)
            .problems(&[Code::InvalidInput, Code::RunNotFound])
            .handle(list),
        Route::get("/api/v1/locks", "resources", "Locks that runs hold")
            .access(Access::Can(Permission::Read))
            .answers::<Vec<LockView>>(200)
            .handle(locks),
    ]
}

/// Which runs may be seen: each is looked up once.
struct Sight<'a> {
    request: &'a Request,
    everything: bool,
    known: HashMap<RunId, bool>,
}

impl<'a> Sight<'a> {
    fn of(request: &'a Request) -> Self {
        let everything = request.principal.scopes(Permission::Read).is_none();
        Self { request, everything, known: HashMap::new() }
    }

    fn sees(&mut self, run: &RunId) -> Result<bool, Problem> {
        if self.everything {
            return Ok(true);
        }
        if let Some(seen) = self.known.get(run) {
            return Ok(*seen);
        }
        let record = self.request.api.engine.run(run)?;
        let seen = record.is_some_and(|run| self.request.may(Permission::Read, &run.organisation, &run.workflow));
        self.known.insert(run.clone(), seen);
        Ok(seen)
    }
}

fn list(request: Request) -> Result<Answer, Problem> {
    let query: ResourcesQuery = request.query()?;
    let states = states(query.state.as_deref())?;
    let limit = page::limit(query.limit);
    let run = query.run.as_deref().map(|run| runs::visible(&request, run)).transpose()?.map(|run| run.id);
    let filter = ResourceFilter {
        run,
        open_only: states.is_empty(),
        states,
        scopes: request.principal.scopes(Permission::Read),
        organisation: query
            .organisation
            .as_deref()
            .map(|text| clean("organisation", text).map(str::to_owned))
            .transpose()?,
        provider: query.provider.as_deref().map(|text| clean("provider", text).map(str::to_owned)).transpose()?,
        kind: query.kind.as_deref().map(|text| clean("kind", text).map(str::to_owned)).transpose()?,
        id_prefix: query.prefix.as_deref().map(|text| clean("prefix", text).map(str::to_owned)).transpose()?,
        after: query.cursor.as_deref().map(after).transpose()?,
        limit: limit + 1,
    };
    let found = request.api.engine.resources_where(&filter)?;
    let page = Page::of(found, limit, place);
    Answer::json(&Page { items: things::shown(&request, page.items)?, next: page.next })
}

/// Order of the list, and its cursor: newest last, things of one run and time together.
fn place(row: &ResourceRecord) -> String {
    let thing = &row.resource;
    format!("{}/{}/{}/{}/{}", row.created_at_ms, row.run, thing.provider, thing.kind, thing.id)
}

fn after(cursor: &str) -> Result<(i64, RunId, ResourceRef), Problem> {
    let wrong = || Problem::new(Code::InvalidInput, "that is no cursor").data(json!({ "parameter": "cursor" }));
    let mut parts = clean("cursor", cursor)?.splitn(5, '/');
    let mut part = || parts.next().ok_or_else(wrong);
    let made_ms = part()?.parse().map_err(|_| wrong())?;
    let run = RunId::from(part()?);
    Ok((made_ms, run, ResourceRef { provider: part()?.into(), kind: part()?.into(), id: part()?.into() }))
}

fn states(list: Option<&str>) -> Result<Vec<ResourceState>, Problem> {
    let words = list.into_iter().flat_map(|list| list.split(',')).map(str::trim).filter(|word| !word.is_empty());
    let parsed = words.map(|word| {
        ResourceState::parse(word).ok_or_else(|| {
            let all: Vec<&str> = ResourceState::ALL.iter().map(|state| state.as_str()).collect();
            Problem::new(Code::InvalidInput, format!("`{word}` isn't a thing's state"))
                .help(format!("states: {}", all.join(", ")))
                .data(json!({ "parameter": "state" }))
        })
    });
    parsed.collect()
}

fn locks(request: Request) -> Result<Answer, Problem> {
    let mut sight = Sight::of(&request);
    let mut seen = Vec::new();
    for lock in request.api.engine.locks()? {
        if sight.sees(&lock.run)? {
            seen.push(LockView { name: lock.name, run: lock.run.to_string(), acquired_at_ms: lock.acquired_at_ms });
        }
    }
    Answer::json(&seen)
}
