//! Vouchers: who issued them, what they are worth, and what became of them. The code itself is nowhere here: only its hash
//! under a key, and its sealed form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::state::text_enum;

/// Vouchers of one batch, at most.
pub const BATCH: usize = 10_000;
/// The greatest credit of one voucher, in the currency's smallest unit: sums of many stay far from 64 bits.
pub const LARGEST_CREDIT: i64 = 1_000_000_000_000;
/// How often one voucher can be redeemed, at most (0: without limit).
pub const MOST_REDEMPTIONS: i64 = 1_000_000;

/// Greatest numbers of redemptions by product (0: no limit). Empty: for anything.
pub type Products = BTreeMap<String, i64>;

/// What was issued together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRecord {
    /// Its id.
    pub id: String,
    /// The organisation that issued it.
    pub issuer: String,
    /// How people call it.
    pub name: String,
    /// How many vouchers.
    pub count: i64,
    /// What each is worth, in the currency's smallest unit.
    pub credit: i64,
    /// ISO 4217.
    pub currency: String,
    /// Whether other Sovereigns may redeem them by their signature.
    pub signed: bool,
    /// Who issued it.
    pub created_by: String,
    /// When.
    pub created_at_ms: i64,
}

/// A voucher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoucherRecord {
    /// Its id: who knows it can't redeem it.
    pub id: String,
    /// The batch; none for one of another Sovereign.
    pub batch: Option<String>,
    /// The organisation that answers for it here.
    pub issuer: String,
    /// The Sovereign that signed it, if that was another one.
    pub origin: Option<String>,
    /// What it is worth, in the currency's smallest unit.
    pub credit: i64,
    /// ISO 4217.
    pub currency: String,
    /// What it is for.
    pub description: String,
    /// Whether it can be redeemed.
    pub active: bool,
    /// How often, at most (0: without limit).
    pub max_redemptions: i64,
    /// How often it was.
    pub times_redeemed: i64,
    /// Limits by product.
    pub products: Products,
    /// When it can't be redeemed any more.
    pub expires_at_ms: Option<i64>,
    /// When it was issued.
    pub created_at_ms: i64,
    /// When it was deleted.
    pub deleted_at_ms: Option<i64>,
}

impl VoucherRecord {
    /// Why it can't be redeemed, if it can't.
    pub fn closed(&self, now_ms: i64) -> Option<Closed> {
        if self.deleted_at_ms.is_some() || !self.active {
            return Some(Closed::Revoked);
        }
        if self.expires_at_ms.is_some_and(|at| at <= now_ms) {
            return Some(Closed::Expired);
        }
        (self.max_redemptions > 0 && self.times_redeemed >= self.max_redemptions).then_some(Closed::UsedUp)
    }
}

text_enum!(
    /// Why a voucher can't be redeemed any more.
    Closed {
        /// Its issuer has taken it back.
        Revoked = "revoked",
        /// Its time is over.
        Expired = "expired",
        /// It was redeemed as often as it may be.
        UsedUp = "used_up",
    }
);

/// What only the store and whoever holds the keys see of a voucher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedVoucher {
    /// The rest.
    pub voucher: VoucherRecord,
    /// Hash of its code, under a key.
    pub lookup: String,
    /// Its code, sealed.
    pub sealed: String,
    /// What its signature is bound to.
    pub nonce: String,
}

/// A batch to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBatch {
    /// The batch.
    pub batch: BatchRecord,
    /// The same key finds the same batch.
    pub key: String,
    /// Its vouchers.
    pub vouchers: Vec<SealedVoucher>,
}

/// A redemption to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRedemption {
    /// Its id.
    pub id: String,
    /// The voucher.
    pub voucher: String,
    /// The same key finds the same redemption.
    pub key: String,
    /// The organisation that gets the credit.
    pub customer: String,
    /// Hash of who asks, under a key: each person once.
    pub holder: String,
    /// What it is for.
    pub product: Option<String>,
    /// What the Sovereign that has signed the voucher may owe here; none if it isn't trusted. For vouchers of this one it
    /// doesn't count.
    pub limit: Option<i64>,
}

/// Money that changed hands between Sovereigns, outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The other Sovereign.
    pub peer: String,
    /// The organisation here that it is booked for.
    pub organisation: String,
    /// Whether this Sovereign got it; otherwise it paid.
    pub received: bool,
    /// In the currency's smallest unit.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// What the bank calls it: the same is booked once.
    pub reference: String,
}

/// A redemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedemptionRecord {
    /// Its id.
    pub id: String,
    /// The voucher.
    pub voucher: String,
    /// The organisation that got the credit.
    pub customer: String,
    /// What it was for.
    pub product: Option<String>,
    /// How much, in the currency's smallest unit.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// What was booked.
    pub transaction: String,
    /// When.
    pub redeemed_at_ms: i64,
    /// What was booked when it was taken back.
    pub reversed_by: Option<String>,
    /// When that was.
    pub reversed_at_ms: Option<i64>,
}

text_enum!(
    /// How a claim stands.
    ClaimState {
        /// The other side wasn't asked yet.
        Pending = "pending",
        /// It was asked, and may have judged: its answer isn't here yet.
        Asked = "asked",
        /// It pays.
        Accepted = "accepted",
        /// It doesn't.
        Disputed = "disputed",
        /// The redemption was taken back before it was asked.
        Withdrawn = "withdrawn",
    }
);

/// What was redeemed elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRecord {
    /// The Sovereign on the other side.
    pub peer: String,
    /// The redemption's id where it was redeemed.
    pub id: String,
    /// The voucher's id where it is known here.
    pub voucher: String,
    /// The organisation here that it is booked for.
    pub organisation: String,
    /// What the signature was bound to.
    pub nonce: String,
    /// How much.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// How it stands.
    pub state: ClaimState,
    /// Why it is disputed.
    pub reason: Option<String>,
    /// When it was made.
    pub created_at_ms: i64,
    /// When it was answered.
    pub settled_at_ms: Option<i64>,
}

/// A claim as it is sent, and what the issuer has found of its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The redemption's id where it was redeemed.
    pub id: String,
    /// The voucher's id at its issuer.
    pub voucher: String,
    /// What the signature was bound to.
    pub nonce: String,
    /// How much.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
}

/// The answer to a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The claim.
    pub id: String,
    /// `accepted` or `disputed`.
    pub state: ClaimState,
    /// Why it is disputed.
    pub reason: Option<String>,
}

/// Which side of a claim this Sovereign is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Others have asked it.
    In,
    /// It asks.
    Out,
}

impl Direction {
    /// As it is kept.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoucherCommand {
    /// Keeps a batch; one of the same key is there already. Answer: `Batch`.
    Issue(Box<NewBatch>),
    /// Keeps a voucher that another Sovereign has signed; the same one is there already. Answer: `Voucher`.
    Accept(Box<SealedVoucher>),
    /// Takes vouchers back that can still be redeemed; with `delete` they are listed no more. Answer: `Count`.
    Revoke {
        /// One of them, or none for a whole batch.
        voucher: Option<String>,
        /// All of the batch with this id or key.
        batch: Option<String>,
        /// Whether they are deleted, too.
        delete: bool,
    },
    /// Redeems. Refused with `gone`, `not_found` or `conflict` (this customer has). Answer: `Redemption`.
    Redeem(Box<NewRedemption>),
    /// Takes the redemption of this key back by a transaction of its own; one that is taken back stays so. Answer: `Redemption`,
    /// or `Nothing` if there is none.
    Reverse {
        /// Its key.
        key: String,
    },
    /// Takes what is left of a customer's credit back. Answer: `Count`, how many accounts.
    WriteOff {
        /// The customer.
        customer: String,
        /// The issuer that gets it.
        issuer: String,
        /// The same key books once.
        key: String,
    },
    /// Judges claims of another Sovereign; one that was judged stays so. Answer: `Verdicts`.
    Judge {
        /// Whose.
        peer: String,
        /// The claims.
        claims: Vec<Claim>,
    },
    /// Claims are about to be asked of another Sovereign: from now on none of them is withdrawn. Answer: `Claims`, those that
    /// weren't answered yet, at most so many.
    Ask {
        /// Of whom.
        peer: String,
        /// At most so many.
        limit: u32,
    },
    /// Books what another Sovereign has answered. Answer: `Booked`.
    Answered {
        /// Whose answer.
        peer: String,
        /// What it says.
        verdicts: Vec<Verdict>,
    },
    /// Books a payment. Refused with `conflict` if that much isn't owed. Answer: `Transaction`.
    Pay(Payment),
}

/// What came of verdicts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Booked {
    /// How many were booked now.
    pub count: u64,
    /// Those that could not be: their claim was withdrawn, was answered otherwise, or isn't known.
    pub left: Vec<Verdict>,
}

/// What a change answers.
#[derive(Clone, Debug, PartialEq)]
pub enum VoucherReply {
    /// There is none.
    Nothing,
    /// How many.
    Count(u64),
    /// The batch.
    Batch(BatchRecord),
    /// The voucher.
    Voucher(Box<VoucherRecord>),
    /// The redemption.
    Redemption(RedemptionRecord),
    /// One for each claim.
    Verdicts(Vec<Verdict>),
    /// Claims.
    Claims(Vec<ClaimRecord>),
    /// What came of verdicts.
    Booked(Booked),
    /// The id of a transaction.
    Transaction(String),
}

/// Which vouchers. By id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VoucherFilter {
    /// Of these issuers; `None`: all.
    pub issuers: Option<Vec<String>>,
    /// Of this batch.
    pub batch: Option<String>,
    /// Also those that were deleted.
    pub deleted: bool,
    /// After this id (cursor).
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// An issuer's sums in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// The organisation.
    pub issuer: String,
    /// ISO 4217.
    pub currency: String,
    /// Vouchers of its own.
    pub vouchers: i64,
    /// What those could cost that have a limit.
    pub issued: i64,
    /// What was redeemed and not taken back, here and elsewhere.
    pub redeemed: i64,
    /// What those that have a limit can still cost.
    pub outstanding: i64,
    /// Open ones without a limit, which aren't in the sums.
    pub unlimited: i64,
}
