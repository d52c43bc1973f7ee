//! The opaque secret: a name, or something computed from names. Its value exists only while an op uses it.

use std::sync::Arc;

use base64::Engine as _;
use rhai::{Dynamic, FuncRegistration, ImmutableString, Module};
use serde_json::{Value, json};
use windlass_model::{Code, Problem, resource::PLATFORM};
use zeroize::Zeroizing;

use crate::{permission, throw::Returned};

/// Where secrets come from.
pub trait SecretSource: Send + Sync {
    /// The value; `SecretNotFound` else.
    fn get(&self, name: &str) -> Result<Zeroizing<String>, Problem>;

    /// Where the value may go.
    fn policy(&self, name: &str) -> Result<SecretPolicy, Problem>;

    /// Refuses a secret that isn't for this run, whatever its grants say: one of another organisation.
    fn admits(&self, _name: &str, _run: &windlass_model::RunId) -> Result<(), Problem> {
        Ok(())
    }

    /// Whether a stranger has chosen the value: whoever has a machine that sends it back, say. Such a one is taken out of what
    /// the runs show that use it, and of nothing else: it may be equal to anything.
    fn is_foreign(&self, _: &str) -> bool {
        false
    }

    /// The organisation whose a secret is, by its name.
    fn owner(&self, _name: &str) -> String {
        PLATFORM.to_owned()
    }

    /// The organisation whose a run is. One that isn't known, because it isn't for real, has no organisation's secrets: it counts
    /// as the platform's.
    fn organisation(&self, _run: &windlass_model::RunId) -> Result<String, Problem> {
        Ok(PLATFORM.to_owned())
    }

    /// Every value that is held now and isn't foreign. Whether or not this process has used it, the platform's are never stored or
    /// shown, and an organisation's by none of its own runs; but values of fewer than 4 bytes can't be told from ordinary text, so a
    /// source should refuse to store them.
    fn all(&self) -> Vec<Held> {
        Vec::new()
    }
}

/// A value that is held now.
pub struct Held {
    /// The organisation whose it is.
    pub owner: String,
    /// The value.
    pub value: Zeroizing<String>,
}

/// Where a secret may go: patterns of destinations such as `https://api.example.net*`, `exec:*`, `file:/etc/app/*`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SecretPolicy {
    /// The patterns; none means nowhere.
    pub destinations: Vec<String>,
}

impl SecretPolicy {
    /// Anywhere that an op can reach.
    pub fn anywhere() -> Self {
        Self { destinations: vec!["*".into()] }
    }

    /// Whether the value may go to this destination.
    pub fn allows(&self, destination: &str) -> bool {
        self.destinations.iter().any(|pattern| permission::glob(pattern, destination))
    }
}

/// Knows no secret.
pub struct NoSecrets;

impl SecretSource for NoSecrets {
    fn get(&self, name: &str) -> Result<Zeroizing<String>, Problem> {
        Err(not_found(name))
    }

    fn policy(&self, name: &str) -> Result<SecretPolicy, Problem> {
        Err(not_found(name))
    }
}

/// The error for a name that nobody knows.
pub fn not_found(name: &str) -> Problem {
    Problem::new(Code::SecretNotFound, format!("there is no secret `{name}`"))
        .help("`windlass secrets set NAME` stores one.")
        .no_effect()
}

/// What a script holds. It has no operations but those that give another secret.
#[derive(Clone)]
pub(crate) struct Secret {
    /// `{"$secret": …}`, canonical: what is journaled and digested.
    reference: Arc<str>,
}

impl Secret {
    pub fn named(name: &str) -> Self {
        Self::of(&Value::from(name))
    }

    fn of(expression: &Value) -> Self {
        Self { reference: json!({ "$secret": expression }).to_string().into() }
    }

    /// Canonical JSON of `{"$secret": …}`.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    fn value(&self) -> Value {
        serde_json::from_str(&self.reference).unwrap_or_default()
    }
}

/// Whether the value is a reference to a secret.
pub(crate) fn is_reference(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.len() == 1 && map.contains_key("$secret"))
}

/// Names of the secrets that stand anywhere in a value.
pub(crate) fn names_in<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| names_in(item, found)),
        Value::Object(map) => match map.get("$secret") {
            Some(Value::String(name)) => found.push(name),
            _ => map.values().for_each(|item| names_in(item, found)),
        },
        _ => {}
    }
}

/// Longest chain of computations from a secret.
const MAX_DEPTH: usize = 16;

/// What a value is called that was computed.
pub(crate) const DERIVED: &str = "derived";

/// Works out a reference; `lookup` gives the value of a name. Every value on the way is told to `seen`.
pub(crate) fn evaluate(
    reference: &Value,
    lookup: &mut dyn FnMut(&str) -> Result<Zeroizing<String>, Problem>,
    seen: &mut dyn FnMut(&str, &str),
    depth: usize,
) -> Result<Zeroizing<String>, Problem> {
    let bad = || Problem::new(Code::SecretMisuse, "this isn't a secret").no_effect();
    if depth > MAX_DEPTH {
        return Err(Problem::new(Code::SecretMisuse, "a secret was computed in too many steps").no_effect());
    }
    let expression = match reference {
        Value::String(text) => return Ok(Zeroizing::new(text.clone())),
        Value::Object(map) => map.get("$secret").ok_or_else(bad)?,
        _ => return Err(bad()),
    };
    if let Value::String(name) = expression {
        let value = lookup(name)?;
        seen(name, &value);
        return Ok(value);
    }
    let (function, args) = expression.as_object().and_then(|map| map.iter().next()).ok_or_else(bad)?;
    let mut parts = Vec::new();
    for arg in args.as_array().ok_or_else(bad)? {
        parts.push(evaluate(arg, lookup, seen, depth + 1)?);
    }
    let value = Zeroizing::new(match (function.as_str(), parts.as_slice()) {
        ("concat", parts) => parts.iter().map(|part| part.as_str()).collect(),
        ("base64", [part]) => base64::engine::general_purpose::STANDARD.encode(part.as_bytes()),
        ("url_encode", [part]) => url_encode(part),
        ("hmac_sha256", [key, text]) => hex::encode(hmac_sha256(key.as_bytes(), text.as_bytes())),
        _ => return Err(bad()),
    });
    seen(DERIVED, &value);
    Ok(value)
}

/// Percent-encoding of everything but letters, digits and `-._~`.
pub(crate) fn url_encode(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// HMAC (RFC 2104) over SHA-256.
pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

fn part(value: &Dynamic) -> Returned<Value> {
    if let Some(secret) = value.read_lock::<Secret>() {
        return Ok(secret.value());
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Value::from(text.as_str()));
    }
    value.as_int().map(|number| Value::from(number.to_string())).map_err(|_| {
        let problem = Problem::new(
            Code::SecretMisuse,
            format!("a secret goes together with text and other secrets, not with a `{}`", value.type_name()),
        );
        crate::throw::raise(problem.into(), rhai::Position::NONE)
    })
}

fn computed(function: &str, parts: &[&Dynamic]) -> Returned<Secret> {
    let parts = parts.iter().map(|value| part(value)).collect::<Returned<Vec<Value>>>()?;
    let secret = Secret::of(&json!({ function: parts }));
    if secret.reference.len() > 64 << 10 {
        let problem = Problem::new(Code::LimitExceeded, "what is computed from a secret grew too long");
        return Err(crate::throw::raise(problem.into(), rhai::Position::NONE));
    }
    Ok(secret)
}

/// Registers the type and everything that may be done with it.
pub(crate) fn register(module: &mut Module) {
    module.set_custom_type::<Secret>("Secret");
    let global = |name: &'static str| FuncRegistration::new(name).in_global_namespace();
    global("+").set_into_module(module, |left: Secret, right: Secret| {
        computed("concat", &[&Dynamic::from(left), &Dynamic::from(right)])
    });
    global("+").set_into_module(module, |left: Secret, right: ImmutableString| {
        computed("concat", &[&Dynamic::from(left), &Dynamic::from(right)])
    });
    global("+").set_into_module(module, |left: ImmutableString, right: Secret| {
        computed("concat", &[&Dynamic::from(left), &Dynamic::from(right)])
    });
    global("secret_format").set_into_module(module, |template: ImmutableString, secret: Secret| {
        let mut parts: Vec<Dynamic> = Vec::new();
        for (index, piece) in template.split("{}").enumerate() {
            if index > 0 {
                parts.push(Dynamic::from(secret.clone()));
            }
            if !piece.is_empty() {
                parts.push(piece.to_owned().into());
            }
        }
        computed("concat", &parts.iter().collect::<Vec<_>>())
    });
    global("base64").set_into_module(module, |secret: Secret| computed("base64", &[&Dynamic::from(secret)]));
    global("base64").set_into_module(module, |text: &str| base64::engine::general_purpose::STANDARD.encode(text));
    global("url_encode").set_into_module(module, |secret: Secret| computed("url_encode", &[&Dynamic::from(secret)]));
    global("url_encode").set_into_module(module, |text: &str| url_encode(text));
    global("hmac_sha256").set_into_module(module, |secret: Secret, text: Dynamic| {
        computed("hmac_sha256", &[&Dynamic::from(secret), &text])
    });
    for operator in ["==", "!=", "<", ">", "<=", ">="] {
        global(operator).set_into_module(module, |_: Secret, _: Secret| refuse_comparison());
        global(operator).set_into_module(module, |_: Secret, _: ImmutableString| refuse_comparison());
        global(operator).set_into_module(module, |_: ImmutableString, _: Secret| refuse_comparison());
    }
}

fn refuse_comparison() -> Returned<bool> {
    let problem = Problem::new(Code::SecretMisuse, "a secret can't be compared");
    Err(crate::throw::raise(problem.into(), rhai::Position::NONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_gives_the_published_values() {
        let digest = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex::encode(digest), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = hmac_sha256(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex::encode(long), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn references_are_worked_out() {
        let reference =
            json!({ "$secret": { "concat": ["Bearer ", { "$secret": { "base64": [{ "$secret": "x" }] } }] } });
        let mut seen = Vec::new();
        let value = evaluate(
            &reference,
            &mut |name| Ok(Zeroizing::new(format!("value of {name}"))),
            &mut |_, value| seen.push(value.to_owned()),
            0,
        );
        assert_eq!(value.unwrap().as_str(), "Bearer dmFsdWUgb2YgeA==");
        assert_eq!(seen, ["value of x", "dmFsdWUgb2YgeA==", "Bearer dmFsdWUgb2YgeA=="]);
        assert!(evaluate(&json!({ "$secret": 5 }), &mut |_| Err(not_found("x")), &mut |_, _| {}, 0).is_err());
    }
}
