//! Runs: launched, listed, shown and steered, one by one or many at once.

mod bulk;
pub(crate) mod filter;
pub(crate) mod launch;
mod list;
mod show;
mod steer;
pub(crate) mod things;
pub(crate) mod view;

pub(crate) use launch::{below, organisation_of_launch, require_managing, with};
pub(crate) use show::BundleView;
pub(crate) use steer::step;
use windlass_model::{Code, Problem, RunId, query::RunRecord};

use crate::{Permission, Request, Route};

/// Names and texts that end in a database's column.
const TEXT_BYTES: usize = 4_000;

pub(crate) fn routes() -> Vec<Route> {
    [launch::routes(), list::routes(), show::routes(), steer::routes(), bulk::routes()].concat()
}

/// Another run that a request names; one that may not be seen is as if it weren't there.
pub(crate) fn visible(request: &Request, id: &str) -> Result<RunRecord, Problem> {
    let none = || Problem::new(Code::RunNotFound, format!("there is no run `{id}`"));
    let run = request.api.engine.run(&RunId::from(filter::clean("run", id)?))?.ok_or_else(none)?;
    if request.may(Permission::Read, &run.organisation, &run.workflow) { Ok(run) } else { Err(none()) }
}

/// A name or a text of a body: bounded, and as databases can take it.
pub(crate) fn text<'a>(field: &str, text: &'a str) -> Result<&'a str, Problem> {
    let refused = |why: &str| {
        Problem::new(Code::InvalidInput, format!("`{field}` {why}"))
            .data(serde_json::json!({ "pointer": format!("/{field}") }))
    };
    if text.len() > TEXT_BYTES {
        return Err(refused(&format!("has more than {TEXT_BYTES} bytes")));
    }
    if text.contains('\0') { Err(refused("has a NUL character")) } else { Ok(text) }
}
