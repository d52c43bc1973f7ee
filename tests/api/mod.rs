//! The HTTP API, asked over real connections.

mod abuse;
mod approvals;
mod audit;
mod auth;
mod authorisation;
mod browsers;
mod bulk;
mod crashes;
mod databases;
mod events;
mod house;
mod logs;
mod long_logs;
mod oidc;
mod operations;
mod peers;
mod people;
mod proxies;
mod reload;
mod runs;
mod secrets;
mod serving;
mod steering;
mod streams;
mod tls;
mod watchers;
