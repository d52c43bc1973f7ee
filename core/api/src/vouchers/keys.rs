//! The keys of vouchers: one that hashes codes and people, one that signs. Both are made when they are first needed, and kept
//! sealed with the vault's key: a database alone gives no code, and signs nothing.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;
use windlass_engine::Engine;
use windlass_model::{
    Code, Problem,
    document::{Change, Expected},
};
use zeroize::Zeroizing;

use crate::auth::kept::PLATFORM;

/// The kind of document.
const KIND: &str = "voucher_key";

/// What seals texts with the vault's key.
pub trait Sealing: Send + Sync {
    /// Seals a text; `context` is bound to it.
    fn seal(&self, context: &str, plain: &str) -> Result<String, Problem>;

    /// Opens what `seal` made with the same context.
    fn open(&self, context: &str, sealed: &str) -> Result<Zeroizing<String>, Problem>;
}

impl<S: crate::services::Secrets + ?Sized> Sealing for &S {
    fn seal(&self, context: &str, plain: &str) -> Result<String, Problem> {
        crate::services::Secrets::seal(*self, context, plain)
    }

    fn open(&self, context: &str, sealed: &str) -> Result<Zeroizing<String>, Problem> {
        self.unseal(context, sealed).map(Zeroizing::new)
    }
}

/// 32 random bytes under a name, made if they aren't there.
fn key(engine: &Engine, sealing: &dyn Sealing, name: &str) -> Result<Zeroizing<[u8; 32]>, Problem> {
    let context = format!("voucher-key/{name}");
    if engine.document(KIND, name)?.is_none() {
        let fresh = Zeroizing::new(rand::random::<[u8; 32]>());
        let sealed = sealing.seal(&context, &Zeroizing::new(hex::encode(*fresh)))?;
        let change = Change::Put {
            kind: KIND.into(),
            id: name.to_owned(),
            organisation: PLATFORM.to_owned(),
            body: json!({ "sealed": sealed }),
            keys: Vec::new(),
            expires_at_ms: None,
            expected: Expected::Absent,
        };
        match engine.change(vec![change]) {
            // Another one has made it at the same moment.
            Err(problem) if matches!(problem.code, Code::Conflict | Code::PreconditionFailed) => {}
            other => drop(other?),
        }
    }
    let damaged = || Problem::new(Code::Storage, format!("the key `{name}` of vouchers is damaged"));
    let kept = engine.document(KIND, name)?.ok_or_else(damaged)?;
    let text = sealing.open(&context, kept.body["sealed"].as_str().unwrap_or_default())?;
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.as_bytes(), &mut *bytes).map_err(|_| damaged())?;
    Ok(bytes)
}

/// Hashes codes, and whoever redeems them.
pub(super) struct Hasher(Zeroizing<[u8; 32]>);

impl Hasher {
    pub(super) fn of(engine: &Engine, sealing: &dyn Sealing) -> Result<Self, Problem> {
        key(engine, sealing, "lookup").map(Self)
    }

    pub(super) fn hash(&self, what: &str, text: &str) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        // No text of one kind is one of another.
        hasher.update(what.as_bytes()).update(&[0]).update(text.as_bytes());
        hasher.finalize().to_hex().to_string()
    }
}

/// Signs for this Sovereign.
pub(super) struct Signer(Ed25519KeyPair);

impl Signer {
    pub(super) fn of(engine: &Engine, sealing: &dyn Sealing) -> Result<Self, Problem> {
        let seed = key(engine, sealing, "signing")?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed)
            .map_err(|_| Problem::new(Code::Storage, "the key that signs vouchers is damaged"))?;
        Ok(Self(pair))
    }

    /// The public key, base64url.
    pub(super) fn public(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0.public_key().as_ref())
    }

    /// What others find the public key by.
    pub(super) fn id(&self) -> String {
        key_id(self.0.public_key().as_ref())
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0.sign(bytes).as_ref())
    }
}

/// The id of a public key: the beginning of its hash.
pub(super) fn key_id(public: &[u8]) -> String {
    blake3::hash(public).to_hex()[..16].to_owned()
}

/// A public key of 32 bytes, base64url.
pub(super) fn public_key(text: &str) -> Result<[u8; 32], Problem> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| {
        Problem::new(Code::InvalidInput, "a public key is 32 bytes in base64url, 43 characters")
            .help("GET /api/v1/vouchers/key of the other Sovereign tells its own")
            .data(json!({ "pointer": "/public_key" }))
    })
}

/// Whether the key has signed the bytes.
pub(super) fn verify(public: &[u8], bytes: &[u8], signature: &str) -> bool {
    let Ok(signature) = BASE64_URL_SAFE_NO_PAD.decode(signature) else { return false };
    ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public).verify(bytes, &signature).is_ok()
}
