//! Documents: what people set up (users, tokens, organisations, versions of workflows …). Each is JSON with a
//! version that only rises; whoever changes one says which version they saw. Typed by those who use them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A document as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// What it is: `user`, `schedule`.
    pub kind: String,
    /// Its id, unique among its kind.
    pub id: String,
    /// The organisation that it belongs to.
    pub organisation: String,
    /// From 1; rises with every change.
    pub version: i64,
    /// The rest.
    pub body: Value,
    /// When it was made.
    pub created_at_ms: i64,
    /// When it last changed.
    pub updated_at_ms: i64,
    /// When it goes by itself.
    pub expires_at_ms: Option<i64>,
}

/// What a change expects to find. Refused with `Conflict` if it isn't so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Anything, or nothing.
    Any,
    /// Nothing.
    Absent,
    /// Any version.
    Present,
    /// This version.
    Version(i64),
}

/// A change to one document.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Makes it, or replaces it.
    Put {
        /// Its kind.
        kind: String,
        /// Its id.
        id: String,
        /// The organisation that it belongs to.
        organisation: String,
        /// The rest.
        body: Value,
        /// Words by which it can be found, unique among its kind: a user's name, a token's hash.
        keys: Vec<String>,
        /// When it goes by itself.
        expires_at_ms: Option<i64>,
        /// What has to be there.
        expected: Expected,
    },
    /// Removes it.
    Delete {
        /// Its kind.
        kind: String,
        /// Its id.
        id: String,
        /// What has to be there.
        expected: Expected,
    },
}

/// Which documents of a kind. Empty fields don't filter. By id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DocumentFilter {
    /// What they are.
    pub kind: String,
    /// Of one of these organisations.
    pub organisations: Option<Vec<String>>,
    /// Whose id begins so.
    pub id_prefix: Option<String>,
    /// After this id (cursor); with `newest_first`, before it.
    pub after: Option<String>,
    /// From the highest id down.
    pub newest_first: bool,
    /// At most so many (0: 1000).
    pub limit: u32,
}
