//! The ledger: double-entry, append-only. Amounts are whole numbers of a currency's smallest unit, a debit positive and a
//! credit negative; the entries of a transaction sum to 0 in each currency.

use serde::{Deserialize, Serialize};

use crate::{Code, Problem, state::text_enum};

text_enum!(
    /// What an account is.
    AccountKind {
        /// What others owe.
        Asset = "asset",
        /// What is owed to others.
        Liability = "liability",
        /// What was earned.
        Income = "income",
        /// What was spent.
        Expense = "expense",
    }
);

text_enum!(
    /// Why something was booked.
    TransactionKind {
        /// A voucher was redeemed.
        Redeem = "redeem",
        /// Another transaction was taken back.
        Reverse = "reverse",
        /// Another Sovereign agreed to a claim, or this one did.
        Settle = "settle",
        /// Another Sovereign refused a claim: a loss.
        Dispute = "dispute",
        /// Credit that nobody will use was taken back.
        WriteOff = "write_off",
        /// Another Sovereign paid what it owed, or was paid.
        Pay = "pay",
    }
);

/// What a customer may still spend: the issuer owes it.
pub const CREDIT: &str = "credit";
/// What an issuer's vouchers have cost it.
pub const GRANTED: &str = "vouchers-granted";
/// What was asked of another Sovereign and isn't answered yet; the Sovereign's name follows.
pub const CLEARING: &str = "clearing";
/// What another Sovereign owes; its name follows.
pub const RECEIVABLE: &str = "receivable";
/// What is owed to another Sovereign; its name follows.
pub const PAYABLE: &str = "payable";
/// What another Sovereign refused to pay.
pub const LOSS: &str = "disputed-vouchers";

/// What other Sovereigns have paid for, and customers never used.
pub const UNUSED: &str = "unused-credit";
/// The money itself, which came in or went out outside.
pub const BANK: &str = "bank";

/// An account, as whoever books on it says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Whose it is.
    pub organisation: String,
    /// What it is for.
    pub name: String,
    /// What it is.
    pub kind: AccountKind,
}

impl Account {
    /// An organisation's account.
    pub fn new(organisation: &str, name: impl Into<String>, kind: AccountKind) -> Self {
        Self { organisation: organisation.to_owned(), name: name.into(), kind }
    }

    /// One that another Sovereign has a part in.
    pub fn with(organisation: &str, name: &str, peer: &str, kind: AccountKind) -> Self {
        Self::new(organisation, format!("{name}/{peer}"), kind)
    }

    /// Its id for a currency.
    pub fn id(&self, currency: &str) -> String {
        format!("{}:{}:{currency}", self.organisation, self.name)
    }
}

/// An account's sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// The account's id.
    pub account: String,
    /// Whose it is.
    pub organisation: String,
    /// What it is for.
    pub name: String,
    /// What it is.
    pub kind: AccountKind,
    /// ISO 4217.
    pub currency: String,
    /// All its entries summed up: debits less credits.
    pub amount: i64,
    /// How many entries it has.
    pub entries: i64,
}

/// An entry, with what its transaction says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRecord {
    /// The transaction.
    pub transaction: String,
    /// Its place in it, from 1.
    pub seq: i64,
    /// When it was booked.
    pub at_ms: i64,
    /// Why.
    pub kind: TransactionKind,
    /// What it is about: a redemption, a claim.
    pub reference: String,
    /// The same in words.
    pub description: String,
    /// The account.
    pub account: String,
    /// Whose that is.
    pub organisation: String,
    /// Debit positive, credit negative.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
}

/// Entries of some organisations; `None`: of all. Newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryFilter {
    /// Whose accounts.
    pub organisations: Option<Vec<String>>,
    /// Before this transaction and place (cursor: `transaction/seq`).
    pub before: Option<(String, i64)>,
    /// At most so many.
    pub limit: u32,
}

/// What a look at the whole ledger has found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerCheck {
    /// Transactions that were looked at.
    pub transactions: i64,
    /// Entries that were looked at.
    pub entries: i64,
    /// What isn't as it has to be, in words; empty if all is well.
    pub faults: Vec<String>,
}

/// A currency's code, in capitals, if it can be one.
pub fn currency(text: &str) -> Result<String, Problem> {
    let code = text.trim().to_ascii_uppercase();
    match code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        true => Ok(code),
        false => Err(Problem::new(Code::InvalidInput, format!("`{text}` isn't a currency"))
            .help("a currency is three letters of ISO 4217, such as EUR or OMR")
            .no_effect()),
    }
}
