//! Vouchers and the ledger, read and changed through the engine.

use windlass_model::{
    Code, Problem,
    command::{Command, Reply},
    ledger::{Balance, EntryFilter, EntryRecord, LedgerCheck},
    voucher::{
        BatchRecord, Booked, Claim, ClaimRecord, ClaimState, Direction, NewBatch, NewRedemption, Payment,
        RedemptionRecord, SealedVoucher, Totals, Verdict, VoucherCommand, VoucherFilter, VoucherRecord, VoucherReply,
    },
};

use crate::Engine;

fn unexpected<T>(reply: impl std::fmt::Debug) -> Result<T, Problem> {
    Err(Problem::new(Code::Internal, format!("the store answered a change of vouchers with {reply:?}")))
}

impl Engine {
    fn change_vouchers(&self, command: VoucherCommand) -> Result<VoucherReply, Problem> {
        match self.commit(Command::Voucher(Box::new(command)))? {
            Reply::Voucher(reply) => Ok(*reply),
            other => unexpected(other),
        }
    }

    fn count_vouchers(&self, command: VoucherCommand) -> Result<u64, Problem> {
        match self.change_vouchers(command)? {
            VoucherReply::Count(count) => Ok(count),
            other => unexpected(other),
        }
    }

    /// Keeps a batch; one of the same key is there already.
    pub fn issue_vouchers(&self, new: NewBatch) -> Result<BatchRecord, Problem> {
        match self.change_vouchers(VoucherCommand::Issue(Box::new(new)))? {
            VoucherReply::Batch(batch) => Ok(batch),
            other => unexpected(other),
        }
    }

    /// Keeps a voucher that another Sovereign has signed; the same one is there already.
    pub fn accept_voucher(&self, new: SealedVoucher) -> Result<VoucherRecord, Problem> {
        match self.change_vouchers(VoucherCommand::Accept(Box::new(new)))? {
            VoucherReply::Voucher(voucher) => Ok(*voucher),
            other => unexpected(other),
        }
    }

    /// Takes a voucher back, or all of a batch; with `delete` they are listed no more. How many.
    pub fn revoke_vouchers(&self, voucher: Option<&str>, batch: Option<&str>, delete: bool) -> Result<u64, Problem> {
        let (voucher, batch) = (voucher.map(str::to_owned), batch.map(str::to_owned));
        self.count_vouchers(VoucherCommand::Revoke { voucher, batch, delete })
    }

    /// Redeems, once for each key.
    pub fn redeem_voucher(&self, new: NewRedemption) -> Result<RedemptionRecord, Problem> {
        match self.change_vouchers(VoucherCommand::Redeem(Box::new(new)))? {
            VoucherReply::Redemption(redemption) => Ok(redemption),
            other => unexpected(other),
        }
    }

    /// Takes a redemption back by a transaction of its own; none if there is none of this key.
    pub fn reverse_redemption(&self, key: &str) -> Result<Option<RedemptionRecord>, Problem> {
        match self.change_vouchers(VoucherCommand::Reverse { key: key.to_owned() })? {
            VoucherReply::Redemption(redemption) => Ok(Some(redemption)),
            VoucherReply::Nothing => Ok(None),
            other => unexpected(other),
        }
    }

    /// Takes what is left of a customer's credit back to the issuer; how many accounts.
    pub fn write_off(&self, customer: &str, issuer: &str, key: &str) -> Result<u64, Problem> {
        let (customer, issuer, key) = (customer.to_owned(), issuer.to_owned(), key.to_owned());
        self.count_vouchers(VoucherCommand::WriteOff { customer, issuer, key })
    }

    /// Judges claims of another Sovereign, each once.
    pub fn judge_claims(&self, peer: &str, claims: Vec<Claim>) -> Result<Vec<Verdict>, Problem> {
        match self.change_vouchers(VoucherCommand::Judge { peer: peer.to_owned(), claims })? {
            VoucherReply::Verdicts(verdicts) => Ok(verdicts),
            other => unexpected(other),
        }
    }

    /// Claims that are asked of another Sovereign now, at most so many: from here on none of them is withdrawn.
    pub fn ask_claims(&self, peer: &str, limit: u32) -> Result<Vec<ClaimRecord>, Problem> {
        match self.change_vouchers(VoucherCommand::Ask { peer: peer.to_owned(), limit })? {
            VoucherReply::Claims(claims) => Ok(claims),
            other => unexpected(other),
        }
    }

    /// Books what another Sovereign has answered.
    pub fn book_verdicts(&self, peer: &str, verdicts: Vec<Verdict>) -> Result<Booked, Problem> {
        match self.change_vouchers(VoucherCommand::Answered { peer: peer.to_owned(), verdicts })? {
            VoucherReply::Booked(booked) => Ok(booked),
            other => unexpected(other),
        }
    }

    /// Books a payment between Sovereigns, once for each reference; the transaction.
    pub fn book_payment(&self, payment: Payment) -> Result<String, Problem> {
        match self.change_vouchers(VoucherCommand::Pay(payment))? {
            VoucherReply::Transaction(id) => Ok(id),
            other => unexpected(other),
        }
    }

    /// What another Sovereign owes an organisation, asked for and agreed to, in a currency.
    pub fn owed_by(&self, organisation: &str, peer: &str, currency: &str) -> Result<i64, Problem> {
        Ok(self.inner.store.owed_by(organisation, peer, currency)?)
    }

    /// A voucher.
    pub fn voucher(&self, id: &str) -> Result<Option<SealedVoucher>, Problem> {
        Ok(self.inner.store.voucher(id)?)
    }

    /// A voucher by the hash of its code.
    pub fn voucher_by_lookup(&self, lookup: &str) -> Result<Option<SealedVoucher>, Problem> {
        Ok(self.inner.store.voucher_by_lookup(lookup)?)
    }

    /// Vouchers, by id.
    pub fn vouchers(&self, filter: &VoucherFilter) -> Result<Vec<SealedVoucher>, Problem> {
        Ok(self.inner.store.vouchers(filter)?)
    }

    /// A batch.
    pub fn voucher_batch(&self, id: &str) -> Result<Option<BatchRecord>, Problem> {
        Ok(self.inner.store.voucher_batch(id)?)
    }

    /// Batches of these issuers (none: of all) before one of them, newest first; at most 1,000.
    pub fn voucher_batches(
        &self,
        issuers: Option<&[String]>,
        before: Option<&str>,
    ) -> Result<Vec<BatchRecord>, Problem> {
        Ok(self.inner.store.voucher_batches(issuers, before)?)
    }

    /// Sums by issuer and currency.
    pub fn voucher_totals(&self, issuers: Option<&[String]>) -> Result<Vec<Totals>, Problem> {
        Ok(self.inner.store.voucher_totals(issuers)?)
    }

    /// Redemptions of a voucher, or of a customer, newest first.
    pub fn redemptions(
        &self,
        voucher: Option<&str>,
        customer: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RedemptionRecord>, Problem> {
        Ok(self.inner.store.redemptions(voucher, customer, limit)?)
    }

    /// The redemption of a key.
    pub fn redemption_by_key(&self, key: &str) -> Result<Option<RedemptionRecord>, Problem> {
        Ok(self.inner.store.redemption_by_key(key)?)
    }

    /// Claims between Sovereigns.
    pub fn voucher_claims(
        &self,
        direction: Direction,
        peer: Option<&str>,
        state: Option<ClaimState>,
        limit: u32,
    ) -> Result<Vec<ClaimRecord>, Problem> {
        Ok(self.inner.store.voucher_claims(direction, peer, state, limit)?)
    }

    /// Sums of the accounts of an organisation (none: of all).
    pub fn ledger_balances(&self, organisation: Option<&str>) -> Result<Vec<Balance>, Problem> {
        Ok(self.inner.store.ledger_balances(organisation)?)
    }

    /// Entries of the ledger, newest first.
    pub fn ledger_entries(&self, filter: &EntryFilter) -> Result<Vec<EntryRecord>, Problem> {
        Ok(self.inner.store.ledger_entries(filter)?)
    }

    /// Looks at the whole ledger, and at what has booked on it.
    pub fn ledger_check(&self) -> Result<LedgerCheck, Problem> {
        Ok(self.inner.store.ledger_check()?)
    }
}
