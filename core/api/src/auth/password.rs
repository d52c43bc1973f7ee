//! Passwords: argon2id, and never more of it at once than the memory allows.

use std::{sync::LazyLock, time::Duration};

use argon2::password_hash::SaltString;
use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version};
use parking_lot::{Condvar, Mutex};
use windlass_model::{Code, Problem};

/// Memory of one hash, KiB.
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over it.
const PASSES: u32 = 2;
/// Hashes that are computed at once: they hold `AT_ONCE * MEMORY_KIB`.
const AT_ONCE: usize = 4;
/// Those that wait for one of them; more are sent away.
const WAITING: usize = 64;
/// How long they wait.
const PATIENCE: Duration = Duration::from_secs(10);
/// Characters of a password, at least.
pub const SHORTEST: usize = 10;
/// Bytes of a password, at most.
pub const LONGEST: usize = 1024;

#[derive(Default)]
struct Room {
    taken: Mutex<(usize, usize)>,
    freed: Condvar,
}

static ROOM: LazyLock<Room> = LazyLock::new(Room::default);
/// What the password of a user that isn't there is compared with, so that it takes the same time.
static NOBODYS: LazyLock<Option<String>> = LazyLock::new(|| hash_now(&super::secret::random_hex()).ok());

struct Seat<'a>(&'a Room);

impl Room {
    fn take(&self) -> Result<Seat<'_>, Problem> {
        let busy = || {
            Problem::new(Code::TooManyRequests, "too many passwords are being checked")
                .help("try again in a moment")
                .data(serde_json::json!({ "retry_after_seconds": 2 }))
        };
        let mut taken = self.taken.lock();
        if taken.1 >= WAITING {
            return Err(busy());
        }
        taken.1 += 1;
        let deadline = std::time::Instant::now() + PATIENCE;
        while taken.0 >= AT_ONCE {
            if self.freed.wait_until(&mut taken, deadline).timed_out() && taken.0 >= AT_ONCE {
                taken.1 -= 1;
                return Err(busy());
            }
        }
        taken.1 -= 1;
        taken.0 += 1;
        Ok(Seat(self))
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.taken.lock().0 -= 1;
        self.0.freed.notify_one();
    }
}

fn argon() -> Result<Argon2<'static>, Problem> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn internal(error: impl std::fmt::Display) -> Problem {
    Problem::new(Code::Internal, format!("a password can't be hashed: {error}"))
}

fn hash_now(password: &str) -> Result<String, Problem> {
    let salt: [u8; 16] = rand::random();
    let salt = SaltString::encode_b64(&salt).map_err(internal)?;
    Ok(argon()?.hash_password(password.as_bytes(), &salt).map_err(internal)?.to_string())
}

/// The hash that is kept of a password.
pub fn hash(password: &str) -> Result<String, Problem> {
    let _seat = ROOM.take()?;
    hash_now(password)
}

/// Whether the password is the one that was hashed. `None`, for a user that isn't there, takes as long and is false.
pub fn verify(kept: Option<&str>, password: &str) -> Result<bool, Problem> {
    if password.len() > LONGEST {
        return Ok(false);
    }
    let _seat = ROOM.take()?;
    let Some(text) = kept.or(NOBODYS.as_deref()) else { return Ok(false) };
    let parsed = PasswordHash::new(text).map_err(internal)?;
    Ok(argon()?.verify_password(password.as_bytes(), &parsed).is_ok() && kept.is_some())
}

/// Refuses what is too easily guessed.
pub fn check(password: &str, name: &str) -> Result<(), Problem> {
    let fault = match password {
        _ if password.chars().count() < SHORTEST => format!("has fewer than {SHORTEST} characters"),
        _ if password.len() > LONGEST => format!("has more than {LONGEST} bytes"),
        _ if password.to_lowercase().contains(name) && password.len() < name.len() + SHORTEST => {
            "is little more than the name".into()
        }
        _ if distinct(password) < 5 => "repeats a few characters".into(),
        _ => return Ok(()),
    };
    Err(Problem::new(Code::InvalidInput, format!("the password {fault}"))
        .help("several words that don't belong together are easily remembered and hard to guess")
        .data(serde_json::json!({ "pointer": "/password" })))
}

fn distinct(text: &str) -> usize {
    text.chars().collect::<std::collections::BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_that_was_hashed_fits() {
        let kept = hash("correct horse battery").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert_ne!(kept, hash("correct horse battery").unwrap(), "salted");
        assert!(verify(Some(&kept), "correct horse battery").unwrap());
        for other in ["correct horse batter", "", "Correct horse battery", &"x".repeat(2_000)] {
            assert!(!verify(Some(&kept), other).unwrap());
            assert!(!verify(None, other).unwrap());
        }
    }

    #[test]
    fn what_is_easily_guessed_is_refused() {
        check("correct horse battery", "ann").unwrap();
        for password in ["short", "aaaaaaaaaaaaaaa", "annabella-1", &"long".repeat(400)] {
            assert_eq!(check(password, "annabella").unwrap_err().code, Code::InvalidInput, "{password}");
        }
    }

    #[test]
    fn a_flood_is_bounded() {
        let room = Room::default();
        let seats: Vec<Seat> = (0..AT_ONCE).map(|_| room.take().unwrap()).collect();
        std::thread::scope(|scope| {
            let waiting: Vec<_> = (0..WAITING).map(|_| scope.spawn(|| room.take().map(drop))).collect();
            while room.taken.lock().1 < WAITING {
                std::thread::yield_now();
            }
            let problem = room.take().err().expect("one more than may wait");
            assert_eq!(problem.code, Code::TooManyRequests);
            drop(seats);
            assert!(waiting.into_iter().all(|thread| thread.join().unwrap().is_ok()));
        });
        assert_eq!(*room.taken.lock(), (0, 0), "every seat is free again");
    }
}
