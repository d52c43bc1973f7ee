//! Vouchers as the API shows them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use windlass_model::voucher::{BatchRecord, VoucherRecord};

/// Vouchers that were issued together.
#[derive(Serialize, JsonSchema)]
pub(super) struct BatchView {
    id: String,
    /// The organisation that issued it.
    issuer: String,
    name: String,
    /// How many vouchers.
    count: i64,
    /// What each is worth, in the currency's smallest unit.
    credit: i64,
    /// ISO 4217.
    currency: String,
    /// Whether other Sovereigns may redeem them by their signature.
    signed: bool,
    created_by: String,
    created_at_ms: i64,
}

impl From<BatchRecord> for BatchView {
    fn from(batch: BatchRecord) -> Self {
        let BatchRecord { id, issuer, name, count, credit, currency, signed, created_by, created_at_ms } = batch;
        Self { id, issuer, name, count, credit, currency, signed, created_by, created_at_ms }
    }
}

/// A voucher, without its code.
#[derive(Serialize, JsonSchema)]
pub(super) struct VoucherView {
    /// Who knows it can't redeem the voucher.
    pub id: String,
    /// Absent for one of another Sovereign.
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<String>,
    /// The organisation that answers for it.
    issuer: String,
    /// The Sovereign that signed it, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    /// In the currency's smallest unit.
    credit: i64,
    /// ISO 4217.
    currency: String,
    description: String,
    /// Whether it can be redeemed now.
    open: bool,
    /// Why not: `revoked`, `expired` or `used_up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<String>,
    /// Whether nobody has taken it back.
    active: bool,
    /// 0: without limit.
    max_redemptions: i64,
    times_redeemed: i64,
    /// Greatest numbers of redemptions by product (0: no limit); empty: for anything.
    products: BTreeMap<String, i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at_ms: Option<i64>,
    created_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at_ms: Option<i64>,
}

impl VoucherView {
    pub(super) fn of(voucher: VoucherRecord, now_ms: i64) -> Self {
        let closed = voucher.closed(now_ms).map(|closed| closed.to_string());
        Self {
            open: closed.is_none(),
            closed,
            id: voucher.id,
            batch: voucher.batch,
            issuer: voucher.issuer,
            origin: voucher.origin,
            credit: voucher.credit,
            currency: voucher.currency,
            description: voucher.description,
            active: voucher.active,
            max_redemptions: voucher.max_redemptions,
            times_redeemed: voucher.times_redeemed,
            products: voucher.products,
            expires_at_ms: voucher.expires_at_ms,
            created_at_ms: voucher.created_at_ms,
            deleted_at_ms: voucher.deleted_at_ms,
        }
    }
}
