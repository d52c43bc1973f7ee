//! What a plugin holds in a credential's place: an expression that is worked out when a request is sent, and never before.
//! So nothing that a plugin can see, not even how long something takes, depends on a value.

use std::{collections::BTreeMap, sync::Arc};

use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rhai::{Array, Dynamic, FuncRegistration, ImmutableString, Map, Module};
use serde_json::Value;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use windlass_model::{Code, Problem};
use zeroize::Zeroizing;

use super::outcome::{Returned, wrong};
use crate::secret::url_encode;

/// Longest chain of computations.
const DEPTH: usize = 16;
/// Parts of one expression.
const PARTS: usize = 4_096;
/// Bytes of one value.
const VALUE_BYTES: usize = 1 << 20;
/// Bytes of everything that is worked out on the way to one value.
const WORK_BYTES: usize = 4 << 20;
/// Bytes of a field of the credentials: longer ones aren't filled in. Before they are known, each counts as one of this
/// length, so that nothing of a value can be learned from what still fits.
pub const FIELD_BYTES: usize = 16 << 10;
/// What all expressions of one request may come to: parts, and bytes that are worked out.
const REQUEST: Load = Load { parts: 8_192, bytes: 8 << 20 };
/// Bytes that one more value in a list or map counts for.
const ITEM_BYTES: usize = 16;

/// Something that is computed from credentials and text.
#[derive(Clone, Debug)]
pub struct Expr {
    kind: Kind,
    /// How much it is, at most: known without a value, and without looking at its parts again.
    size: Size,
    secret: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Text that the plugin knows.
    Text(ImmutableString),
    /// The value of a field of the credentials.
    Field(Arc<str>),
    /// One behind the other.
    Concat(Vec<Arc<Expr>>),
    /// SHA-1, in hexadecimal.
    Sha1(Arc<Expr>),
    /// HMAC with SHA-1, in hexadecimal: key, text.
    HmacSha1(Arc<Expr>, Arc<Expr>),
    /// HMAC with SHA-256, in hexadecimal: key, text.
    HmacSha256(Arc<Expr>, Arc<Expr>),
    /// Base64, with padding.
    Base64(Arc<Expr>),
    /// Percent-encoding.
    UrlEncode(Arc<Expr>),
    /// A one-time password (RFC 6238) of a seed in base32.
    Totp(Arc<Expr>),
}

#[derive(Clone, Copy, Debug)]
struct Size {
    depth: usize,
    /// Of its value.
    bytes: usize,
    load: Load,
}

/// What working something out takes. A part that stands in several places is worked out at each of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    parts: usize,
    bytes: usize,
}

impl Load {
    fn and(self, other: Self) -> Self {
        Self { parts: self.parts.saturating_add(other.parts), bytes: self.bytes.saturating_add(other.bytes) }
    }

    /// Whether a request may take as much.
    pub fn fits(self) -> bool {
        self.parts <= REQUEST.parts && self.bytes <= REQUEST.bytes
    }
}

impl std::iter::Sum for Load {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::and)
    }
}

/// JSON in which expressions may stand.
#[derive(Clone, Debug)]
pub enum Tree {
    /// A value that the plugin knows.
    Plain(Value),
    /// Text that it doesn't.
    Opaque(Arc<Expr>),
    /// A list.
    List(Vec<Tree>),
    /// A map.
    Map(BTreeMap<String, Tree>),
}

/// Where values come from when a request is sent.
pub trait Values {
    /// The value of a field, if it may go where the request goes.
    fn field(&self, name: &str) -> Result<Zeroizing<String>, Problem>;

    /// The time step for a one-time password of this seed: one that wasn't used yet.
    fn step(&self, seed: &[u8]) -> Result<u64, Problem>;

    /// Told of each value that was computed from one, so that it can be taken out of what comes back.
    fn seen(&self, value: &str);
}

impl Expr {
    fn new(kind: Kind) -> Self {
        let (bytes, parts): (usize, Vec<&Arc<Self>>) = match &kind {
            Kind::Text(text) => (text.len(), Vec::new()),
            Kind::Field(_) => (FIELD_BYTES, Vec::new()),
            Kind::Concat(parts) => {
                (parts.iter().fold(0, |all, part| all.saturating_add(part.size.bytes)), parts.iter().collect())
            }
            Kind::Sha1(part) => (40, vec![part]),
            Kind::HmacSha1(key, text) => (40, vec![key, text]),
            Kind::HmacSha256(key, text) => (64, vec![key, text]),
            Kind::Base64(part) => (part.size.bytes.div_ceil(3).saturating_mul(4), vec![part]),
            Kind::UrlEncode(part) => (part.size.bytes.saturating_mul(3), vec![part]),
            Kind::Totp(seed) => (6, vec![seed]),
        };
        let depth = 1 + parts.iter().map(|part| part.size.depth).max().unwrap_or(0);
        let load = Load { parts: 1, bytes }.and(parts.iter().map(|part| part.size.load).sum());
        let secret = matches!(kind, Kind::Field(_)) || parts.iter().any(|part| part.secret);
        Self { size: Size { depth, bytes, load }, secret, kind }
    }

    /// The value of a field of the credentials.
    pub fn field(name: &str) -> Self {
        Self::new(Kind::Field(name.into()))
    }

    /// Whether a credential stands anywhere inside.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// What working it out takes, at most.
    pub fn load(&self) -> Load {
        self.size.load
    }

    /// The value, for a request that is about to be sent.
    pub fn value(&self, values: &dyn Values) -> Result<Zeroizing<String>, Problem> {
        let value = match &self.kind {
            Kind::Text(text) => return Ok(Zeroizing::new(text.to_string())),
            Kind::Field(name) => values.field(name)?,
            Kind::Concat(parts) => {
                let mut all = Zeroizing::new(String::new());
                for part in parts {
                    all.push_str(&part.value(values)?);
                }
                all
            }
            Kind::Sha1(part) => Zeroizing::new(hex::encode(Sha1::digest(part.value(values)?.as_bytes()))),
            Kind::HmacSha1(key, text) => {
                let (key, text) = (key.value(values)?, text.value(values)?);
                Zeroizing::new(hex::encode(hmac_sha1(key.as_bytes(), text.as_bytes())?))
            }
            Kind::HmacSha256(key, text) => {
                let (key, text) = (key.value(values)?, text.value(values)?);
                let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map_err(|_| odd_key())?;
                mac.update(text.as_bytes());
                Zeroizing::new(hex::encode(mac.finalize().into_bytes()))
            }
            Kind::Base64(part) => {
                Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(part.value(values)?.as_bytes()))
            }
            Kind::UrlEncode(part) => Zeroizing::new(url_encode(&part.value(values)?)),
            Kind::Totp(seed) => {
                let seed = base32(&seed.value(values)?)?;
                code_at(&seed, values.step(&seed)?)?
            }
        };
        if self.is_secret() && !matches!(self.kind, Kind::Field(_)) {
            values.seen(&value);
        }
        Ok(value)
    }
}

impl Tree {
    /// What working it out takes, at most.
    pub fn load(&self) -> Load {
        match self {
            // It was counted when it was made.
            Self::Plain(_) => Load::default(),
            Self::Opaque(expr) => expr.load(),
            Self::List(items) => items.iter().map(Self::load).sum(),
            Self::Map(map) => map.values().map(Self::load).sum(),
        }
    }

    /// The JSON, for a request that is about to be sent.
    pub fn value(&self, values: &dyn Values) -> Result<Value, Problem> {
        Ok(match self {
            Self::Plain(value) => value.clone(),
            Self::Opaque(expr) => Value::String(expr.value(values)?.to_string()),
            Self::List(items) => items.iter().map(|item| item.value(values)).collect::<Result<_, _>>()?,
            Self::Map(map) => {
                let entries = map.iter().map(|(key, item)| Ok((key.clone(), item.value(values)?)));
                Value::Object(entries.collect::<Result<_, Problem>>()?)
            }
        })
    }
}

fn odd_key() -> Problem {
    Problem::new(Code::SecretMisuse, "a credential can't be used as a key").no_effect()
}

fn hmac_sha1(key: &[u8], text: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).map_err(|_| odd_key())?;
    mac.update(text);
    Ok(mac.finalize().into_bytes().to_vec())
}

/// The bytes behind a seed as authenticator apps take it.
fn base32(text: &str) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let (mut bytes, mut bits, mut held) = (Zeroizing::new(Vec::new()), 0_u32, 0_u32);
    for letter in text.chars().filter(|letter| !letter.is_whitespace() && !matches!(letter, '-' | '=')) {
        let five = match letter.to_ascii_uppercase() {
            letter @ 'A'..='Z' => letter as u32 - 'A' as u32,
            letter @ '2'..='7' => letter as u32 - '2' as u32 + 26,
            _ => return Err(odd_key().help("the seed of one-time passwords is written in base32: A to Z, 2 to 7")),
        };
        (held, bits) = (held << 5 | five, bits + 5);
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    Ok(bytes)
}

/// Six digits of a time step (RFC 6238, SHA-1).
fn code_at(seed: &[u8], step: u64) -> Result<Zeroizing<String>, Problem> {
    let hash = hmac_sha1(seed, &step.to_be_bytes())?;
    let at = usize::from(hash.last().copied().unwrap_or_default() & 0x0f);
    let word = hash.iter().skip(at).take(4).fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    Ok(Zeroizing::new(format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)))
}

/// The type that scripts hold. It has no operations but those that give another one.
#[derive(Clone)]
pub(super) struct Opaque(pub Arc<Expr>);

/// Text, a number, or an opaque value, as an expression.
pub(super) fn expr(value: &Dynamic) -> Returned<Arc<Expr>> {
    if let Some(opaque) = value.read_lock::<Opaque>() {
        return Ok(opaque.0.clone());
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Arc::new(Expr::new(Kind::Text(text.clone()))));
    }
    match value.as_int() {
        Ok(number) => Ok(Arc::new(Expr::new(Kind::Text(number.to_string().into())))),
        Err(name) => Err(wrong(format!("text or a credential is needed here, not a `{name}`"))),
    }
}

/// JSON with opaque values inside; `left` is how many bytes it may still have.
pub(super) fn tree(value: &Dynamic, depth: usize, left: &mut usize) -> Returned<Tree> {
    if depth > DEPTH {
        return Err(wrong("a value is nested too deeply, or contains itself"));
    }
    spend(left, ITEM_BYTES)?;
    if let Some(opaque) = value.read_lock::<Opaque>() {
        return Ok(Tree::Opaque(opaque.0.clone()));
    }
    if let Ok(items) = value.as_array_ref() {
        return items.iter().map(|item| tree(item, depth + 1, left)).collect::<Returned<_>>().map(Tree::List);
    }
    if let Ok(map) = value.as_map_ref() {
        let entries = map.iter().map(|(key, item)| {
            spend(left, key.len())?;
            Ok((key.to_string(), tree(item, depth + 1, left)?))
        });
        return entries.collect::<Returned<_>>().map(Tree::Map);
    }
    let plain = crate::canonical::text(value, crate::canonical::Secrets::Refused, *left).ok();
    let plain = plain.ok_or_else(|| wrong(format!("a `{}` isn't JSON, or is too large", value.type_name())))?;
    spend(left, plain.len())?;
    serde_json::from_str(&plain).map(Tree::Plain).map_err(|error| wrong(error.to_string()))
}

/// Counts bytes of a request.
pub(super) fn spend(left: &mut usize, bytes: usize) -> Returned<()> {
    *left = left.checked_sub(bytes).ok_or_else(|| wrong("a request is too large"))?;
    Ok(())
}

/// An opaque value, or text right away if no credential is in it.
fn made(kind: Kind) -> Returned {
    let expr = Expr::new(kind);
    let Size { depth, bytes, load } = expr.size;
    if depth > DEPTH || load.parts > PARTS || bytes > VALUE_BYTES || load.bytes > WORK_BYTES {
        return Err(wrong("what is computed from a credential grew too large"));
    }
    if expr.is_secret() {
        return Ok(Dynamic::from(Opaque(Arc::new(expr))));
    }
    let value = expr.value(&Nothing).map_err(|problem| wrong(problem.message))?;
    Ok(value.to_string().into())
}

/// For expressions without credentials.
struct Nothing;

impl Values for Nothing {
    fn field(&self, name: &str) -> Result<Zeroizing<String>, Problem> {
        Err(Problem::new(Code::Internal, format!("`{name}` isn't known here")))
    }
    fn step(&self, _: &[u8]) -> Result<u64, Problem> {
        Err(Problem::new(Code::SecretMisuse, "`totp` needs a credential as its seed"))
    }
    fn seen(&self, _: &str) {}
}

fn concat(parts: &[&Dynamic]) -> Returned {
    made(Kind::Concat(parts.iter().map(|part| expr(part)).collect::<Returned<_>>()?))
}

/// Registers the type and everything that may be done with it.
pub(super) fn register(module: &mut Module) {
    module.set_custom_type::<Opaque>("credential");
    let global = |name: &'static str| FuncRegistration::new(name).in_global_namespace();
    global("+").set_into_module(module, |left: Opaque, right: Opaque| -> Returned {
        concat(&[&Dynamic::from(left), &Dynamic::from(right)])
    });
    global("+").set_into_module(module, |left: Opaque, right: ImmutableString| -> Returned {
        concat(&[&Dynamic::from(left), &right.into()])
    });
    global("+").set_into_module(module, |left: ImmutableString, right: Opaque| -> Returned {
        concat(&[&left.into(), &Dynamic::from(right)])
    });
    global("sha1").set_into_module(module, |parts: Array| -> Returned {
        let parts = parts.iter().map(expr).collect::<Returned<Vec<_>>>()?;
        made(Kind::Sha1(Arc::new(Expr::new(Kind::Concat(parts)))))
    });
    global("hmac_sha1").set_into_module(module, |key: Dynamic, text: Dynamic| -> Returned {
        made(Kind::HmacSha1(expr(&key)?, expr(&text)?))
    });
    global("hmac_sha256").set_into_module(module, |key: Dynamic, text: Dynamic| -> Returned {
        made(Kind::HmacSha256(expr(&key)?, expr(&text)?))
    });
    global("base64").set_into_module(module, |part: Dynamic| -> Returned { made(Kind::Base64(expr(&part)?)) });
    global("url_encode").set_into_module(module, |part: Dynamic| -> Returned { made(Kind::UrlEncode(expr(&part)?)) });
    global("totp").set_into_module(module, |seed: Dynamic| -> Returned { made(Kind::Totp(expr(&seed)?)) });
    for operator in ["==", "!=", "<", ">", "<=", ">="] {
        global(operator).set_into_module(module, |_: Opaque, _: Opaque| refuse_comparison());
        global(operator).set_into_module(module, |_: Opaque, _: ImmutableString| refuse_comparison());
        global(operator).set_into_module(module, |_: ImmutableString, _: Opaque| refuse_comparison());
    }
    // What an interpolated string is made with: without it the type's name would stand there, unnoticed.
    global("+=").set_into_module(module, |_: &mut ImmutableString, _: Opaque| -> Returned<()> { Err(no_text()) });
    for name in ["to_string", "to_debug"] {
        global(name).set_into_module(module, |_: &mut Opaque| -> Returned<ImmutableString> { Err(no_text()) });
    }
}

fn no_text() -> Box<rhai::EvalAltResult> {
    wrong("a credential can't be made text; put it into a request as it is, or add it with `+`")
}

fn refuse_comparison() -> Returned<bool> {
    Err(wrong("a credential can't be compared"))
}

/// Maps of a request (headers, query, form) in which credentials may stand.
pub(super) fn pairs(map: &Map) -> Returned<BTreeMap<String, Arc<Expr>>> {
    map.iter().map(|(key, value)| Ok((key.to_string(), expr(value)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_time_passwords_are_those_of_the_standard() {
        let seed = base32("GEZDGNBVGY3TQOJQ gezdgnbvgy3tqojq==").unwrap();
        assert_eq!(&*seed, b"12345678901234567890");
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000_u64, "353130")] {
            assert_eq!(*code_at(&seed, time / 30).unwrap(), code);
        }
        assert!(base32("no1").is_err());
    }
}
