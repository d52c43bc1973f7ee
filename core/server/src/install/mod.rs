//! Windlass as a service of a machine: what is where, what stands in each file, and how it is put there, brought to another version
//! and taken away. Everything is done by a `Hand`, which can also only say what it would do.

mod caddy;
mod database;
mod hand;
mod layout;
mod page;
mod plan;
mod record;
mod release;
mod removal;
mod service;
mod texts;
mod unit;
mod upgrade;

#[cfg(test)]
mod tests;

pub use hand::{Hand, Mark};
pub use layout::{AUTHORITY, INSTANCE, Layout};
pub use plan::{Sources, adopt, install, save};
pub use record::{Address, Record};
pub use removal::uninstall;
pub use service::{alone, become_owner, installed_config};
pub use upgrade::{Upgrade, rollback, upgrade};
