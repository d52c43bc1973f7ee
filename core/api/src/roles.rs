//! Roles: the names of sets of permissions.

use schemars::JsonSchema;
use serde::Serialize;
use windlass_model::Problem;

use crate::{Access, Answer, Permission, Request, Role, Route};

/// A role.
#[derive(Serialize, JsonSchema)]
struct RoleView {
    /// Its name.
    name: Role,
    /// What it allows.
    permissions: &'static [Permission],
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/roles", "users", "List roles, and what they allow")
            .access(Access::Known)
            .answers::<Vec<RoleView>>(200)
            .handle(list),
    ]
}

fn list(_: Request) -> Result<Answer, Problem> {
    Answer::json(&Role::ALL.map(|name| RoleView { name, permissions: name.permissions() }))
}
