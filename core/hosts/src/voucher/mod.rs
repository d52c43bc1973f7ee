//! `voucher`: credit that is given away by codes, redeemed once a customer, and booked in a ledger that always balances.

mod ops;
mod rehearse;
#[cfg(test)]
mod tests;

use std::{future::Future, pin::Pin, sync::Arc};

use serde_json::Value;
use windlass_model::{
    Problem, RunId,
    ledger::Balance,
    voucher::{BatchRecord, Closed, Products, RedemptionRecord, Totals, VoucherRecord},
};
use windlass_script::host::HostModule;

/// Vouchers to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// The organisation that answers for them.
    pub issuer: String,
    /// How people call the batch.
    pub name: String,
    /// How many.
    pub count: usize,
    /// What each is worth, in the currency's smallest unit.
    pub credit: i64,
    /// ISO 4217.
    pub currency: String,
    /// What they are for.
    pub description: String,
    /// How often each may be redeemed (0: without limit).
    pub max_redemptions: i64,
    /// Limits by product.
    pub products: Products,
    /// How long they can be redeemed, in milliseconds.
    pub open_ms: Option<i64>,
    /// Whether other Sovereigns may redeem them by their signature.
    pub signed: bool,
}

/// Who redeems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeem {
    /// The voucher's id, or its code.
    pub voucher: String,
    /// The organisation that gets the credit.
    pub customer: String,
    /// Whose e-mail address it is asked with: each one redeems a voucher once.
    pub email: String,
    /// What it is for.
    pub product: Option<String>,
}

/// A step of a run.
pub struct Step<'a> {
    /// The run.
    pub run: &'a RunId,
    /// The step's key: the same for each of its attempts.
    pub key: &'a str,
}

/// What another Sovereign is being asked.
pub type Settling<'a> = Pin<Box<dyn Future<Output = Result<Value, Problem>> + Send + 'a>>;

/// Keeps vouchers and the ledger. The server does. Each refuses a run that isn't of the issuer or of the platform.
pub trait Vouchers: Send + Sync {
    /// Issues; the same step finds its own batch.
    fn issue(&self, step: &Step<'_>, issue: &Issue) -> Result<BatchRecord, Problem>;

    /// Takes vouchers back that can still be redeemed: one, a batch, or what the step of this key has issued. How many.
    fn revoke(&self, step: &Step<'_>, issuer: &str, what: &str) -> Result<u64, Problem>;

    /// A voucher by its id or code, and why it can't be redeemed, if it can't.
    fn preview(&self, run: &RunId, voucher: &str) -> Result<(VoucherRecord, Option<Closed>), Problem>;

    /// Redeems; the same step finds its own redemption.
    fn redeem(&self, step: &Step<'_>, redeem: &Redeem) -> Result<RedemptionRecord, Problem>;

    /// Takes the redemption of a step back, by a transaction of its own; `None` if there is none.
    fn reverse(&self, run: &RunId, by: &str) -> Result<Option<RedemptionRecord>, Problem>;

    /// Takes what is left of a customer's credit back to the issuer; how many accounts.
    fn write_off(&self, step: &Step<'_>, customer: &str, issuer: &str) -> Result<u64, Problem>;

    /// Asks another Sovereign for what was redeemed here of its vouchers, and books what it answers.
    fn settle<'a>(&'a self, run: &'a RunId, sovereign: &'a str) -> Settling<'a>;

    /// Sums of an organisation's accounts.
    fn balance(&self, run: &RunId, organisation: &str) -> Result<Vec<Balance>, Problem>;

    /// Sums of an issuer's vouchers (`*`: of all issuers).
    fn totals(&self, run: &RunId, issuer: &str) -> Result<Vec<Totals>, Problem>;
}

/// The module over what keeps vouchers.
pub fn module(vouchers: Arc<dyn Vouchers>) -> HostModule {
    ops::module(vouchers)
}

/// The module for rehearsals: everything is checked, and nothing is kept.
pub fn rehearsal() -> HostModule {
    ops::module(Arc::new(rehearse::Nowhere::default()))
}
