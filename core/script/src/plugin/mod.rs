//! Plugins: scripts of others, with a manifest that says what they may reach, evaluated in a sandbox that has nothing else.

mod check;
mod engine;
mod machine;
pub mod manifest;
mod opaque;
mod outcome;
pub mod refusal;
mod tools;
mod visible;

pub use engine::TOOLS;
pub use machine::{Ask, Call, Credential, Failed, HttpAsk, Program, Reply, call};
pub use manifest::Manifest;
pub use opaque::{Expr, FIELD_BYTES, Load, Tree, Values};
pub use refusal::Refusal;
pub use visible::visible;

#[cfg(test)]
mod tests;
