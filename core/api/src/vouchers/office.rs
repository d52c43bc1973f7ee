//! Issuing, finding, redeeming and exporting, for the API and for scripts alike.

use serde_json::json;
use windlass_engine::Engine;
use windlass_model::{
    Code, Problem, ledger,
    voucher::{
        BATCH, BatchRecord, LARGEST_CREDIT, MOST_REDEMPTIONS, NewBatch, NewRedemption, Products, RedemptionRecord,
        SealedVoucher, VoucherFilter, VoucherRecord,
    },
};

use super::{
    code,
    keys::{Hasher, Sealing, Signer},
    leave::Leave,
    peers::{self, Peer},
    signed::{self, Payload},
};

/// What all vouchers of a batch may cost together, at most: sums of many batches stay far from 64 bits.
pub(super) const WORTH: i64 = 1_000_000_000_000_000;
/// Products that one voucher names, at most.
const PRODUCTS: usize = 32;
/// Vouchers that are read at once.
const PAGE: u32 = 500;

/// Vouchers to be.
#[derive(Clone, Debug, Default)]
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
    /// When they can't be redeemed any more.
    pub expires_at_ms: Option<i64>,
    /// Whether other Sovereigns may redeem them by their signature.
    pub signed: bool,
}

/// Keeps vouchers in a database.
pub struct Office<'a> {
    pub(super) engine: &'a Engine,
    pub(super) sealing: &'a dyn Sealing,
}

fn wrong(field: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidInput, message).data(json!({ "pointer": format!("/{field}") })).no_effect()
}

impl Issue {
    /// The same with the currency in its one way of writing; refuses what can't be issued.
    fn checked(mut self, now_ms: i64) -> Result<Self, Problem> {
        let line = |text: &str, most: usize| text.len() <= most && !text.contains(char::is_control);
        self.name = self.name.trim().to_owned();
        if self.name.is_empty() || !line(&self.name, 100) {
            return Err(wrong("name", "a batch's name has 1 to 100 bytes, in one line"));
        }
        if !line(&self.description, 500) {
            return Err(wrong("description", "a description has at most 500 bytes, in one line"));
        }
        if !(1..=BATCH).contains(&self.count) {
            return Err(wrong("count", format!("a batch has 1 to {BATCH} vouchers")));
        }
        if !(1..=LARGEST_CREDIT).contains(&self.credit) {
            return Err(wrong("credit", format!("a credit is 1 to {LARGEST_CREDIT}, in the currency's smallest unit")));
        }
        if !(0..=MOST_REDEMPTIONS).contains(&self.max_redemptions) {
            return Err(wrong("max_redemptions", format!("0 (without limit) to {MOST_REDEMPTIONS}")));
        }
        let count = i64::try_from(self.count).unwrap_or(i64::MAX);
        let worth = self.credit.checked_mul(self.max_redemptions.max(1)).and_then(|each| each.checked_mul(count));
        if worth.is_none_or(|worth| worth > WORTH) {
            return Err(wrong("credit", format!("all redemptions of a batch are worth at most {WORTH}")));
        }
        self.currency =
            ledger::currency(&self.currency).map_err(|error| error.data(json!({ "pointer": "/currency" })))?;
        let named = |name: &String| !name.is_empty() && line(name, 64);
        if self.products.len() > PRODUCTS || !self.products.keys().all(named) {
            return Err(wrong("products", format!("at most {PRODUCTS} products, with names of 1 to 64 bytes")));
        }
        if self.products.values().any(|limit| !(0..=MOST_REDEMPTIONS).contains(limit)) {
            return Err(wrong("products", format!("a product's limit is 0 (none) to {MOST_REDEMPTIONS}")));
        }
        if self.expires_at_ms.is_some_and(|at| at <= now_ms) {
            return Err(wrong("expires_at_ms", "the vouchers would have expired already"));
        }
        if self.signed && (self.max_redemptions == 0 || self.expires_at_ms.is_none()) {
            let message = "vouchers that other Sovereigns redeem need a number of redemptions and an end";
            return Err(wrong("signed", message)
                .help("nobody asks here before they are redeemed there: give `max_redemptions` and `expires_at_ms`"));
        }
        Ok(self)
    }
}

/// An id in the order of time.
fn id(prefix: &str) -> String {
    format!("{prefix}_{}", ulid::Ulid::new().to_string().to_lowercase())
}

/// What a code is sealed with.
fn context(voucher: &str) -> String {
    format!("voucher/{voucher}")
}

fn absent() -> Problem {
    Problem::new(Code::NotFound, "there is no such voucher").help("look at the code again: it may be mistyped")
}

impl<'a> Office<'a> {
    /// On this database, with this vault.
    pub fn new(engine: &'a Engine, sealing: &'a dyn Sealing) -> Self {
        Self { engine, sealing }
    }

    /// Makes the keys, if they aren't there yet.
    pub fn prepare(&self) -> Result<(), Problem> {
        Hasher::of(self.engine, self.sealing).map(drop)
    }

    /// Issues, if the issuer may, and within what whoever does it may; the same key finds the same batch.
    pub fn issue(&self, issue: Issue, key: &str, by: &str, leave: Leave) -> Result<BatchRecord, Problem> {
        let now_ms = self.engine.now_ms();
        self.require_issuer(&issue.issuer)?;
        let issue = issue.checked(now_ms)?;
        let asked = issue.clone();
        let hasher = Hasher::of(self.engine, self.sealing)?;
        let batch = BatchRecord {
            id: id("b"),
            issuer: issue.issuer,
            name: issue.name,
            count: i64::try_from(issue.count).unwrap_or(i64::MAX),
            credit: issue.credit,
            currency: issue.currency,
            signed: issue.signed,
            created_by: by.to_owned(),
            created_at_ms: now_ms,
        };
        let voucher = |_| {
            let (code, id) = (code::fresh(), id("v"));
            Ok(SealedVoucher {
                lookup: hasher.hash("code", &code),
                sealed: self.sealing.seal(&context(&id), &code)?,
                nonce: hex::encode(rand::random::<[u8; 16]>()),
                voucher: VoucherRecord {
                    id,
                    batch: Some(batch.id.clone()),
                    issuer: batch.issuer.clone(),
                    origin: None,
                    credit: batch.credit,
                    currency: batch.currency.clone(),
                    description: issue.description.clone(),
                    active: true,
                    max_redemptions: issue.max_redemptions,
                    times_redeemed: 0,
                    products: issue.products.clone(),
                    expires_at_ms: issue.expires_at_ms,
                    created_at_ms: now_ms,
                    deleted_at_ms: None,
                },
            })
        };
        let vouchers = (0..issue.count).map(voucher).collect::<Result<_, Problem>>()?;
        let new = NewBatch { batch, key: key.to_owned(), vouchers };
        self.within((&asked, key, leave), |changes| crate::runs::with(self.engine, changes).issue_vouchers(new.clone()))
    }

    /// The voucher of a code, or of a signed voucher, as it stands here. One that another Sovereign has signed and that nobody
    /// has brought yet is shown as it would be kept.
    pub fn preview(&self, text: &str) -> Result<VoucherRecord, Problem> {
        self.look(text).map(|(found, _)| found.voucher)
    }

    /// The same; from now on one of another Sovereign is kept here.
    pub fn present(&self, text: &str) -> Result<VoucherRecord, Problem> {
        match self.look(text)? {
            (found, false) => Ok(found.voucher),
            // What can't be redeemed isn't kept.
            (found, true) if found.voucher.closed(self.engine.now_ms()).is_some() => Ok(found.voucher),
            (found, true) => self.engine.accept_voucher(found),
        }
    }

    /// The voucher, and whether it would have to be kept first.
    fn look(&self, text: &str) -> Result<(SealedVoucher, bool), Problem> {
        if signed::looks_signed(text) {
            return self.look_at_signed(text);
        }
        let (code, sound) = code::typed(text);
        // A mistyped code is looked for as a right one is: how long the answer takes tells nothing.
        let lookup = Hasher::of(self.engine, self.sealing)?.hash("code", &code);
        let found = self.engine.voucher_by_lookup(&lookup)?;
        found
            .filter(|found| sound && found.voucher.deleted_at_ms.is_none())
            .map(|found| (found, false))
            .ok_or_else(absent)
    }

    fn look_at_signed(&self, text: &str) -> Result<(SealedVoucher, bool), Problem> {
        let signer = Signer::of(self.engine, self.sealing)?;
        let trusted = Peer::all(self.engine)?;
        let public = |kid: &str| match kid == signer.id() {
            true => super::keys::public_key(&signer.public()).ok(),
            false => trusted.iter().find(|peer| peer.kid == kid).and_then(|peer| peer.public().ok()),
        };
        let payload = signed::open(text, public).ok_or_else(absent)?;
        if payload.kid == signer.id() {
            let own = self.engine.voucher(&payload.id)?;
            let own = own.filter(|own| own.nonce == payload.nonce && own.voucher.deleted_at_ms.is_none());
            return own.map(|own| (own, false)).ok_or_else(absent);
        }
        let peer = trusted.into_iter().find(|peer| peer.kid == payload.kid).ok_or_else(absent)?;
        peer.require_room(self.engine, payload.credit, &payload.currency)?;
        let foreign = self.foreign(&peer, payload)?;
        match self.engine.voucher_by_lookup(&foreign.lookup)? {
            Some(kept) => Ok((kept, false)),
            None => Ok((foreign, true)),
        }
    }

    /// A voucher of another Sovereign as it is kept here: its id there stands in what is sealed.
    fn foreign(&self, peer: &Peer, payload: Payload) -> Result<SealedVoucher, Problem> {
        let hasher = Hasher::of(self.engine, self.sealing)?;
        let lookup = hasher.hash("signed", &format!("{}/{}", payload.kid, payload.nonce));
        let id = format!("f_{}", &lookup[..26]);
        Ok(SealedVoucher {
            sealed: self.sealing.seal(&context(&id), &payload.id)?,
            lookup,
            nonce: payload.nonce,
            voucher: VoucherRecord {
                id,
                batch: None,
                issuer: peer.organisation.clone(),
                origin: Some(peer.name.clone()),
                credit: payload.credit,
                currency: payload.currency,
                description: format!("a voucher of {}", peer.name),
                active: true,
                max_redemptions: payload.max,
                times_redeemed: 0,
                products: payload.products,
                expires_at_ms: Some(payload.exp_ms),
                created_at_ms: self.engine.now_ms(),
                deleted_at_ms: None,
            },
        })
    }

    /// What a foreign voucher is called at its issuer.
    pub(super) fn id_there(&self, voucher: &str) -> Result<String, Problem> {
        let kept = self.engine.voucher(voucher)?.ok_or_else(absent)?;
        self.sealing.open(&context(voucher), &kept.sealed).map(|id| id.to_string())
    }

    /// A voucher by its id or its code.
    pub fn find(&self, text: &str) -> Result<VoucherRecord, Problem> {
        match text.starts_with("v_") || text.starts_with("f_") {
            true => self.engine.voucher(text)?.map(|found| found.voucher).ok_or_else(absent),
            false => self.present(text),
        }
    }

    /// Redeems for a customer; the same key finds the same redemption.
    pub fn redeem(
        &self,
        voucher: &VoucherRecord,
        (customer, email): (&str, &str),
        product: Option<&str>,
        key: &str,
    ) -> Result<RedemptionRecord, Problem> {
        let holder = self.holder(email)?;
        // What a Sovereign may owe is looked at where it is booked; one that isn't trusted any more may owe nothing.
        let limit = match &voucher.origin {
            Some(origin) => peers::known(self.engine, origin)?.map(|peer| peer.body.limit),
            None => None,
        };
        self.engine.redeem_voucher(NewRedemption {
            id: id("r"),
            voucher: voucher.id.clone(),
            key: key.to_owned(),
            customer: customer.to_owned(),
            holder,
            product: product.map(str::to_owned),
            limit,
        })
    }

    /// What is kept of whoever redeems.
    fn holder(&self, email: &str) -> Result<String, Problem> {
        let email = crate::auth::users::checked_email(email)?;
        Ok(Hasher::of(self.engine, self.sealing)?.hash("holder", &email))
    }

    /// A batch with its codes, as CSV.
    pub fn export(&self, batch: &BatchRecord) -> Result<String, Problem> {
        let signer = if batch.signed { Some(Signer::of(self.engine, self.sealing)?) } else { None };
        let mut text = String::from(
            "voucher,code,credit,currency,max_redemptions,times_redeemed,expires_at_ms,active,description",
        );
        text.push_str(if batch.signed { ",signed\r\n" } else { "\r\n" });
        let mut filter = VoucherFilter { batch: Some(batch.id.clone()), limit: PAGE, ..VoucherFilter::default() };
        loop {
            let page = self.engine.vouchers(&filter)?;
            for kept in &page {
                let voucher = &kept.voucher;
                let code = self.sealing.open(&context(&voucher.id), &kept.sealed)?;
                let ends = voucher.expires_at_ms.map(|at| at.to_string()).unwrap_or_default();
                let mut fields = vec![
                    voucher.id.clone(),
                    code.to_string(),
                    voucher.credit.to_string(),
                    voucher.currency.clone(),
                    voucher.max_redemptions.to_string(),
                    voucher.times_redeemed.to_string(),
                    ends,
                    voucher.active.to_string(),
                    csv(&voucher.description),
                ];
                if let Some(signer) = &signer {
                    fields.push(signed::sign(signer, kept).unwrap_or_default());
                }
                text.push_str(&fields.join(","));
                text.push_str("\r\n");
            }
            match page.last() {
                Some(last) if page.len() == PAGE as usize => filter.after = Some(last.voucher.id.clone()),
                _ => return Ok(text),
            }
        }
    }

    /// This Sovereign's public key and its id.
    pub fn public_key(&self) -> Result<(String, String), Problem> {
        let signer = Signer::of(self.engine, self.sealing)?;
        Ok((signer.id(), signer.public()))
    }

    /// Whether a run of this organisation may act for an issuer: its own, or any if it is the platform's.
    pub fn may_act(organisation: &str, issuer: &str) -> bool {
        organisation == issuer || organisation == crate::auth::kept::PLATFORM
    }

    /// Whether the customer is this organisation's own, so that it may close its accounts.
    pub fn is_customer(&self, customer: &str, of: &str) -> Result<bool, Problem> {
        let found = self.engine.document("organisation", customer)?;
        // One without a parent is right under the platform.
        let above = |parent: Option<&str>| parent.unwrap_or(crate::auth::kept::PLATFORM) == of;
        Ok(found.is_some_and(|found| above(found.body["parent"].as_str())))
    }

    /// The organisation here that redeems another Sovereign's vouchers.
    pub fn organisation_of(&self, sovereign: &str) -> Result<String, Problem> {
        Ok(self.peer(sovereign)?.organisation)
    }

    /// The Sovereign of this name.
    pub(super) fn peer(&self, name: &str) -> Result<Peer, Problem> {
        peers::find(self.engine, name)
    }
}

/// A field as a spreadsheet takes it for text: quoted, and no formula.
fn csv(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}
