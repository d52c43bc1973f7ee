//! The audit log: who did what, when, from where, and what it was before and after. Each entry's hash covers the one
//! before it, so that nothing can be changed or taken out unseen.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An entry before it is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewAudit {
    /// Who: `user:ann`, `token:ci`, `system:schedule`.
    pub actor: String,
    /// The organisation that it happened in.
    pub organisation: String,
    /// What: `run.launch`, `user.create`.
    pub action: String,
    /// To what: a run's id, a user's name.
    pub target: String,
    /// From where: an address, `cli`.
    pub source: String,
    /// What it was before; never a secret.
    pub before: Value,
    /// What it is now; never a secret.
    pub after: Value,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Its number, from 1, without a gap.
    pub seq: i64,
    /// When.
    pub at_ms: i64,
    /// Who.
    pub actor: String,
    /// The organisation.
    pub organisation: String,
    /// What.
    pub action: String,
    /// To what.
    pub target: String,
    /// From where.
    pub source: String,
    /// What it was before.
    pub before: Value,
    /// What it is now.
    pub after: Value,
    /// Hash of the entry before this one, hex; zeros for the first.
    pub previous: String,
    /// blake3 of everything above, hex.
    pub hash: String,
}

impl AuditRecord {
    /// What the hash covers: every field but the hash, in this order.
    pub fn canonical(&self) -> String {
        serde_json::json!([
            self.seq,
            self.at_ms,
            self.actor,
            self.organisation,
            self.action,
            self.target,
            self.source,
            self.before,
            self.after,
            self.previous
        ])
        .to_string()
    }
}

/// Which entries. Empty fields don't filter. Newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditFilter {
    /// Of one of these organisations.
    pub organisations: Option<Vec<String>>,
    /// By this actor; by a user's tokens, too.
    pub actor: Option<String>,
    /// Whose action begins so.
    pub action: Option<String>,
    /// To this.
    pub target: Option<String>,
    /// At or after this time.
    pub since_ms: Option<i64>,
    /// Before this time.
    pub until_ms: Option<i64>,
    /// Before this number (cursor).
    pub before: Option<i64>,
    /// At most so many (0: 100).
    pub limit: u32,
}
