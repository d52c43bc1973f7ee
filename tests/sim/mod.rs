//! Simulators, asked by the providers' own clients and held against the providers' contracts.

pub mod contract;
mod crashes;
mod guacamole;
pub mod hetzner;
