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
    /// Absent in one from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailed: Option<bool>,
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
        // Its word was always told to nobody else when a letter went out.
        let went_out = || self.sent_at_ms.is_some_and(|sent_at_ms| sent_at_ms >= self.made_at_ms);
        self.mailed.unwrap_or_else(went_out) || self.vouched
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(more: &serde_json::Value) -> InvitationBody {
        let mut body = json!({ "email": "a@acme.test", "into": "acme", "role": "viewer", "by": "ann", "hash": "", "made_at_ms": 50,
                               "words": 1, "sent_at_ms": null });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn a_letter_from_before_it_was_noted_proves_the_address() {
        for (more, proves) in [
            (json!({}), false),
            (json!({ "sent_at_ms": 51 }), true),
            (json!({ "sent_at_ms": 50 }), true),
            // The letter had an earlier word.
            (json!({ "sent_at_ms": 49 }), false),
            (json!({ "sent_at_ms": 51, "mailed": false }), false),
            (json!({ "sent_at_ms": 51, "mailed": true }), true),
            (json!({ "vouched": true }), true),
        ] {
            let body = kept(&more);
            assert_eq!(body.proves(), proves, "{more}");
            assert_eq!(kept(&serde_json::to_value(&body).unwrap()).proves(), proves, "{more}, written again");
        }
    }
}
