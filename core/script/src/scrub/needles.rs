//! What is looked for in a text: values in their usual encodings, all of them at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine as _;
use serde_json::Value;

use crate::secret;

/// Shorter values are in everything: taking them out would leave no text whole. Whoever stores secrets refuses them.
pub(super) const SHORTEST: usize = 4;
/// Values that nobody holds any more, or that were computed, and that are looked for all the same: the latest so many, with
/// so many bytes together.
const PASSED: usize = 256;
pub(super) const PASSED_BYTES: usize = 64 << 10;
/// Bytes of an encoding that are looked for, so that a long value takes no more memory than a short one. Where a longer one
/// begins, what follows is compared with its digest.
pub(super) const SOUGHT_BYTES: usize = 128;
/// Bytes of one text that are compared with digests. What begins like a long value beyond them is taken for one.
const COMPARED_BYTES: usize = 64 << 20;

/// What stands for a value whose name isn't known: it was learned from the store, and not used so far.
pub(super) const UNNAMED: &str = "[secret]";

type Digest = [u8; 32];

#[derive(Default)]
pub(super) struct Needles {
    /// By their digests.
    values: BTreeMap<Digest, Known>,
    /// Counts what was learned, so that the oldest is known.
    clock: u64,
    /// All encodings of all values at once: a text is read once, however many secrets there are.
    matcher: Option<AhoCorasick>,
    /// What each of them means, in the order that the matcher counts them.
    by_index: Vec<Sought>,
}

struct Known {
    label: Arc<str>,
    encodings: BTreeSet<Encoding>,
    bytes: usize,
    /// Whether the source holds it: such a value is never forgotten.
    held: bool,
    at: u64,
}

/// One encoding of a value: its beginning, and if that isn't all of it, how long it is, and its digest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Encoding {
    begin: String,
    whole: Option<(usize, Digest)>,
}

/// What a beginning that is found in a text stands for.
#[derive(Default)]
struct Sought {
    /// It is all of an encoding.
    short: Option<Arc<str>>,
    /// It begins longer ones: how long each is, and its digest.
    long: BTreeMap<(usize, Digest), Arc<str>>,
}

/// A place in a text that is taken out: where, how long the longest value there is, and what stands for that.
pub(super) struct Place {
    pub range: Range<usize>,
    pub longest: usize,
    pub label: Arc<str>,
}

impl Encoding {
    fn of(text: String) -> Self {
        if text.len() <= SOUGHT_BYTES {
            return Self { begin: text, whole: None };
        }
        let whole = Some((text.len(), digest(text.as_bytes())));
        let end = (0..=SOUGHT_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        Self { begin: text[..end].to_owned(), whole }
    }
}

impl Needles {
    /// How many values are known.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Bytes that the matcher takes.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.matcher.as_ref().map_or(0, AhoCorasick::memory_usage)
    }

    /// Whether that changes anything.
    pub fn add(&mut self, value: &str, label: &str, held: bool) -> bool {
        if value.len() < SHORTEST {
            return false;
        }
        self.clock += 1;
        let at = self.clock;
        let key = digest(value.as_bytes());
        if let Some(known) = self.values.get_mut(&key) {
            known.held |= held;
            known.at = at;
            let named = &*known.label == UNNAMED && label != UNNAMED;
            if named {
                known.label = label.into();
            }
            return named;
        }
        let encodings = encodings(value).into_iter().map(Encoding::of).collect();
        self.values.insert(key, Known { label: label.into(), encodings, bytes: value.len(), held, at });
        true
    }

    /// From now on the source holds these alone; whether that changes anything.
    pub fn hold(&mut self, values: &[&str]) -> bool {
        let now: BTreeSet<Digest> = values.iter().map(|value| digest(value.as_bytes())).collect();
        let mut changed = false;
        for (value, known) in &mut self.values {
            if known.held && !now.contains(value) {
                known.held = false;
                changed = true;
            }
        }
        for value in values {
            changed |= self.add(value, UNNAMED, true);
        }
        changed
    }

    /// Forgets the oldest of what nobody holds.
    fn bound(&mut self) {
        let passed = self.values.iter().filter(|(_, known)| !known.held);
        let mut passed: Vec<(u64, Digest, usize)> =
            passed.map(|(value, known)| (known.at, *value, known.bytes)).collect();
        passed.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
        let mut bytes = 0;
        for (place, (_, value, length)) in passed.iter().enumerate() {
            bytes += length;
            // The latest one is in use, however long it is.
            if place > 0 && (place >= PASSED || bytes > PASSED_BYTES) {
                self.values.remove(value);
            }
        }
    }

    /// Makes what finds them; after every change.
    pub fn build(&mut self) {
        self.bound();
        let mut sought: BTreeMap<&str, Sought> = BTreeMap::new();
        for known in self.values.values() {
            for encoding in &known.encodings {
                let found = sought.entry(encoding.begin.as_str()).or_default();
                let label = match encoding.whole {
                    None => found.short.get_or_insert_with(|| known.label.clone()),
                    Some(whole) => found.long.entry(whole).or_insert_with(|| known.label.clone()),
                };
                if &**label == UNNAMED {
                    label.clone_from(&known.label);
                }
            }
        }
        // Another kind would take hundreds of bytes for each letter of a value. Only more needles than fit into memory are an
        // error; those before them are still found.
        let built = AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(sought.keys());
        if let Ok(matcher) = built {
            self.matcher = Some(matcher);
            self.by_index = sought.into_values().collect();
        }
    }

    /// Whether learning the value under this label would change anything.
    pub fn knows(&self, value: &str, label: &str) -> bool {
        value.len() < SHORTEST
            || self
                .values
                .get(&digest(value.as_bytes()))
                .is_some_and(|known| &*known.label != UNNAMED || label == UNNAMED)
    }

    /// Where values stand in a text.
    pub fn places(&self, text: &str) -> Vec<Place> {
        let Some(matcher) = &self.matcher else { return Vec::new() };
        let (mut places, mut left) = (Vec::new(), COMPARED_BYTES);
        for found in matcher.find_overlapping_iter(text) {
            let Some(sought) = self.by_index.get(found.pattern().as_usize()) else { continue };
            if let Some(label) = &sought.short {
                places.push(Place { range: found.range(), longest: found.len(), label: label.clone() });
            }
            for ((length, digest), label) in &sought.long {
                if let Some(range) = long(text, found.start(), *length, digest, &mut left) {
                    places.push(Place { range, longest: *length, label: label.clone() });
                }
            }
        }
        places
    }
}

/// Where a long value stands, if it begins here.
fn long(text: &str, start: usize, length: usize, wanted: &Digest, left: &mut usize) -> Option<Range<usize>> {
    let end = start.checked_add(length).filter(|end| *end <= text.len())?;
    if *left < length {
        let end = (end..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap_or(text.len());
        return Some(start..end);
    }
    *left -= length;
    (digest(&text.as_bytes()[start..end]) == *wanted).then_some(start..end)
}

fn digest(bytes: &[u8]) -> Digest {
    *blake3::hash(bytes).as_bytes()
}

fn encodings(value: &str) -> BTreeSet<String> {
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let json = Value::from(value).to_string();
    let mut all = BTreeSet::from([
        value.to_owned(),
        json[1..json.len() - 1].to_owned(),
        secret::url_encode(value),
        secret::url_encode(value).replace("%20", "+"),
        hex::encode(value),
        hex::encode_upper(value),
    ]);
    // Inside a longer text, base64 of the value looks different at each of three offsets; the letters at either end mix
    // with its neighbours.
    for offset in 0..3 {
        let mut padded = vec![0_u8; offset];
        padded.extend_from_slice(value.as_bytes());
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&padded);
            let skip = if offset == 0 { 0 } else { offset + 1 };
            let tail = usize::from(!padded.len().is_multiple_of(3));
            if let Some(middle) = encoded.get(skip..encoded.len() - tail).filter(|middle| middle.len() >= SHORTEST) {
                all.insert(middle.to_owned());
            }
        }
    }
    all
}
