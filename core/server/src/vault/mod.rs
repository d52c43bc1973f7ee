//! Secrets at rest: encrypted in the database, the key beside it in a file of its own; or kept elsewhere and referenced.

mod discreet;
mod documents;
mod keyfile;
mod references;
mod seal;
mod source;

pub use discreet::Discreet;
pub use references::resolve;
pub use source::{Vault, check_name};
