//! The HTTP API, asked over real connections.

mod abuse;
mod apart;
mod approvals;
mod audit;
mod auth;
mod auth_takeover;
mod authorisation;
mod browsers;
mod bulk;
mod claims;
mod crashes;
mod databases;
mod desk;
mod events;
mod forms;
mod house;
mod invitations;
mod links;
mod logs;
mod long_logs;
mod managing;
mod notifications;
mod notifications_time;
mod oidc;
mod operations;
mod operations_end;
mod org_ops;
mod organisations;
mod peers;
pub mod people;
mod plans;
mod plugin_desk;
mod plugins;
mod proxies;
mod reload;
mod retention;
mod runs;
mod schedules;
mod secrets;
mod serving;
mod siblings;
mod silence;
mod site;
mod steering;
mod streams;
mod tenants;
mod things;
mod tls;
mod triggers;
mod versions;
mod watchers;
mod webhooks;
mod workflows;

/// `v1,` and the signature of these bytes with a key of Standard Webhooks.
pub fn signed(key: &str, bytes: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let key = STANDARD.decode(key.trim_start_matches("whsec_")).unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
    mac.update(bytes);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}
