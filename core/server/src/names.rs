//! Names of pools: the book as documents, which every server on the database sees; what the API asks; and who looks after
//! reservations that have run out.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::json;
use windlass_api::services::{self, PoolName, PoolRefusal, PoolReservation};
use windlass_engine::Engine;
use windlass_hosts::{
    HostConfig,
    authority::Shared,
    pool::{Book, Entry, Holder, Pool, Proof, Row, State},
};
use windlass_model::{
    Code, Problem, RunId,
    document::{Change, Document, DocumentFilter, Expected},
};

use crate::vault::Vault;

/// The kind of document.
const KIND: &str = "pool_name";

/// The book, in the database that the vault is attached to.
pub struct Names {
    vault: Arc<Vault>,
    /// What the next change is written through: it carries an entry for the audit log.
    audited: Mutex<Option<Engine>>,
}

impl Names {
    /// Of this database.
    pub fn new(vault: Arc<Vault>) -> Self {
        Self { vault, audited: Mutex::new(None) }
    }

    /// The same; the first change goes through this handle, with the entry that it carries.
    fn through(vault: Arc<Vault>, engine: &Engine) -> Self {
        Self { vault, audited: Mutex::new(Some(engine.clone())) }
    }

    /// Makes a change; `None` if what it expects isn't so.
    fn change(&self, change: Change) -> Result<Option<i64>, Problem> {
        let audited = self.audited.lock().clone();
        let engine = audited.clone().map_or_else(|| self.vault.attached(), Ok)?;
        match engine.change(vec![change]) {
            Ok(versions) => {
                self.audited.lock().take();
                Ok(Some(versions.first().copied().unwrap_or(0)))
            }
            Err(problem) if matches!(problem.code, Code::Conflict | Code::PreconditionFailed | Code::NotFound) => {
                Ok(None)
            }
            Err(problem) => Err(problem),
        }
    }
}

fn read(document: Document) -> Result<Entry, Problem> {
    let row = serde_json::from_value(document.body)
        .map_err(|error| Problem::new(Code::Storage, format!("the name {} can't be read: {error}", document.id)))?;
    Ok(Entry { row, version: document.version })
}

impl Book for Names {
    fn find(&self, name: &str) -> Result<Option<Entry>, Problem> {
        self.vault.attached()?.document(KIND, name)?.map(read).transpose()
    }

    fn list(&self, after: Option<&str>, limit: u32) -> Result<Vec<Entry>, Problem> {
        let filter =
            DocumentFilter { kind: KIND.into(), after: after.map(str::to_owned), limit, ..DocumentFilter::default() };
        self.vault.attached()?.documents(&filter)?.into_iter().map(read).collect()
    }

    fn put(&self, row: &Row, seen: i64) -> Result<Option<i64>, Problem> {
        self.change(Change::Put {
            kind: KIND.into(),
            id: row.name.clone(),
            organisation: row.organisation.clone(),
            body: json!(row),
            keys: Vec::new(),
            // A document that went by itself would leave its DNS behind: the sweep gives names back.
            expires_at_ms: None,
            expected: if seen == 0 { Expected::Absent } else { Expected::Version(seen) },
        })
    }

    fn remove(&self, name: &str, seen: i64) -> Result<bool, Problem> {
        let change = Change::Delete { kind: KIND.into(), id: name.to_owned(), expected: Expected::Version(seen) };
        Ok(self.change(change)?.is_some())
    }

    fn reserved(&self, organisation: &str) -> Result<usize, Problem> {
        let mut count = 0;
        let mut filter = DocumentFilter {
            kind: KIND.into(),
            organisations: Some(vec![organisation.to_owned()]),
            limit: 500,
            ..DocumentFilter::default()
        };
        loop {
            let page = self.vault.attached()?.documents(&filter)?;
            let last = page.last().filter(|_| page.len() == 500).map(|document| document.id.clone());
            for document in page {
                count += usize::from(read(document)?.row.state == State::Reserved);
            }
            match last {
                Some(last) => filter.after = Some(last),
                None => return Ok(count),
            }
        }
    }

    fn is_open(&self, run: &RunId) -> Result<bool, Problem> {
        Ok(self.vault.attached()?.run(run)?.is_some_and(|run| !run.state.is_ended()))
    }
}

/// What the API asks of pools.
pub struct PoolService {
    config: HostConfig,
    servers: Shared,
    vault: Arc<Vault>,
    runtime: tokio::runtime::Handle,
}

impl PoolService {
    /// With the name servers that scripts share.
    pub fn new(config: HostConfig, servers: Shared, vault: Arc<Vault>, runtime: tokio::runtime::Handle) -> Self {
        Self { config, servers, vault, runtime }
    }

    fn pool(&self, book: Names) -> Result<Pool, Problem> {
        Pool::new(&self.config.pool, self.servers.servers(&self.config.dns)?, Arc::new(book))
    }

    fn looking(&self) -> Result<Pool, Problem> {
        self.pool(Names::new(self.vault.clone()))
    }

    fn changing(&self, through: &Engine) -> Result<Pool, Problem> {
        self.pool(Names::through(self.vault.clone(), through))
    }

    /// One look at all reservations.
    fn sweep(&self) -> Result<(), Problem> {
        let swept = self.runtime.block_on(self.looking()?.sweep())?;
        if swept.freed > 0 || swept.failed > 0 {
            tracing::info!(
                renewed = swept.renewed,
                freed = swept.freed,
                failed = swept.failed,
                "looked after the pool's names"
            );
        }
        Ok(())
    }
}

/// A name's domain and label.
fn parts(name: &str) -> Result<(&str, &str), Problem> {
    let parts = name.split_once('.').map(|(label, domain)| (domain, label));
    parts.ok_or_else(|| Problem::new(Code::NotFound, "a name of a pool is a label, a dot and the pool's domain"))
}

fn shown(row: Row) -> PoolName {
    PoolName {
        state: json!(row.state).as_str().unwrap_or_default().to_owned(),
        name: row.name,
        domain: row.domain,
        label: row.label,
        organisation: row.organisation,
        addresses: row.addresses,
        since_ms: row.since_ms,
        until_ms: row.until_ms,
    }
}

impl services::Pool for PoolService {
    fn domains(&self) -> Result<Vec<String>, Problem> {
        Ok(self.looking()?.domains().map(str::to_owned).collect())
    }

    fn check(&self, domain: &str, label: &str) -> Result<Option<PoolRefusal>, Problem> {
        let refused = self.runtime.block_on(self.looking()?.check(domain, label))?;
        Ok(refused.map(|refused| PoolRefusal {
            reason: json!(refused.reason).as_str().unwrap_or_default().to_owned(),
            detail: refused.detail,
        }))
    }

    fn reserve(
        &self,
        through: &Engine,
        domain: &str,
        label: &str,
        organisation: &str,
    ) -> Result<PoolReservation, Problem> {
        // No request comes again with the same key: whoever asks twice finds the name taken, and it runs out.
        let key = format!("request/{:032x}", rand::random::<u128>());
        let organisation = organisation.to_owned();
        let holder = Holder { key, run: None, organisation, holds: Box::new(|| true), adopts: None, points_to: None };
        let reserved = self.runtime.block_on(self.changing(through)?.reserve(domain, label, &holder, None))?;
        Ok(PoolReservation {
            name: reserved.name,
            token: reserved.token,
            until_ms: reserved.until_ms,
            nameservers: reserved.nameservers,
            ds: reserved.ds,
        })
    }

    fn renew(&self, through: &Engine, name: &str, token: &str) -> Result<i64, Problem> {
        let (domain, label) = parts(name)?;
        self.changing(through)?.renew(domain, label, &Proof::Token(token))
    }

    fn commit(&self, through: &Engine, name: &str, token: &str, addresses: &[String]) -> Result<Vec<String>, Problem> {
        let (domain, label) = parts(name)?;
        let committing = self.changing(through)?;
        let committed =
            self.runtime.block_on(committing.commit(domain, label, &Proof::Token(token), addresses, None))?;
        Ok(committed.addresses)
    }

    fn release(&self, through: &Engine, name: &str, token: Option<&str>) -> Result<Option<i64>, Problem> {
        let (domain, label) = parts(name)?;
        let proof = token.map_or(Proof::Granted, Proof::Token);
        let releasing = self.changing(through)?;
        Ok(self.runtime.block_on(releasing.release(domain, label, &proof))?.free_at_ms)
    }

    fn find(&self, name: &str) -> Result<Option<PoolName>, Problem> {
        Ok(Names::new(self.vault.clone()).find(name)?.map(|entry| shown(entry.row)))
    }

    fn list(&self, domain: Option<&str>, after: Option<&str>, limit: u32) -> Result<Vec<PoolName>, Problem> {
        Ok(self.looking()?.list(domain, after, limit)?.into_iter().map(shown).collect())
    }
}

/// Looks after reservations from time to time, until it is dropped.
pub struct Sweeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    /// Starts, if there are domains to give names out under.
    pub fn start(service: Arc<PoolService>) -> Result<Self, Problem> {
        if service.config.pool.domains.is_empty() {
            return Ok(Self { stop: None, thread: None });
        }
        let every = Duration::from_secs(service.config.pool.sweep_s.max(1));
        let (stop, stopped) = channel::<()>();
        let thread = thread::Builder::new()
            .name("pool".into())
            .spawn(move || sweep(&service, every, &stopped))
            .map_err(|error| Problem::new(Code::System, format!("no thread for the pool: {error}")))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

fn sweep(service: &PoolService, every: Duration, stopped: &Receiver<()>) {
    loop {
        if let Err(problem) = service.sweep() {
            tracing::warn!(%problem, "the pool's names can't be looked after");
        }
        if !matches!(stopped.recv_timeout(every), Err(RecvTimeoutError::Timeout)) {
            return;
        }
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
