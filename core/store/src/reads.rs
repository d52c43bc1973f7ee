//! Questions: each on a reader's connection, each seeing one state of the database.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;
use windlass_model::{
    BundleDigest, Event, RunId, RunState, StepPath,
    audit::{AuditFilter, AuditRecord},
    command::{Claimed, Lease},
    document::{Document, DocumentFilter},
    ledger::{Balance, EntryFilter, EntryRecord, LedgerCheck},
    query::{
        ApprovalFilter, ApprovalRecord, ArtifactRecord, FeedFilter, FeedPage, LockRecord, NodeRecord, ResourceFilter,
        RetentionCounts, RunFilter, RunRecord, RunsPage, Scope, SecretRecord, SignalRecord, StepFilter, TimerRecord,
    },
    resource::ResourceRecord,
    step::StepRecord,
    undo::UndoRecord,
    voucher::{
        BatchRecord, ClaimRecord, ClaimState, Direction, RedemptionRecord, SealedVoucher, Totals, VoucherFilter,
    },
};

use crate::{
    approvals, artifacts, audit, bundles,
    connection::{Purpose, connect},
    dialect, documents, dump,
    error::{StoreError, explain},
    events, feed, kv, leases, ledger, lists, locks, nodes, payments, redemptions, resources, runs, secrets, signals,
    steps,
    store::Store,
    timers, undo, voucher_claims, vouchers,
};

/// What a worker needs to replay a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Journal {
    /// Its steps, in the order of their paths.
    pub steps: Vec<StepRecord>,
    /// How many outputs each lane has emitted; the root lane is `""`.
    pub outputs: HashMap<String, u32>,
    /// Bytes of all those outputs.
    pub output_bytes: u64,
}

type Read<T> = Result<T, StoreError>;

impl Store {
    /// A document.
    pub fn document(&self, kind: &str, id: &str) -> Read<Option<Document>> {
        self.0.readers.with(|conn| documents::find(conn, kind, id, self.0.clock.now_ms()))
    }

    /// A document by one of its keys.
    pub fn document_by_key(&self, kind: &str, key: &str) -> Read<Option<Document>> {
        self.0.readers.with(|conn| documents::find_by_key(conn, kind, key, self.0.clock.now_ms()))
    }

    /// Documents of a kind.
    pub fn documents(&self, filter: &DocumentFilter) -> Read<Vec<Document>> {
        self.0.readers.with(|conn| documents::list(conn, filter, self.0.clock.now_ms()))
    }

    /// Events of all runs, and of none, after a cursor (none: from the first that is kept); at most `limit`.
    pub fn feed(&self, after: Option<&str>, filter: &FeedFilter, limit: u32) -> Result<FeedPage, StoreError> {
        let place = feed::Place::parse(after)?;
        self.0.readers.with(|conn| feed::after(conn, place, filter, limit))
    }

    /// A voucher.
    pub fn voucher(&self, id: &str) -> Read<Option<SealedVoucher>> {
        self.0.readers.with(|conn| vouchers::find(conn, id))
    }

    /// A voucher by the hash of its code.
    pub fn voucher_by_lookup(&self, lookup: &str) -> Read<Option<SealedVoucher>> {
        self.0.readers.with(|conn| vouchers::by_lookup(conn, lookup))
    }

    /// Vouchers, by id.
    pub fn vouchers(&self, filter: &VoucherFilter) -> Read<Vec<SealedVoucher>> {
        self.0.readers.with(|conn| vouchers::list(conn, filter))
    }

    /// A batch of vouchers.
    pub fn voucher_batch(&self, id: &str) -> Read<Option<BatchRecord>> {
        self.0.readers.with(|conn| vouchers::batch(conn, id))
    }

    /// Batches of these issuers (none: of all) before one of them, newest first; at most 1,000.
    pub fn voucher_batches(&self, issuers: Option<&[String]>, before: Option<&str>) -> Read<Vec<BatchRecord>> {
        self.0.readers.with(|conn| vouchers::batches(conn, issuers, before))
    }

    /// Sums by issuer and currency.
    pub fn voucher_totals(&self, issuers: Option<&[String]>) -> Read<Vec<Totals>> {
        self.0.readers.with(|conn| vouchers::totals(conn, issuers, self.0.clock.now_ms()))
    }

    /// Redemptions of a voucher, or of a customer, newest first.
    pub fn redemptions(
        &self,
        voucher: Option<&str>,
        customer: Option<&str>,
        limit: u32,
    ) -> Read<Vec<RedemptionRecord>> {
        self.0.readers.with(|conn| redemptions::list(conn, voucher, customer, limit))
    }

    /// The redemption of a key.
    pub fn redemption_by_key(&self, key: &str) -> Read<Option<RedemptionRecord>> {
        self.0.readers.with(|conn| redemptions::by_key(conn, key))
    }

    /// Claims between Sovereigns.
    pub fn voucher_claims(
        &self,
        direction: Direction,
        peer: Option<&str>,
        state: Option<ClaimState>,
        limit: u32,
    ) -> Read<Vec<ClaimRecord>> {
        self.0.readers.with(|conn| voucher_claims::list(conn, direction, peer, state, limit))
    }

    /// What another Sovereign owes an organisation, asked for and agreed to, in a currency.
    pub fn owed_by(&self, organisation: &str, peer: &str, currency: &str) -> Read<i64> {
        self.0.readers.with(|conn| payments::owed(conn, organisation, peer, currency))
    }

    /// Sums of the accounts of an organisation (none: of all).
    pub fn ledger_balances(&self, organisation: Option<&str>) -> Read<Vec<Balance>> {
        self.0.readers.with(|conn| ledger::balances(conn, organisation))
    }

    /// Entries of the ledger, newest first.
    pub fn ledger_entries(&self, filter: &EntryFilter) -> Read<Vec<EntryRecord>> {
        self.0.readers.with(|conn| ledger::entries(conn, filter))
    }

    /// Looks at the whole ledger.
    pub fn ledger_check(&self) -> Read<LedgerCheck> {
        self.0.readers.with(ledger::check)
    }

    /// The cursor behind everything that is committed now.
    pub fn feed_end(&self) -> Read<String> {
        self.0.readers.with(|conn| feed::end(conn).map(|place| place.to_string()))
    }

    /// The nodes that are there, by name.
    pub fn nodes(&self) -> Read<Vec<NodeRecord>> {
        self.0.readers.with(nodes::list)
    }

    /// Entries of the audit log, newest first.
    pub fn audit(&self, filter: &AuditFilter) -> Read<Vec<AuditRecord>> {
        self.0.readers.with(|conn| audit::list(conn, filter))
    }

    /// Entries of the audit log with numbers above `after_seq`, oldest first.
    pub fn audit_after(&self, after_seq: i64, limit: u32) -> Read<Vec<AuditRecord>> {
        self.0.readers.with(|conn| audit::after(conn, after_seq, limit))
    }

    /// A run.
    pub fn run(&self, run: &RunId) -> Read<Option<RunRecord>> {
        self.0.readers.with(|conn| Ok(runs::find(conn, run.as_str())?.map(runs::RunRow::record)))
    }

    /// Those of these runs that are in this state.
    pub fn in_state(&self, among: &[RunId], state: RunState) -> Read<Vec<RunId>> {
        if among.is_empty() {
            return Ok(Vec::new());
        }
        self.0.readers.with(|conn| runs::in_state(conn, among, state))
    }

    /// Runs, newest first.
    pub fn runs(&self, filter: &RunFilter) -> Read<Vec<RunRecord>> {
        self.0.readers.with(|conn| lists::list(conn, filter))
    }

    /// A page of runs, newest first.
    pub fn runs_page(&self, filter: &RunFilter) -> Read<RunsPage> {
        self.0.readers.with(|conn| lists::page(conn, filter))
    }

    /// How many runs there are, at most `cap`; the filter's limit doesn't count.
    pub fn count_runs(&self, filter: &RunFilter, cap: u64) -> Read<u64> {
        self.0.readers.with(|conn| lists::count(conn, filter, cap))
    }

    /// Steps of a run, in the order of their paths.
    pub fn steps(&self, run: &RunId) -> Read<Vec<StepRecord>> {
        self.0.readers.with(|conn| steps::of_run(conn, run))
    }

    /// Steps of a run, page by page.
    pub fn steps_where(&self, run: &RunId, filter: &StepFilter) -> Read<Vec<StepRecord>> {
        self.0.readers.with(|conn| steps::page(conn, run, filter))
    }

    /// Those of these steps of a run that there are, in no order.
    pub fn steps_at(&self, run: &RunId, paths: &[StepPath]) -> Read<Vec<StepRecord>> {
        self.0.readers.with(|conn| steps::at(conn, run, paths))
    }

    /// Events of a run with numbers above `after_seq`, at most `limit`.
    pub fn events(&self, run: &RunId, after_seq: i64, limit: u32) -> Read<Vec<Event>> {
        self.0.readers.with(|conn| events::after(conn, run, after_seq, limit))
    }

    /// The undo list of a run, in the order of registration.
    pub fn undo(&self, run: &RunId) -> Read<Vec<UndoRecord>> {
        self.0.readers.with(|conn| undo::of_run(conn, run))
    }

    /// The inventory of a run, or of all; `open_only` leaves out what is gone or adopted.
    pub fn resources(&self, run: Option<&RunId>, open_only: bool) -> Read<Vec<ResourceRecord>> {
        self.0.readers.with(|conn| resources::list(conn, run, open_only))
    }

    /// The inventory, page by page.
    pub fn resources_where(&self, filter: &ResourceFilter) -> Read<Vec<ResourceRecord>> {
        self.0.readers.with(|conn| resources::find(conn, filter))
    }

    /// Approvals of a run, or of all, oldest first; `open_only` leaves out what is settled.
    pub fn approvals(&self, run: Option<&RunId>, open_only: bool) -> Read<Vec<ApprovalRecord>> {
        self.0.readers.with(|conn| approvals::list(conn, run, open_only))
    }

    /// Approvals, page by page.
    pub fn approvals_where(&self, filter: &ApprovalFilter) -> Read<Vec<ApprovalRecord>> {
        self.0.readers.with(|conn| approvals::list_where(conn, filter))
    }

    /// Signals of a run that no wait took yet.
    pub fn signals(&self, run: &RunId) -> Read<Vec<SignalRecord>> {
        self.0.readers.with(|conn| signals::open(conn, run))
    }

    /// Waits of a run that end at a point in time, at the latest.
    pub fn timers(&self, run: &RunId) -> Read<Vec<TimerRecord>> {
        self.0.readers.with(|conn| timers::timers(conn, run))
    }

    /// The number that the run's next event will have: it rises with everything that becomes of the run.
    pub fn next_event(&self, run: &RunId) -> Read<i64> {
        self.0.readers.with(|conn| leases::next_event(conn, run.as_str()))
    }

    /// Locks that are held.
    pub fn locks(&self) -> Read<Vec<LockRecord>> {
        self.0.readers.with(locks::list)
    }

    /// Keys and values of an organisation's key-value store with a prefix.
    pub fn kv(&self, organisation: &str, prefix: &str) -> Read<Vec<(String, Value)>> {
        self.0.readers.with(|conn| kv::list(conn, organisation, prefix))
    }

    /// Keys and values with a prefix of all organisations' key-value stores: whose, key, value.
    pub fn kv_everywhere(&self, prefix: &str) -> Read<Vec<(String, String, Value)>> {
        self.0.readers.with(|conn| kv::everywhere(conn, prefix))
    }

    /// Secrets, without their values.
    pub fn secrets(&self) -> Read<Vec<SecretRecord>> {
        self.0.readers.with(secrets::list)
    }

    /// A secret's nonce and ciphertext, and its policy as JSON text.
    pub fn sealed_secret(&self, name: &str) -> Read<Option<(Vec<u8>, String)>> {
        self.0.readers.with(|conn| secrets::sealed(conn, name))
    }

    /// What retention would remove now: runs that name none are kept so long, artifacts go whose runs ended before this, and
    /// those beyond so many bytes.
    pub fn retention(
        &self,
        default_retention_ms: i64,
        artifacts_before_ms: Option<i64>,
        artifacts_bytes: Option<i64>,
    ) -> Read<RetentionCounts> {
        let now_ms = self.0.clock.now_ms();
        self.0.readers.with(|conn| {
            crate::retention::count(conn, now_ms, default_retention_ms, artifacts_before_ms, artifacts_bytes)
        })
    }

    /// Artifacts of a run, without their content.
    pub fn artifacts(&self, run: &RunId) -> Read<Vec<ArtifactRecord>> {
        self.0.readers.with(|conn| artifacts::list(conn, run))
    }

    /// An artifact's content.
    pub fn artifact(&self, run: &RunId, name: &str) -> Read<Option<Vec<u8>>> {
        self.0.readers.with(|conn| artifacts::content(conn, run, name))
    }

    /// A bundle's canonical form.
    pub fn bundle(&self, digest: &BundleDigest) -> Read<Option<Arc<str>>> {
        self.0.readers.with(|conn| bundles::body(conn, digest))
    }

    /// What a worker needs to replay a run.
    pub fn journal(&self, run: &RunId) -> Read<Journal> {
        self.0.readers.with(|conn| {
            let (outputs, output_bytes) = events::outputs(conn, run)?;
            Ok(Journal { steps: steps::of_run(conn, run)?, outputs, output_bytes })
        })
    }

    /// When the next run becomes due, or the next lease ends.
    pub fn next_due_ms(&self) -> Read<Option<i64>> {
        self.0.readers.with(|conn| {
            let due = [runs::earliest_due(conn)?, leases::earliest_expiry(conn)?];
            Ok(due.into_iter().flatten().min())
        })
    }

    /// How many runs are in each state; states without runs are left out.
    pub fn counts(&self) -> Read<Vec<(RunState, u64)>> {
        self.counts_within(None)
    }

    /// As `counts`, of the runs within some scopes. Where a scope is a folder, each state is counted up to 10,000.
    pub fn counts_within(&self, scopes: Option<&[Scope]>) -> Read<Vec<(RunState, u64)>> {
        self.0.readers.with(|conn| lists::counts(conn, scopes))
    }

    /// The claim on a run, if a node holds it.
    pub fn claimed(&self, run: &RunId) -> Read<Option<Claimed>> {
        self.0.readers.with(|conn| {
            let Some(row) = runs::find(conn, run.as_str())? else { return Ok(None) };
            let epoch = leases::held_epoch(conn, run.as_str())?;
            // Only the claim itself knows whether it was the first one.
            let claim = |epoch| crate::apply::claimed(&row, Lease { run: run.clone(), epoch }, false);
            Ok(epoch.map(claim))
        })
    }

    /// A number that changes when somebody writes, this process or another one.
    pub fn data_version(&self) -> Read<i64> {
        let mut watch = self.0.watch.lock();
        let connection = match &mut *watch {
            Some(connection) => connection,
            empty => empty.insert(connect(&self.0.url, Purpose::Read)?),
        };
        let version = dialect::change_hint(connection);
        if version.is_err() {
            *watch = None;
        }
        version.map_err(|error| StoreError::Failed(explain(&error)))
    }

    /// All tables as text, in an order that doesn't depend on the database.
    pub fn dump(&self) -> Read<String> {
        self.0.readers.with(dump::dump)
    }
}
