//! Checks id tokens: a signature by one of the provider's keys, and claims that are meant for us and for now.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::secret;

/// Keys of a provider (JWKS).
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Keys {
    /// The keys.
    pub keys: Vec<Key>,
}

/// One of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// What an id token has to say.
pub struct Wanted<'a> {
    /// Who has made it.
    pub issuer: &'a str,
    /// Whom it is for: us.
    pub client: &'a str,
    /// The word that we sent along.
    pub nonce: &'a str,
    /// Now, in seconds.
    pub now: i64,
}

/// Seconds that clocks may be apart.
const SKEW: i64 = 60;

/// Why a token isn't believed.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// No key of these has this id: they may have changed.
    UnknownKey,
    /// The rest.
    Because(&'static str),
}

use Refused::Because;

/// The claims of a token that is to be believed.
pub fn verify(token: &str, keys: &Keys, wanted: &Wanted) -> Result<Map<String, Value>, Refused> {
    let (signed, signature) = token.rsplit_once('.').ok_or(Because("it isn't a token"))?;
    let (head, body) = signed.split_once('.').ok_or(Because("it isn't a token"))?;
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Because("it isn't base64"));
    let header: Header = serde_json::from_slice(&decode(head)?).map_err(|_| Because("its header can't be read"))?;
    if header.crit.is_some() {
        return Err(Because("it has extensions that aren't known here"));
    }
    let signature = decode(signature)?;
    let fitting: Vec<&Key> = keys.keys.iter().filter(|key| fits(key, &header)).collect();
    if fitting.is_empty() {
        return Err(Refused::UnknownKey);
    }
    if !fitting.iter().any(|key| signed_by(key, &header.alg, signed.as_bytes(), &signature)) {
        return Err(Because("its signature is wrong"));
    }
    let claims: Map<String, Value> =
        serde_json::from_slice(&decode(body)?).map_err(|_| Because("its claims can't be read"))?;
    check(&claims, wanted)?;
    Ok(claims)
}

/// The key decides the algorithm; what the token says has to agree. `none` and shared secrets are no algorithms here.
fn fits(key: &Key, header: &Header) -> bool {
    let algorithm = match (key.kty.as_str(), key.crv.as_deref()) {
        ("RSA", _) => "RS256",
        ("EC", Some("P-256")) => "ES256",
        ("OKP", Some("Ed25519")) => "EdDSA",
        _ => return false,
    };
    header.alg == algorithm
        && key.alg.as_deref().is_none_or(|named| named == algorithm)
        && key.usage.as_deref().is_none_or(|usage| usage == "sig")
        && (header.kid.is_none() || key.kid == header.kid)
}

fn signed_by(key: &Key, algorithm: &str, signed: &[u8], signature: &[u8]) -> bool {
    let part = |part: &Option<String>| part.as_ref().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    match algorithm {
        "RS256" => {
            let (Some(n), Some(e)) = (part(&key.n), part(&key.e)) else { return false };
            let key = RsaPublicKeyComponents { n: &n, e: &e };
            key.verify(&signature::RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
        }
        "ES256" => {
            let (Some(x), Some(y)) = (part(&key.x), part(&key.y)) else { return false };
            let point = [&[4][..], &x, &y].concat();
            UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
        }
        "EdDSA" => part(&key.x)
            .is_some_and(|x| UnparsedPublicKey::new(&signature::ED25519, x).verify(signed, signature).is_ok()),
        _ => false,
    }
}

fn check(claims: &Map<String, Value>, wanted: &Wanted) -> Result<(), Refused> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    // Seconds may have fractions.
    let time = |name: &str| claims.get(name).and_then(Value::as_f64).map(|seconds| seconds as i64);
    let audience: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if text("iss") != Some(wanted.issuer) {
        return Err(Because("somebody else has made it"));
    }
    if !audience.contains(&wanted.client) {
        return Err(Because("it is for somebody else"));
    }
    let authorised = claims.get("azp").map(|azp| azp.as_str() == Some(wanted.client));
    if authorised == Some(false) || (audience.len() > 1 && authorised.is_none()) {
        return Err(Because("it was asked for by somebody else"));
    }
    if !text("nonce").is_some_and(|nonce| secret::same(nonce, wanted.nonce)) {
        return Err(Because("it answers another question"));
    }
    if time("exp").is_none_or(|end| end + SKEW <= wanted.now) {
        return Err(Because("it has expired"));
    }
    if time("iat").is_none_or(|made| made - SKEW > wanted.now) {
        return Err(Because("it comes from the future"));
    }
    if claims.contains_key("nbf") && time("nbf").is_none_or(|from| from - SKEW > wanted.now) {
        return Err(Because("it holds only later"));
    }
    if text("sub").is_none_or(|subject| subject.is_empty() || subject.len() > 255) {
        return Err(Because("it names nobody"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    const WANTED: Wanted =
        Wanted { issuer: "https://id.example.net", client: "windlass", nonce: "n-1", now: 1_000_000 };

    fn signer(seed: u8) -> (Ed25519KeyPair, Keys) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let key = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x, "use": "sig" }] });
        (pair, serde_json::from_value(key).unwrap())
    }

    fn claims() -> Value {
        json!({ "iss": WANTED.issuer, "aud": WANTED.client, "sub": "7", "nonce": "n-1", "exp": 1_000_100, "iat": 999_990 })
    }

    fn token(pair: &Ed25519KeyPair, header: Value, claims: Value) -> String {
        let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    #[test]
    fn what_is_meant_for_us_is_believed() {
        let (pair, keys) = signer(1);
        let good = token(&pair, json!({ "alg": "EdDSA", "kid": "k" }), claims());
        assert_eq!(verify(&good, &keys, &WANTED).unwrap()["sub"], "7");
        let mut several = claims();
        (several["aud"], several["azp"]) = (json!(["other", "windlass"]), json!("windlass"));
        assert!(verify(&token(&pair, json!({ "alg": "EdDSA" }), several), &keys, &WANTED).is_ok());
    }

    #[test]
    fn every_claim_is_checked() {
        let (pair, keys) = signer(1);
        for (name, value) in [
            ("iss", json!("https://evil.example")),
            ("iss", json!(["https://id.example.net"])),
            ("aud", json!("other")),
            ("aud", json!(["other", "windlass"])),
            ("azp", json!("other")),
            ("nonce", json!("n-2")),
            ("nonce", Value::Null),
            ("exp", json!(999_000)),
            ("exp", json!("1000100")),
            ("iat", json!(1_001_000)),
            ("nbf", json!(1_001_000)),
            ("nbf", json!("later")),
            ("sub", json!("")),
            ("sub", json!(7)),
        ] {
            let mut claims = claims();
            claims[name] = value.clone();
            let refused = verify(&token(&pair, json!({ "alg": "EdDSA" }), claims), &keys, &WANTED);
            assert!(matches!(refused, Err(Because(_))), "{name} = {value}: {refused:?}");
        }
    }

    #[test]
    fn signatures_are_checked() {
        let ((pair, keys), (other, _)) = (signer(1), signer(2));
        let refused = |token: &str| verify(token, &keys, &WANTED).unwrap_err();
        let good = token(&pair, json!({ "alg": "EdDSA" }), claims());
        assert_eq!(refused(&token(&other, json!({ "alg": "EdDSA" }), claims())), Because("its signature is wrong"));
        assert_eq!(refused(&token(&pair, json!({ "alg": "EdDSA", "kid": "x" }), claims())), Refused::UnknownKey);
        for algorithm in ["none", "None", "HS256", "RS256", "ES256", ""] {
            assert_eq!(
                refused(&token(&pair, json!({ "alg": algorithm }), claims())),
                Refused::UnknownKey,
                "{algorithm}"
            );
        }
        let refused_extension = token(&pair, json!({ "alg": "EdDSA", "crit": ["b64"] }), claims());
        assert!(matches!(refused(&refused_extension), Because(_)));
        let (signed, _) = good.rsplit_once('.').unwrap();
        for broken in [signed, &format!("{signed}."), "", "a.b.c", &format!("{good}="), &format!("{good}.")] {
            assert!(verify(broken, &keys, &WANTED).is_err(), "{broken}");
        }
    }
}
