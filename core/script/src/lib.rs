//! The Rhai sandbox: limits, host-module trait, values and secrets, bundles and resolver, definitions, diagnostics.

pub mod check;
pub mod header;
pub mod host;
pub mod permission;
pub mod plugin;
pub mod scenario;
pub mod testing;

mod arguments;
mod branch;
mod budget;
mod builtin;
mod canonical;
mod catalog;
mod context;
pub mod definitions;
mod dispatch;
mod imports;
mod library;
mod locks;
mod memory;
mod meter;
mod nearest;
mod overrides;
mod perform;
mod program;
mod resolver;
mod reveal;
mod runner;
mod sandbox;
mod scrub;
mod secret;
mod throw;

pub use builtin::told;
pub use catalog::Catalog;
pub use library::Library;
pub use memory::{CountingAllocator, thread_net_bytes};
pub use permission::Policy;
pub use resolver::is_valid_name;
pub use sandbox::{Interceptor, STACK_BYTES, Sandbox, SandboxConfig};
pub use scrub::Scrubber;
pub use secret::{Held, NoSecrets, SecretPolicy, SecretSource, not_found};

#[cfg(test)]
mod tests;
