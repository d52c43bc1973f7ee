//! Commands whose leases end later.

use super::Command;

impl Command {
    /// The same with a lease that ends so much later; `None` if it asks for none.
    pub fn with_lease_extended(&self, by_ms: i64) -> Option<Self> {
        match self {
            Self::Launch { claim: Some(_), .. }
            | Self::Claim { .. }
            | Self::ClaimRun { .. }
            | Self::Beat { .. }
            | Self::Audited { .. } => {}
            _ => return None,
        }
        let mut later = self.clone();
        let until = match &mut later {
            Self::Launch { claim: Some((_, until)), .. } => until,
            Self::Claim { expires_at_ms, .. }
            | Self::ClaimRun { expires_at_ms, .. }
            | Self::Beat { expires_at_ms, .. } => expires_at_ms,
            Self::Audited { command, .. } => {
                **command = command.with_lease_extended(by_ms)?;
                return Some(later);
            }
            _ => return None,
        };
        *until = until.saturating_add(by_ms);
        Some(later)
    }
}
