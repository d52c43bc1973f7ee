//! Looks after reservations: renews those whose run is open, and gives back those that have run out.

use serde::Serialize;
use windlass_model::Problem;

use super::{Pool, Row, State, service::now_ms};

/// Rows of one page.
const PAGE: u32 = 500;

/// What a sweep has done.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Reservations that hold on because their run is open.
    pub renewed: usize,
    /// Names that are free now.
    pub freed: usize,
    /// Names that couldn't be given back yet; the next sweep tries again.
    pub failed: usize,
}

impl Pool {
    /// Goes through all rows. Several machines may do so at once.
    pub async fn sweep(&self) -> Result<Swept, Problem> {
        let mut swept = Swept::default();
        let mut after: Option<String> = None;
        loop {
            let page = self.book.list(after.as_deref(), PAGE)?;
            let last = page.len() < PAGE as usize;
            after = page.last().map(|entry| entry.row.name.clone());
            for entry in page {
                let (name, state) = (entry.row.name.clone(), entry.row.state);
                if state == State::Active {
                    continue;
                }
                let half_ms = i64::try_from(self.config.reservation_s.saturating_mul(500)).unwrap_or(i64::MAX);
                let soon = entry.row.until_ms.is_some_and(|until| until < now_ms().saturating_add(half_ms));
                if state == State::Reserved && soon && self.holder_is_open(&entry.row)? {
                    let row = Row { until_ms: Some(self.new_end_ms()), ..entry.row };
                    swept.renewed += usize::from(self.book.put(&row, entry.version)?.is_some());
                    continue;
                }
                if self.keeps(&entry.row)? {
                    continue;
                }
                let Some(server) = self.server_of(&entry.row) else { continue };
                match self.clear(&server, entry).await {
                    Ok(released) => swept.freed += usize::from(released.free),
                    Err(problem) => {
                        tracing::warn!(%name, %problem, "a name of the pool can't be given back yet");
                        swept.failed += 1;
                    }
                }
            }
            if last {
                return Ok(swept);
            }
        }
    }

    fn holder_is_open(&self, row: &Row) -> Result<bool, Problem> {
        row.run.as_ref().map_or(Ok(false), |run| self.book.is_open(run))
    }
}
