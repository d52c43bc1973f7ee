//! What is kept of an invitation: a hash of its word, and never the word.

use serde::{Deserialize, Serialize};

use crate::auth::{
    access::Role,
    kept::{Kept, Kind},
};

/// An invitation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InvitationBody {
    /// Whom it is for; nobody else can accept it.
    pub email: String,
    /// The organisation that it is into.
    pub into: String,
    /// What they will hold there.
    pub role: Role,
    /// Who invites.
    pub by: String,
    /// blake3 of its word, hex.
    pub hash: String,
    /// When its word was last made.
    pub made_at_ms: i64,
    /// How often a word was made.
    pub words: u32,
    /// When a mail server last took it over.
    pub sent_at_ms: Option<i64>,
    /// Whether its present word was in a letter, and nowhere else: whoever has it reads what is sent to the address.
    #[serde(default)]
    pub mailed: bool,
    /// Whether its present word was made for an admin of the platform, who hands it to whom it is for.
    #[serde(default)]
    pub vouched: bool,
    /// The step that has made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
}

impl InvitationBody {
    /// Whether the address is theirs who accept it. Whoever manages an organisation can invite any address, and is told the word
    /// where no letter goes out.
    pub fn proves(&self) -> bool {
        self.mailed || self.vouched
    }
}

impl Kind for InvitationBody {
    const KIND: &'static str = "invitation";

    fn keys(&self, _id: &str) -> Vec<String> {
        vec![format!("{}|{}", self.into, self.email)]
    }
}

/// An invitation. Its id isn't its word.
pub type Invitation = Kept<InvitationBody>;
