//! Signatures of deliveries: whether somebody who has the key sent this, and when.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::kept::Scheme;

/// Bytes of a delivery's id, at most.
const ID_BYTES: usize = 200;

/// What makes a key of Standard Webhooks one.
pub const PREFIX: &str = "whsec_";

/// A new key, as senders take it.
pub fn made(scheme: Scheme) -> String {
    let key: [u8; 32] = rand::random();
    match scheme {
        Scheme::Standard => format!("{PREFIX}{}", STANDARD.encode(key)),
        Scheme::Github => hex::encode(key),
    }
}

/// A key's bytes, if it is one that can't be guessed.
pub fn bytes(scheme: Scheme, key: &str) -> Option<Vec<u8>> {
    let bytes = match scheme {
        Scheme::Standard => STANDARD.decode(key.strip_prefix(PREFIX)?).ok()?,
        Scheme::Github => key.as_bytes().to_vec(),
    };
    (16..=256).contains(&bytes.len()).then_some(bytes)
}

/// The id of a delivery that is signed with one of these keys, and fresh. What exactly is wrong with another one is for
/// our own log: who can't sign isn't helped.
pub fn verify(
    scheme: Scheme,
    keys: &[Vec<u8>],
    headers: &HeaderMap,
    body: &[u8],
    now_ms: i64,
    window_ms: i64,
) -> Result<String, &'static str> {
    match scheme {
        Scheme::Standard => standard(keys, headers, body, now_ms, window_ms),
        Scheme::Github => github(keys, headers, body),
    }
}

fn standard(
    keys: &[Vec<u8>],
    headers: &HeaderMap,
    body: &[u8],
    now_ms: i64,
    window_ms: i64,
) -> Result<String, &'static str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let id = text("webhook-id").filter(|id| (1..=ID_BYTES).contains(&id.len())).ok_or("webhook-id is missing")?;
    let at = text("webhook-timestamp").ok_or("webhook-timestamp is missing")?;
    let signatures = text("webhook-signature").ok_or("webhook-signature is missing")?;
    let at_ms = at.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000));
    let at_ms = at_ms.ok_or("webhook-timestamp isn't a number of seconds")?;
    let signed = |key: &Vec<u8>| signature(key, &[id.as_bytes(), b".", at.as_bytes(), b".", body]);
    let given = || signatures.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok()).take(8);
    let fits = keys.iter().filter_map(signed).any(|wanted| given().any(|one| same(&one, &wanted)));
    if !fits {
        return Err("the signature doesn't fit");
    }
    if now_ms.abs_diff(at_ms) > window_ms.unsigned_abs() {
        return Err("it is older, or newer, than the window allows");
    }
    Ok(id.to_owned())
}

/// Neither a time nor the delivery's id is signed: a delivery is what its content is, and the same content is the same.
fn github(keys: &[Vec<u8>], headers: &HeaderMap, body: &[u8]) -> Result<String, &'static str> {
    let given = headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    let given = given.ok_or("X-Hub-Signature-256 is missing")?;
    let given = given.strip_prefix("sha256=").and_then(|word| hex::decode(word).ok());
    let given = given.ok_or("X-Hub-Signature-256 isn't `sha256=` and hex digits")?;
    let fits = keys.iter().filter_map(|key| signature(key, &[body])).any(|wanted| same(&given, &wanted));
    if fits { Ok(blake3::hash(body).to_hex().to_string()) } else { Err("the signature doesn't fit") }
}

fn signature(key: &[u8], pieces: &[&[u8]]) -> Option<Vec<u8>> {
    // HMAC takes keys of any length; the error is one of the trait's.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    pieces.iter().for_each(|piece| mac.update(piece));
    Some(mac.finalize().into_bytes().to_vec())
}

fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    /// The example of the Standard Webhooks libraries.
    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const AT: &str = "1614265330";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn check(id: &str, at: &str, signature: &str, body: &[u8], now_s: i64) -> Result<String, &'static str> {
        let headers = headers(&[("webhook-id", id), ("webhook-timestamp", at), ("webhook-signature", signature)]);
        let keys = [vec![7; 32], bytes(Scheme::Standard, KEY).unwrap()];
        verify(Scheme::Standard, &keys, &headers, body, now_s * 1_000, 300_000)
    }

    #[test]
    fn a_delivery_of_the_standard_is_known_and_anything_else_is_not() {
        let now = 1_614_265_330;
        assert_eq!(check(ID, AT, SIGNATURE, BODY, now), Ok(ID.to_owned()));
        assert!(check(ID, AT, &format!("v1,AAAA v2,x {SIGNATURE}"), BODY, now + 299).is_ok(), "one of several");
        for (id, at, signature, body, now) in [
            ("msg_other", AT, SIGNATURE, BODY, now),
            (ID, "1614265331", SIGNATURE, BODY, now),
            (ID, AT, SIGNATURE, b"{}".as_slice(), now),
            (ID, AT, "v1,", BODY, now),
            (ID, AT, "", BODY, now),
            (ID, AT, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", BODY, now),
            (ID, AT, SIGNATURE, BODY, now + 301),
            (ID, AT, SIGNATURE, BODY, now - 301),
            (ID, "-9223372036854775808", SIGNATURE, BODY, now),
            (ID, "soon", SIGNATURE, BODY, now),
            ("", AT, SIGNATURE, BODY, now),
        ] {
            assert!(check(id, at, signature, body, now).is_err(), "{id} {at} {signature}");
        }
    }

    #[test]
    fn a_delivery_of_github_is_known() {
        // The example of GitHub's documentation.
        let keys = [b"It's a Secret to Everybody".to_vec()];
        let good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let check = |signature: &str, body: &[u8]| {
            verify(Scheme::Github, &keys, &headers(&[("x-hub-signature-256", signature)]), body, 0, 0)
        };
        assert!(check(good, b"Hello, World!").is_ok());
        assert!(check(good, b"Hello, World?").is_err());
        assert!(check(&good.replace("sha256=", ""), b"Hello, World!").is_err());
        assert!(check("sha256=", b"Hello, World!").is_err());
        assert!(
            verify(Scheme::Github, &[], &headers(&[("x-hub-signature-256", good)]), b"Hello, World!", 0, 0).is_err()
        );
    }

    #[test]
    fn keys_that_are_made_can_be_used_and_short_ones_can_not() {
        for scheme in [Scheme::Standard, Scheme::Github] {
            assert!(bytes(scheme, &made(scheme)).is_some());
            assert_ne!(made(scheme), made(scheme));
            assert!(bytes(scheme, "short").is_none() && bytes(scheme, "whsec_AAAA").is_none());
        }
    }
}
