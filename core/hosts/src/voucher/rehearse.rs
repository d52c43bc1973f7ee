//! Vouchers in a rehearsal: what a run would issue and redeem, for as long as the rehearsal lasts. A voucher that it has not
//! issued itself is taken for an open one.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde_json::json;
use windlass_model::{
    Code, Problem, RunId,
    ledger::{Account, AccountKind, Balance, CREDIT, currency},
    voucher::{BatchRecord, Closed, Products, RedemptionRecord, Totals, VoucherRecord},
};

use super::{Issue, Redeem, Settling, Step, Vouchers};

/// What a voucher that nobody knows here is assumed to be worth.
const ASSUMED: i64 = 1_000;
const CURRENCY: &str = "EUR";

#[derive(Default)]
pub(super) struct Nowhere(Mutex<Book>);

#[derive(Default)]
struct Book {
    issued: Vec<(BatchRecord, i64)>,
    redeemed: BTreeMap<String, RedemptionRecord>,
}

impl Vouchers for Nowhere {
    fn issue(&self, step: &Step<'_>, issue: &Issue) -> Result<BatchRecord, Problem> {
        let count = i64::try_from(issue.count).unwrap_or(i64::MAX);
        if count < 1 || issue.credit < 1 || issue.max_redemptions < 0 {
            let message = "a batch has at least one voucher, worth at least 1";
            return Err(Problem::new(Code::InvalidInput, message).no_effect());
        }
        let batch = BatchRecord {
            id: format!("b_rehearsed-{}", step.key.rsplit('/').next().unwrap_or_default()),
            issuer: issue.issuer.clone(),
            name: issue.name.clone(),
            count,
            credit: issue.credit,
            currency: currency(&issue.currency)?,
            signed: issue.signed,
            created_by: step.run.to_string(),
            created_at_ms: 0,
        };
        self.0.lock().issued.push((batch.clone(), issue.max_redemptions));
        Ok(batch)
    }

    fn revoke(&self, _: &Step<'_>, _: &str, what: &str) -> Result<u64, Problem> {
        let book = self.0.lock();
        let found = book.issued.iter().find(|(batch, _)| batch.id == what);
        Ok(found.map_or(1, |(batch, _)| batch.count.unsigned_abs()))
    }

    fn preview(&self, _: &RunId, voucher: &str) -> Result<(VoucherRecord, Option<Closed>), Problem> {
        let assumed = VoucherRecord {
            id: voucher.to_owned(),
            batch: None,
            issuer: crate::owner::PLATFORM.to_owned(),
            origin: None,
            credit: ASSUMED,
            currency: CURRENCY.to_owned(),
            description: String::new(),
            active: true,
            max_redemptions: 1,
            times_redeemed: 0,
            products: Products::new(),
            expires_at_ms: None,
            created_at_ms: 0,
            deleted_at_ms: None,
        };
        Ok((assumed, None))
    }

    fn redeem(&self, step: &Step<'_>, redeem: &Redeem) -> Result<RedemptionRecord, Problem> {
        let mut book = self.0.lock();
        if let Some(known) = book.redeemed.get(step.key) {
            return Ok(known.clone());
        }
        let same = |one: &RedemptionRecord| one.voucher == redeem.voucher && one.customer == redeem.customer;
        if book.redeemed.values().any(|one| same(one) && one.reversed_by.is_none()) {
            return Err(Problem::new(Code::Conflict, "this customer has redeemed the voucher already").no_effect());
        }
        let redemption = RedemptionRecord {
            id: format!("r_rehearsed-{}", book.redeemed.len() + 1),
            voucher: redeem.voucher.clone(),
            customer: redeem.customer.clone(),
            product: redeem.product.clone(),
            amount: ASSUMED,
            currency: CURRENCY.to_owned(),
            transaction: "rehearsed".into(),
            redeemed_at_ms: 0,
            reversed_by: None,
            reversed_at_ms: None,
        };
        book.redeemed.insert(step.key.to_owned(), redemption.clone());
        Ok(redemption)
    }

    fn reverse(&self, _: &RunId, by: &str) -> Result<Option<RedemptionRecord>, Problem> {
        let mut book = self.0.lock();
        let Some(found) = book.redeemed.get_mut(by) else { return Ok(None) };
        (found.reversed_by, found.reversed_at_ms) = (Some("rehearsed".into()), Some(0));
        Ok(Some(found.clone()))
    }

    fn write_off(&self, _: &Step<'_>, customer: &str, _: &str) -> Result<u64, Problem> {
        let book = self.0.lock();
        let open = book.redeemed.values().any(|one| one.customer == customer && one.reversed_by.is_none());
        Ok(u64::from(open))
    }

    fn settle<'a>(&'a self, _: &'a RunId, _: &'a str) -> Settling<'a> {
        Box::pin(async { Ok(json!({ "asked": 0, "accepted": 0, "disputed": [], "pending": 0, "unbooked": [] })) })
    }

    fn balance(&self, _: &RunId, organisation: &str) -> Result<Vec<Balance>, Problem> {
        let book = self.0.lock();
        let own = book.redeemed.values().filter(|one| one.customer == organisation && one.reversed_by.is_none());
        let (amount, entries) = own.fold((0, 0), |(sum, count), one| (sum - one.amount, count + 1));
        if entries == 0 {
            return Ok(Vec::new());
        }
        let account = Account::new(organisation, CREDIT, AccountKind::Liability);
        Ok(vec![Balance {
            account: account.id(CURRENCY),
            organisation: organisation.to_owned(),
            name: CREDIT.to_owned(),
            kind: account.kind,
            currency: CURRENCY.to_owned(),
            amount,
            entries,
        }])
    }

    fn totals(&self, _: &RunId, issuer: &str) -> Result<Vec<Totals>, Problem> {
        let book = self.0.lock();
        let mut sums: BTreeMap<(String, String), Totals> = BTreeMap::new();
        for (batch, max) in book.issued.iter().filter(|(batch, _)| issuer == "*" || batch.issuer == issuer) {
            let fresh = || Totals {
                issuer: batch.issuer.clone(),
                currency: batch.currency.clone(),
                vouchers: 0,
                issued: 0,
                redeemed: 0,
                outstanding: 0,
                unlimited: 0,
            };
            let sum = sums.entry((batch.issuer.clone(), batch.currency.clone())).or_insert_with(fresh);
            let worth = batch.credit.saturating_mul(batch.count).saturating_mul(*max);
            sum.vouchers += batch.count;
            sum.issued = sum.issued.saturating_add(worth);
            sum.outstanding = sum.issued;
            sum.unlimited += if *max == 0 { batch.count } else { 0 };
        }
        Ok(sums.into_values().collect())
    }
}
