//! Simulators of providers: each speaks its provider's wire protocol, keeps its state in memory, and fails on demand.
//!
//! A simulator is a folder here and an implementation of [`Simulator`]; [`serve`] gives it a socket, faults, a clock and a
//! record of what it was asked. README.md tells how to add one.

pub mod agent;
pub mod clock;
pub mod control;
pub mod faults;
pub mod guacamole;
pub mod guacd;
pub mod hetzner;
pub mod http;
pub mod registrars;

pub use clock::Clock;
pub use control::{Control, Seen, Simulator, serve};
pub use faults::{Failure, Fault, Faults};
pub use http::{Request, Response, Server};
