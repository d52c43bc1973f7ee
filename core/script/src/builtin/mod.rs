//! Built-in functions: what every script can call without a module name. Declared like ops, so that definitions, docs
//! and permissions follow.

mod artifacts;
mod branches;
mod call;
mod child;
mod failing;
mod inventory;
mod locks;
mod output;
mod polling;
mod race;
mod rollback;
mod secrets;
mod store;
mod values;
mod waits;

pub(crate) use call::{Call, duration_ms};
pub use inventory::told;
pub(crate) use output::printed;

use rhai::Dynamic;

use crate::{
    host::{Param, Permission},
    throw::Halt,
};

/// A built-in function. Functions with the same name differ in their number of parameters.
pub(crate) struct Builtin {
    pub name: &'static str,
    /// What it does; shapes, units and errors. Markdown.
    pub doc: &'static str,
    /// Parameters in order; optional ones come last.
    pub params: &'static [Param],
    /// Shape of the result.
    pub returns: &'static str,
    /// What a run must be granted.
    pub permission: Permission,
    /// A script that runs in rehearsal as the body of `run(input)`; executed by a test.
    pub example: &'static str,
    pub run: fn(&Call<'_, '_, '_>) -> Result<Dynamic, Halt>,
}

/// All of them, in the order of the reference.
pub(crate) fn all() -> Vec<Builtin> {
    let groups: [fn() -> Vec<Builtin>; 13] = [
        waits::all,
        polling::all,
        branches::all,
        race::all,
        locks::all,
        child::all,
        values::all,
        store::all,
        inventory::all,
        artifacts::all,
        output::all,
        rollback::all,
        failing::all,
    ];
    let mut all: Vec<Builtin> = groups.iter().flat_map(|group| group()).collect();
    all.extend(secrets::all());
    all
}
