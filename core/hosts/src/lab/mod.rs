//! `lab`: the document of a lab, what differs from it, and what other tools' documents say. It makes nothing. See README.md.

mod actual;
pub mod document;
mod expand;
mod fault;
mod import;
mod normal;
mod ops;
mod plan;
mod quota;
mod rules;
mod spec;
#[cfg(test)]
mod tests;
pub mod text;
mod write;

use std::sync::Arc;

use windlass_script::host::HostModule;

pub use self::{
    import::{Imported, import_topology},
    normal::{SCHEMA, normalise, schema},
    plan::{Declared, declared, plan},
    quota::{Config, Quota},
    spec::{digests, size},
    write::yaml,
};
use crate::owner::{Always, Organisations, PLATFORM};

/// The module.
pub fn module(config: &Config, organisations: Arc<dyn Organisations>) -> HostModule {
    ops::module(config.clone(), organisations)
}

/// The module for rehearsals: it is the same, as it makes nothing.
pub fn rehearsal(config: &Config) -> HostModule {
    ops::module(config.clone(), Arc::new(Always(PLATFORM)))
}
