//! The second factor: codes from the time (RFC 6238: SHA-1, six digits, thirty seconds), and codes for the day when the
//! phone is gone.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha1::Sha1;
use windlass_model::{Code, Problem};

use super::{kept::TotpBody, secret};
use crate::services::Secrets;

/// Seconds that a code is shown.
const STEP_SECONDS: u64 = 30;
/// Recovery codes that are given out.
const RECOVERY: usize = 10;

/// What the person is told once.
pub struct Enrolled {
    /// The seed, as apps take it: base32.
    pub seed: String,
    /// For a QR code.
    pub uri: String,
    /// Codes for the day when the phone is gone.
    pub recovery: Vec<String>,
}

/// What a right code is right by.
pub enum Used {
    /// The code of this time step.
    Step(u64),
    /// The recovery code at this place.
    Recovery(usize),
}

/// A new second factor, not confirmed yet.
pub fn enrol(secrets: &dyn Secrets, user: &str) -> Result<(TotpBody, Enrolled), Problem> {
    let seed: [u8; 20] = rand::random();
    let recovery: Vec<String> = (0..RECOVERY).map(|_| secret::spoken()).collect();
    let body = TotpBody {
        sealed: secrets.seal(&context(user), &hex::encode(seed))?,
        confirmed: false,
        last_step: 0,
        recovery: recovery.iter().map(|code| secret::hash(code)).collect(),
    };
    let seed = base32(&seed);
    let uri = format!("otpauth://totp/Windlass:{user}?secret={seed}&issuer=Windlass&algorithm=SHA1&digits=6&period=30");
    Ok((body, Enrolled { seed, uri, recovery }))
}

fn context(user: &str) -> String {
    format!("totp/{user}")
}

/// Whether a code is right now, and wasn't used before. Clocks may be off by one step.
pub fn check(
    secrets: &dyn Secrets,
    user: &str,
    totp: &TotpBody,
    code: &str,
    now_ms: i64,
) -> Result<Option<Used>, Problem> {
    let code: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
    if code.len() != 6 {
        let hash = secret::hash(&code.to_ascii_lowercase());
        let place = totp.recovery.iter().position(|kept| secret::same(kept, &hash));
        return Ok(place.filter(|_| totp.confirmed).map(Used::Recovery));
    }
    let seed = hex::decode(secrets.unseal(&context(user), &totp.sealed)?)
        .map_err(|_| Problem::new(Code::Storage, format!("the second factor of `{user}` can't be read")))?;
    let step = u64::try_from(now_ms).unwrap_or(0) / 1_000 / STEP_SECONDS;
    // All of them are compared: the time tells nothing.
    let mut found = None;
    for step in step.saturating_sub(1)..=step + 1 {
        if secret::same(&code_at(&seed, step), &code) && step > totp.last_step {
            found = Some(Used::Step(step));
        }
    }
    Ok(found)
}

/// A second factor after the use of a code: it isn't taken again.
pub fn spend(totp: &TotpBody, used: &Used) -> TotpBody {
    let mut spent = totp.clone();
    match used {
        Used::Step(step) => spent.last_step = *step,
        Used::Recovery(place) => drop(spent.recovery.remove(*place)),
    }
    spent
}

/// What asks for a code.
pub fn missing() -> Problem {
    Problem::new(Code::Unauthenticated, "the code of the second factor is missing")
        .help("send it as `code`: six digits from the app, or a recovery code")
        .data(json!({ "totp": true, "pointer": "/code" }))
}

fn code_at(seed: &[u8], step: u64) -> String {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(seed) else { return String::new() };
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let at = usize::from(digest[19] & 15);
    let word = digest[at..at + 4].iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    // Twenty bytes are thirty-two letters; nothing has to be filled up.
    for group in bytes.chunks(5) {
        let word = group.iter().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
        text.extend((0..8).rev().map(|place| char::from(LETTERS[(word >> (5 * place) & 31) as usize])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::Plain;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, last six of eight digits.
        let seed = b"12345678901234567890";
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000u64, "353130")]
        {
            assert_eq!(code_at(seed, seconds / 30), code);
        }
        assert_eq!(base32(seed), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn a_code_is_taken_once_and_near_its_time() {
        let (mut totp, _) = enrol(&Plain, "ann").unwrap();
        totp.confirmed = true;
        let seed = hex::decode(Plain.unseal("totp/ann", &totp.sealed).unwrap()).unwrap();
        let (now, step) = (1_000_000_020_000, 1_000_000_020 / 30);
        let check = |totp: &TotpBody, code: &str| check(&Plain, "ann", totp, code, now).unwrap();
        for near in [step - 1, step, step + 1] {
            assert!(check(&totp, &code_at(&seed, near)).is_some());
        }
        assert!(check(&totp, &code_at(&seed, step - 2)).is_none());
        assert!(check(&totp, "00000").is_none() && check(&totp, "").is_none());
        let code = code_at(&seed, step);
        let spent = spend(&totp, &check(&totp, &code).unwrap());
        assert!(check(&spent, &code).is_none(), "a second time");
        assert!(check(&spent, &code_at(&seed, step - 1)).is_none(), "an older one");
        assert!(check(&spent, &code_at(&seed, step + 1)).is_some());
    }

    #[test]
    fn recovery_codes_are_taken_once() {
        let (mut totp, told) = enrol(&Plain, "ann").unwrap();
        assert!(check(&Plain, "ann", &totp, &told.recovery[3], 0).unwrap().is_none(), "not confirmed yet");
        totp.confirmed = true;
        let used = check(&Plain, "ann", &totp, &told.recovery[3], 0).unwrap().unwrap();
        let spent = spend(&totp, &used);
        assert!(check(&Plain, "ann", &spent, &told.recovery[3], 0).unwrap().is_none());
        assert!(check(&Plain, "ann", &spent, &told.recovery[4], 0).unwrap().is_some());
    }
}
