//! What the machine that the server runs on can do: the findings of `windlass doctor`.

use schemars::JsonSchema;
use serde::Serialize;
use windlass_model::{Code, Problem};

use crate::{
    Access, Answer, Permission, Request, Route,
    services::{Finding, Standing},
};

/// What was looked at on the server's machine.
#[derive(Serialize, JsonSchema)]
struct DoctorView {
    /// What was looked at.
    findings: Vec<FindingView>,
}

/// One thing that was looked at.
#[derive(Serialize, JsonSchema)]
struct FindingView {
    /// What.
    name: String,
    /// How it stands.
    standing: StandingView,
    /// What was found.
    found: String,
    /// What it is good for, or how to get it; empty where it works.
    help: String,
}

/// How something stands.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum StandingView {
    /// It works.
    Fine,
    /// It isn't there; some workflows need it.
    Missing,
    /// It is there, and doesn't work as it should.
    Broken,
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/doctor", "operations", "What the server's machine can do, and how to get what is missing")
            .describe(
                "As `windlass doctor` says it, of the node that answers. It is looked at anew twice a minute at most.",
            )
            .access(Access::Can(Permission::Administer))
            .answers::<DoctorView>(200)
            .problems(&[Code::Unavailable])
            .handle(examine),
    ]
}

fn examine(request: Request) -> Result<Answer, Problem> {
    request.require_in(Permission::Administer, "*")?;
    let machine = request.api.machine.as_ref();
    let machine = machine.ok_or_else(|| Problem::new(Code::Unavailable, "this server looks at no machine"))?;
    Answer::json(&DoctorView { findings: machine.examine().into_iter().map(FindingView::from).collect() })
}

impl From<Finding> for FindingView {
    fn from(of: Finding) -> Self {
        let standing = match of.standing {
            Standing::Fine => StandingView::Fine,
            Standing::Missing => StandingView::Missing,
            Standing::Broken => StandingView::Broken,
        };
        Self { name: of.name, standing, found: of.found, help: of.help }
    }
}
