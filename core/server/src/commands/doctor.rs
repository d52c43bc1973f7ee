//! `windlass doctor`

use serde_json::json;
use windlass_model::Problem;

use crate::{context::Context, doctor, exit::Exit};

/// Runs the command.
pub fn run(context: &Context) -> Result<Exit, Problem> {
    let findings = doctor::examine(&context.loaded.config, &context.environment);
    context.print(&json!(findings), || doctor::report(&findings));
    let broken = findings.iter().any(|finding| finding.standing == doctor::Standing::Broken);
    Ok(if broken { Exit::Failure } else { Exit::Success })
}
