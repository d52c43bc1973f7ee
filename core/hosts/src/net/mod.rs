//! Network labs: namespaces, bridges, veths born in place, taps, addresses, routes, impairments. See README.md.

mod backend;
mod fault;
mod kernel;
mod mark;
mod types;

pub use self::{backend::{LinkWatch, NetBackend}, fault::Fault};
