//! Giving a name back: the DNS first and the row last, each part repeatable, so that whoever is interrupted begins again.

use windlass_model::{Code, Problem};

use super::{Entry, Pool, Proof, Released, Row, State, service::now_ms};
use crate::authority::{Hand, Server};

impl Pool {
    /// Gives a name back. `NotFound` if nobody has it.
    pub async fn release(&self, domain: &str, label: &str, proof: &Proof<'_>) -> Result<Released, Problem> {
        let place = self.place(domain, label)?;
        let entry = self.row(&place.name, proof)?;
        self.clear(&place.server, entry).await
    }

    /// Gives a name back if this step has reserved it; whether it had.
    pub async fn release_of(&self, domain: &str, label: &str, key: &str) -> Result<bool, Problem> {
        let place = self.place(domain, label)?;
        match self.book.find(&place.name)? {
            Some(entry) if entry.row.key == key => self.clear(&place.server, entry).await.map(|_| true),
            _ => Ok(false),
        }
    }

    /// Gives the name of this row back, as far as that can be done now: the delegation goes at once; a name that was given
    /// out then rests, and its zone and its row go when nobody remembers its keys any more.
    pub(super) async fn clear(&self, server: &Server, entry: Entry) -> Result<Released, Problem> {
        let hand = Hand::of_platform();
        let Entry { row, mut version } = entry;
        let rest_ms =
            if row.served { i64::try_from(self.config.rest_s.saturating_mul(1_000)).unwrap_or(i64::MAX) } else { 0 };
        let until_ms = match (row.state, row.until_ms) {
            (State::Releasing, Some(until_ms)) => until_ms,
            _ => now_ms().saturating_add(rest_ms),
        };
        // From here on nobody commits it, and nobody else clears it from the same version.
        if row.state != State::Releasing {
            let releasing = Row { state: State::Releasing, until_ms: Some(until_ms), ..row.clone() };
            version = self.book.put(&releasing, version)?.ok_or_else(|| {
                Problem::new(Code::Conflict, format!("{} was changed by somebody else at the same moment", row.name))
                    .retryable()
            })?;
        }
        if row.delegated {
            match server.undelegate(&row.domain, &row.name, &hand).await {
                // The pool's own zone is gone: so is the delegation.
                Err(problem) if problem.code != Code::NotFound => return Err(problem),
                _ => {}
            }
        }
        if until_ms > now_ms() {
            return Ok(Released { free: false, free_at_ms: Some(until_ms) });
        }
        // Only the zone that this reservation has made: somebody else's of that name stays.
        server.remove_made(&row.name, row.zone_key(), &hand).await?;
        self.book.remove(&row.name, version)?;
        Ok(Released { free: true, free_at_ms: None })
    }
}
