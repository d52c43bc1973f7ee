//! The HTTP API, asked over real connections.

mod abuse;
mod approvals;
mod audit;
mod auth;
mod authorisation;
mod bulk;
mod events;
mod house;
mod logs;
mod oidc;
mod operations;
mod people;
mod proxies;
mod reload;
mod runs;
mod secrets;
mod watchers;
