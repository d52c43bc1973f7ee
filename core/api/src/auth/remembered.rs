//! Who was let in a moment ago, so that a burst of requests doesn't ask the database each time. Keeps hashes, not tokens.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::RwLock;

use super::access::Principal;

/// How long a change that another process makes may go unnoticed.
const FRESH: Duration = Duration::from_secs(2);
/// Entries at most.
const MOST: usize = 8_192;

type Key = [u8; 32];

#[derive(Default)]
struct Inside {
    /// Rises when somebody's rights change: what was read before isn't put in afterwards.
    era: u64,
    entries: HashMap<Key, (Instant, Principal)>,
}

/// Who was let in a moment ago.
#[derive(Default)]
pub(super) struct Remembered {
    inside: RwLock<Inside>,
}

fn key(word: &str) -> Key {
    *blake3::hash(word.as_bytes()).as_bytes()
}

impl Remembered {
    pub fn get(&self, word: &str) -> Option<Principal> {
        let inside = self.inside.read();
        let (since, principal) = inside.entries.get(&key(word))?;
        (since.elapsed() < FRESH).then(|| principal.clone())
    }

    pub fn era(&self) -> u64 {
        self.inside.read().era
    }

    pub fn put(&self, word: &str, principal: &Principal, era: u64) {
        let mut inside = self.inside.write();
        if inside.era != era {
            return;
        }
        if inside.entries.len() >= MOST {
            inside.entries.retain(|_, (since, _)| since.elapsed() < FRESH);
        }
        if inside.entries.len() < MOST {
            inside.entries.insert(key(word), (Instant::now(), principal.clone()));
        }
    }

    pub fn forget(&self) {
        let mut inside = self.inside.write();
        inside.era += 1;
        inside.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_meanwhile_is_not_remembered() {
        let (remembered, ann) = (Remembered::default(), Principal { name: "ann".into(), ..Principal::anonymous() });
        let before = remembered.era();
        remembered.put("word", &ann, before);
        assert_eq!(remembered.get("word"), Some(ann.clone()));
        assert_eq!(remembered.get("other"), None);
        remembered.forget();
        assert_eq!(remembered.get("word"), None);
        // Read before the change, put in after it.
        remembered.put("word", &ann, before);
        assert_eq!(remembered.get("word"), None);
        remembered.put("word", &ann, remembered.era());
        assert_eq!(remembered.get("word"), Some(ann));
    }

    #[test]
    fn memory_is_bounded() {
        let remembered = Remembered::default();
        for number in 0..MOST + 100 {
            remembered.put(&number.to_string(), &Principal::anonymous(), 0);
        }
        assert_eq!(remembered.inside.read().entries.len(), MOST);
    }
}
