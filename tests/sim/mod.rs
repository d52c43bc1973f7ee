//! Simulators, asked by the providers' own clients and held against the providers' contracts.

mod contract;
mod hetzner;
