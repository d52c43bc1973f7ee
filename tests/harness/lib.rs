//! What integration tests share: worlds of their own, a witness, skipping out loud, child processes, ports, waiting for
//! a condition.

pub mod api;
pub mod clients;
pub mod console;
pub mod docker;
#[path = "../faults/mod.rs"]
pub mod faults;
pub mod guest;
pub mod machine;
pub mod mail;
pub mod nodes;
pub mod postgres;
pub mod powerdns;
pub mod probe;
pub mod process;
pub mod receiver;
pub mod servers;
pub mod skip;
pub mod sse;
pub mod sweep;
pub mod tunnel;
pub mod warden;
pub mod world;

pub use api::{Answer, ApiServer};
pub use docker::Docker;
pub use machine::Machine;
pub use powerdns::PowerDns;
pub use process::{Process, free_port, wait_for, wait_until, windlass_binary};
pub use receiver::{Receiver, Says};
pub use skip::{can_make_namespaces, has_program, is_root, skip};
pub use warden::Watched;
pub use world::World;
