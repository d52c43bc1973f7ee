//! The HTTP API: one file a resource, streams of events, authentication, OpenAPI. Handlers parse, call the engine and
//! render; what the API needs of scripts and secrets stands behind the traits of `services`.

mod answer;
mod api;
mod approvals;
mod artifacts;
mod audit;
mod audit_check;
pub mod auth;
mod bundles;
mod dispatch;
mod events;
mod health;
mod logs;
mod metrics;
mod oidc;
pub mod openapi;
mod organisations;
mod page;
mod problem;
mod proxy;
mod request;
mod resources;
mod roles;
mod route;
mod routes;
mod runs;
mod secrets;
pub mod server;
pub mod services;
mod session;
mod stall;
mod tokens;
mod users;
mod workflows;

pub use answer::Answer;
pub use api::{Api, ApiConfig};
pub use audit_check::{Fault, Verified, verify_audit};
pub use auth::access::{Access, Permission, Principal, Role};
pub use dispatch::{Peer, filter};
pub use events::{EventsConfig, Hub};
pub use request::Request;
pub use route::{Method, Route, Routes};
pub use routes::routes;
