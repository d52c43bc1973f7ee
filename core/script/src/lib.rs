//! The Rhai sandbox: limits, host-module trait, values and secrets, bundles and resolver, definitions, diagnostics.

pub mod host;
