//! Whether an input fits a workflow, with everything that doesn't, while a form is filled in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_model::{Code, Problem};

use super::named;
use crate::{Access, Answer, Permission, Request, Route, runs};

/// An input to check.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InputBody {
    /// The input, as for a launch.
    input: Value,
}

/// What was found in an input.
#[derive(Serialize, JsonSchema)]
struct InputChecked {
    /// Whether a launch would take it.
    fits: bool,
    /// What doesn't fit; at most 20 places.
    faults: Vec<InputFault>,
}

/// A place that doesn't fit.
#[derive(Serialize, JsonSchema)]
struct InputFault {
    /// JSON Pointer into the input.
    pointer: String,
    /// What is wrong there.
    message: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/workflows/{name*}/input", "workflows", "Check an input, and launch nothing")
            .describe(
                "Completed with the schema's defaults and checked as a launch does it, secrets' names as well. What doesn't \
                 fit is no error here: it is told in `faults`.",
            )
            .access(Access::Can(Permission::Launch))
            .body::<InputBody>()
            .answers::<InputChecked>(200)
            .problems(&[Code::WorkflowNotFound, Code::WorkflowInvalid, Code::InvalidInput, Code::LimitExceeded])
            .handle(check),
    ]
}

fn check(request: Request) -> Result<Answer, Problem> {
    let name = named(&request, Permission::Launch)?;
    let body: InputBody = request.json()?;
    match request.api.engine.prepared(&name, body.input) {
        Ok(_) => Answer::json(&InputChecked { fits: true, faults: Vec::new() }),
        Err(problem) => match faults(&problem) {
            Some(faults) => Answer::json(&InputChecked { fits: false, faults }),
            None => Err(runs::below("/input", problem)),
        },
    }
}

/// The places that an input was refused for; none if it was refused for something else.
fn faults(problem: &Problem) -> Option<Vec<InputFault>> {
    let found = problem.data.get("faults").and_then(Value::as_array).filter(|_| problem.code == Code::InvalidInput)?;
    let text = |fault: &Value, key: &str| fault.get(key).unwrap_or(&json!("")).as_str().unwrap_or_default().to_owned();
    let fault = |fault: &Value| InputFault { pointer: text(fault, "pointer"), message: text(fault, "message") };
    Some(found.iter().map(fault).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_doesnt_fit_is_told_as_faults() {
        let data = json!({ "pointer": "/a", "faults": [{ "pointer": "/a", "message": "no" }, { "pointer": "", "message": "two" }] });
        let told = faults(&Problem::new(Code::InvalidInput, "x").data(data.clone())).unwrap();
        let told: Vec<_> = told.iter().map(|fault| (fault.pointer.as_str(), fault.message.as_str())).collect();
        assert_eq!(told, [("/a", "no"), ("", "two")]);
        assert!(faults(&Problem::new(Code::InvalidInput, "x")).is_none());
        assert!(faults(&Problem::new(Code::LimitExceeded, "x").data(data)).is_none());
    }
}
