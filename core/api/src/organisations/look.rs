//! How an organisation looks to whoever meets it: as its own brand says, or the nearest one above it that has a brand.

use schemars::JsonSchema;
use serde::Serialize;
use windlass_engine::Engine;
use windlass_model::{Code, Problem};

use super::{
    found,
    kept::{Brand, Colours},
    tree,
};
use crate::{
    Access, Answer, Request, Route,
    auth::kept::{Organisation, PLATFORM},
};

/// What pages put at their top, and are coloured with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Look {
    /// What stands at the top; how people call the organisation, if no brand says anything. Empty: the installation's own.
    pub(crate) title: String,
    /// An image, as the brand has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logo: Option<String>,
    /// Its colours.
    pub(crate) colours: Colours,
    /// Whether a brand says so, its own or one above it.
    pub(crate) branded: bool,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/organisations/{name}/look", "organisations", "How an organisation's pages look")
            .describe("Its own brand; without one, that of the organisation above it: a franchisee's customers see the franchisee's.")
            .access(Access::Known)
            .answers::<Look>(200)
            .problems(&[Code::NotFound])
            .handle(show),
    ]
}

fn show(request: Request) -> Result<Answer, Problem> {
    let (organisation, _) = found(&request)?;
    Answer::json(&of(&request.api.engine, &organisation.id)?)
}

/// How the organisation of this name looks.
pub(crate) fn of(engine: &Engine, name: &str) -> Result<Look, Problem> {
    let chain = tree::chain(engine, name)?;
    let above = chain.iter().map(|one| (one.id.as_str(), one.body.title.as_str())).chain([(PLATFORM, "")]);
    for (id, title) in above {
        let Some(brand) = Brand::find(engine, id)? else { continue };
        let said = if brand.body.title.is_empty() { title } else { brand.body.title.as_str() };
        return Ok(Look { title: said.to_owned(), logo: brand.body.logo, colours: brand.body.colours, branded: true });
    }
    let title = match chain.into_iter().next() {
        Some(own) => own.body.title,
        None => Organisation::find(engine, name)?.map(|own| own.body.title).unwrap_or_default(),
    };
    Ok(Look { title, ..Look::default() })
}
