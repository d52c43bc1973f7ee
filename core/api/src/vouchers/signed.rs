//! Signed vouchers: `wv1.<payload>.<signature>`. The payload is JSON in one way of writing, in base64url; whoever trusts the
//! key redeems without asking its owner.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use windlass_model::{
    ledger,
    voucher::{LARGEST_CREDIT, MOST_REDEMPTIONS, Products, SealedVoucher},
};

use super::keys::{self, Signer};

const PREFIX: &str = "wv1";
/// Characters of a signed voucher, at most.
const LONGEST: usize = 4_096;
/// What is signed begins so: no other signature of the same key is one of a voucher.
const CONTEXT: &[u8] = b"windlass voucher 1\n";

/// What is signed. The order of the fields is part of the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Payload {
    /// The key that signs.
    pub kid: String,
    /// The voucher's id at its issuer.
    pub id: String,
    /// Random; no two vouchers have the same.
    pub nonce: String,
    /// In the currency's smallest unit.
    pub credit: i64,
    /// ISO 4217.
    pub currency: String,
    /// How often it may be redeemed.
    pub max: i64,
    /// Limits by product.
    pub products: Products,
    /// When it can't be redeemed any more.
    pub exp_ms: i64,
}

fn message(payload: &[u8]) -> Vec<u8> {
    [CONTEXT, payload].concat()
}

/// Whether a text claims to be one.
pub(super) fn looks_signed(text: &str) -> bool {
    text.trim_start().get(..4).is_some_and(|begin| begin.eq_ignore_ascii_case("wv1."))
}

/// The signed form of a voucher of this Sovereign; none for one that never ends or has no limit.
pub(super) fn sign(signer: &Signer, sealed: &SealedVoucher) -> Option<String> {
    let voucher = &sealed.voucher;
    let payload = Payload {
        kid: signer.id(),
        id: voucher.id.clone(),
        nonce: sealed.nonce.clone(),
        credit: voucher.credit,
        currency: voucher.currency.clone(),
        max: Some(voucher.max_redemptions).filter(|max| *max > 0)?,
        products: voucher.products.clone(),
        exp_ms: voucher.expires_at_ms?,
    };
    let bytes = serde_json::to_vec(&payload).ok()?;
    let signature = signer.sign(&message(&bytes));
    Some(format!("{PREFIX}.{}.{signature}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

/// The payload, if a key that `public` finds by its id has signed it.
pub(super) fn open(text: &str, public: impl FnOnce(&str) -> Option<[u8; 32]>) -> Option<Payload> {
    let text = text.trim();
    let mut parts = text.split('.');
    let (prefix, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if text.len() > LONGEST || prefix != PREFIX || parts.next().is_some() {
        return None;
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?;
    let read: Payload = serde_json::from_slice(&bytes).ok()?;
    if !keys::verify(&public(&read.kid)?, &message(&bytes), signature) {
        return None;
    }
    // Another way of writing the same would be another text of the same voucher.
    let canonical = serde_json::to_vec(&read).ok()? == bytes;
    let sound = (1..=LARGEST_CREDIT).contains(&read.credit)
        && (1..=MOST_REDEMPTIONS).contains(&read.max)
        && ledger::currency(&read.currency).is_ok_and(|currency| currency == read.currency)
        && plain(&read.id)
        && plain(&read.nonce)
        && read.products.len() <= 32;
    (canonical && sound).then_some(read)
}

fn plain(word: &str) -> bool {
    (1..=64).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
