//! Hostile scripts: each ends in a clear error within its limits, and the process survives.

mod corpus;
mod hostile;
mod literals;
mod memory;
