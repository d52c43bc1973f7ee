//! Simulators, asked by the providers' own clients and held against the providers' contracts.

pub mod contract;
pub mod hetzner;
