//! The HTTP API, asked over real connections.

mod approvals;
mod bulk;
mod house;
mod logs;
mod runs;
mod secrets;
