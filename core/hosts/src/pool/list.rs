//! Which names there are.

use std::collections::BTreeSet;

use windlass_model::Problem;

use super::{Pool, Row};

impl Pool {
    /// Rows, by name.
    pub fn list(&self, domain: Option<&str>, after: Option<&str>, limit: u32) -> Result<Vec<Row>, Problem> {
        self.list_where(after, limit, |row| domain.is_none_or(|domain| row.domain == domain))
    }

    /// The rows of these names, of which there are some.
    pub(super) fn named(&self, names: &BTreeSet<String>) -> Result<Vec<Row>, Problem> {
        let found = names.iter().map(|name| self.book.find(name));
        Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().map(|entry| entry.row).collect())
    }

    /// Rows that are wanted, by name: the limit counts no others.
    pub(super) fn list_where(
        &self,
        after: Option<&str>,
        limit: u32,
        wanted: impl Fn(&Row) -> bool,
    ) -> Result<Vec<Row>, Problem> {
        let mut found = Vec::new();
        let mut after = after.map(str::to_owned);
        loop {
            let page = self.book.list(after.as_deref(), 500)?;
            let last = page.len() < 500;
            after = page.last().map(|entry| entry.row.name.clone());
            found.extend(page.into_iter().map(|entry| entry.row).filter(&wanted));
            if last || found.len() >= limit as usize {
                found.truncate(limit as usize);
                return Ok(found);
            }
        }
    }
}
