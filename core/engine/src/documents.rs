//! What people set up, and who did what: documents and the audit log, read and changed through the engine.

use serde_json::Value;
use windlass_model::{
    Code, EventKind, Problem,
    audit::{AuditFilter, AuditRecord, NewAudit},
    command::{Command, Reply},
    document::{Change, Document, DocumentFilter},
    event::EventKinds,
    query::{FeedFilter, FeedPage},
};

use crate::{Engine, Watcher};

impl Engine {
    /// A document.
    pub fn document(&self, kind: &str, id: &str) -> Result<Option<Document>, Problem> {
        Ok(self.inner.store.document(kind, id)?)
    }

    /// A document by one of its unique keys.
    pub fn document_by_key(&self, kind: &str, key: &str) -> Result<Option<Document>, Problem> {
        Ok(self.inner.store.document_by_key(kind, key)?)
    }

    /// Documents of a kind, by id.
    pub fn documents(&self, filter: &DocumentFilter) -> Result<Vec<Document>, Problem> {
        Ok(self.inner.store.documents(filter)?)
    }

    /// Makes, replaces and removes documents, all or none; the versions that they have now (0: removed).
    pub fn change(&self, changes: Vec<Change>) -> Result<Vec<i64>, Problem> {
        match self.commit(Command::Change(changes))? {
            Reply::Versions(versions) => Ok(versions),
            other => Err(Problem::new(Code::Internal, format!("the store answered a change with {other:?}"))),
        }
    }

    /// Changes documents, and removes these secrets, each with its entry in the audit log: all or nothing.
    pub fn change_and_forget(&self, changes: Vec<Change>, secrets: Vec<(String, NewAudit)>) -> Result<(), Problem> {
        let mut commands = vec![Command::Change(changes)];
        commands.extend(secrets.into_iter().map(|(name, entry)| Command::Audited {
            command: Box::new(Command::DeleteSecret { name }),
            entry: Box::new(entry),
        }));
        self.commit(Command::Together(commands)).map(drop)
    }

    /// Appends an entry to the audit log.
    pub fn audit(&self, entry: NewAudit) -> Result<(), Problem> {
        self.inner.store.commit(Command::Audit(Box::new(entry)))?;
        Ok(())
    }

    /// Entries of the audit log, newest first.
    pub fn audit_log(&self, filter: &AuditFilter) -> Result<Vec<AuditRecord>, Problem> {
        Ok(self.inner.store.audit(filter)?)
    }

    /// Entries of the audit log with numbers above `after_seq`, oldest first.
    pub fn audit_after(&self, after_seq: i64, limit: u32) -> Result<Vec<AuditRecord>, Problem> {
        Ok(self.inner.store.audit_after(after_seq, limit)?)
    }

    /// Events of all runs, and of none, after a cursor (none: from the first that is kept); at most `limit`.
    pub fn feed(&self, after: Option<&str>, filter: &FeedFilter, limit: u32) -> Result<FeedPage, Problem> {
        Ok(self.inner.store.feed(after, filter, limit)?)
    }

    /// The cursor behind everything that is committed now.
    pub fn feed_end(&self) -> Result<String, Problem> {
        Ok(self.inner.store.feed_end()?)
    }

    /// Wakes on every event of these kinds, whichever run it is of.
    pub fn watch_kinds(&self, kinds: EventKinds) -> Watcher {
        self.inner.signals.feed.watch_kinds(kinds)
    }

    /// Tells of something that belongs to no run; whoever follows all events sees it.
    pub fn announce(&self, kind: EventKind, data: Value) -> Result<(), Problem> {
        self.commit(Command::Announce { kind, data })?;
        Ok(())
    }
}
