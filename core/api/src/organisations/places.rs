//! An organisation's environments, and how it looks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_model::{Code, Problem};

use super::{
    brand::{self, NewBrand},
    environments, found, found_as,
    kept::{Brand, Colours, Environment},
    tree::Standing,
};
use crate::{Access, Answer, Permission, Request, Route, auth};

/// A named place of an organisation that apps go into.
#[derive(Serialize, JsonSchema)]
struct EnvironmentView {
    /// Its name, unique in its organisation.
    name: String,
    /// The organisation.
    organisation: String,
    /// The domain that its apps are reached under.
    domain: Option<String>,
    /// The rest: what the workflows that fill it need to know. For members of the organisation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<Value>,
    /// The run that has made it. For members of the organisation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// When it was made.
    created_at_ms: i64,
}

/// How an organisation looks to people.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct BrandView {
    /// What stands at the top of its pages; its title, if it is empty.
    title: String,
    /// An image: `data:image/png;base64,…` (or jpeg, webp) of at most 128 KiB, or an https address.
    #[serde(skip_serializing_if = "Option::is_none")]
    logo: Option<String>,
    /// Its colours. Text and what is behind it have a contrast of 4.5 to 1 at least.
    colours: Colours,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/organisations/{name}/environments", "organisations", "List an organisation's environments")
            .access(Access::Known)
            .answers::<Vec<EnvironmentView>>(200)
            .problems(&[Code::NotFound])
            .handle(list),
        Route::get("/api/v1/organisations/{name}/brand", "organisations", "How an organisation looks")
            .access(Access::Known)
            .answers::<BrandView>(200)
            .problems(&[Code::NotFound])
            .handle(show),
        Route::put("/api/v1/organisations/{name}/brand", "organisations", "Say how an organisation looks")
            .describe("Colours that people couldn't read are refused, with the contrast that they have.")
            .access(Access::Can(Permission::Manage))
            .body::<BrandView>()
            .answers::<BrandView>(200)
            .problems(&[Code::InvalidInput, Code::NotFound, Code::Conflict])
            .handle(put),
        Route::delete("/api/v1/organisations/{name}/brand", "organisations", "Say no more how an organisation looks")
            .describe("It looks like the organisation above it again.")
            .access(Access::Can(Permission::Manage))
            .answers_nothing()
            .problems(&[Code::NotFound])
            .handle(forget),
    ]
}

fn list(request: Request) -> Result<Answer, Problem> {
    let (organisation, standing) = found(&request)?;
    let name = organisation.id.as_str();
    let own = standing == Standing::Platform || request.may(Permission::Read, name, "*");
    let view = |environment: &Environment| EnvironmentView {
        name: environment.body.name.clone(),
        organisation: name.to_owned(),
        domain: environment.body.domain.clone(),
        facts: own.then(|| environment.body.facts.clone()),
        run: environment.body.run.clone().filter(|_| own),
        created_at_ms: environment.created_at_ms,
    };
    Answer::json(&environments::list(&request.api.engine, name)?.iter().map(view).collect::<Vec<_>>())
}

fn view(brand: Option<Brand>) -> BrandView {
    let Some(brand) = brand else { return BrandView::default() };
    BrandView { title: brand.body.title, logo: brand.body.logo, colours: brand.body.colours }
}

fn show(request: Request) -> Result<Answer, Problem> {
    let (organisation, _) = found(&request)?;
    Answer::json(&view(Brand::find(&request.api.engine, &organisation.id)?))
}

fn forget(request: Request) -> Result<Answer, Problem> {
    let (organisation, _) = found_as(&request, Standing::Manager)?;
    brand::forget(&request.api.engine, &auth::by(&request), &organisation.id)?;
    Ok(Answer::nothing())
}

fn put(request: Request) -> Result<Answer, Problem> {
    let (organisation, _) = found_as(&request, Standing::Manager)?;
    // A list would be read as the colours in their order.
    if request.json::<serde_json::Value>()?["colours"].is_array() {
        let problem = windlass_model::Problem::new(windlass_model::Code::InvalidInput, "`colours` has to be an object");
        return Err(problem.data(serde_json::json!({ "pointer": "/colours" })));
    }
    let BrandView { title, logo, colours } = request.json()?;
    let new = NewBrand { title, logo, colours };
    let kept = brand::put(&request.api.engine, &auth::by(&request), &organisation.id, &new, None)?;
    Answer::json(&view(Some(kept)))
}
