//! `windlass version`

use serde_json::json;
use windlass_model::Problem;

use crate::{context::Context, exit::Exit};

/// Runs the command.
pub fn run(context: &Context) -> Result<Exit, Problem> {
    let modules: Vec<&str> = windlass_hosts::HOSTS.iter().map(|host| host.name).collect();
    let version = env!("CARGO_PKG_VERSION");
    context.print(&json!({ "version": version, "modules": modules, "debug": cfg!(debug_assertions) }), || {
        format!("windlass {version}\nmodules: {}", modules.join(", "))
    });
    Ok(Exit::Success)
}
