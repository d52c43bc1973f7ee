//! Whether the audit log is as it was written: numbers without a gap, each hash right, each over the one before it.

use schemars::JsonSchema;
use serde::Serialize;
use windlass_engine::Engine;
use windlass_model::{Problem, audit::AuditRecord};

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Verified {
    /// Entries that are as they were written, from the first.
    pub entries: i64,
    /// Hash of the last of them: kept elsewhere, it shows later that none was cut off.
    pub last: String,
    /// What is wrong behind them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Fault {
    /// The entry.
    pub seq: i64,
    /// In words.
    pub what: String,
}

/// Entries that are read at once.
const PIECE: u32 = 1_000;

/// Checks the whole log.
pub fn verify_audit(engine: &Engine) -> Result<Verified, Problem> {
    let mut found = Verified { entries: 0, last: "0".repeat(64), fault: None };
    loop {
        let records = engine.audit_after(found.entries, PIECE)?;
        if records.is_empty() {
            return Ok(found);
        }
        for record in records {
            if let Some(what) = wrong(&record, found.entries + 1, &found.last) {
                found.fault = Some(Fault { seq: record.seq, what });
                return Ok(found);
            }
            found.entries = record.seq;
            found.last = record.hash;
        }
    }
}

fn wrong(record: &AuditRecord, seq: i64, previous: &str) -> Option<String> {
    if record.seq != seq {
        return Some(format!("entry {seq} is missing"));
    }
    if record.previous != previous {
        return Some("it doesn't follow the entry before it".into());
    }
    let hash = blake3::hash(record.canonical().as_bytes()).to_hex();
    (hash.as_str() != record.hash).then(|| "it was changed: its hash doesn't fit".into())
}
