//! Identifiers. A run id is a ULID in lower case; a step path is the call's ordinal inside its branch.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Arc<str>);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
    };
}

text_id!(
    /// One run of a workflow (26 characters, sorts by launch time).
    RunId
);
text_id!(
    /// One `windlass` process that executes runs.
    NodeId
);
text_id!(
    /// blake3 of a bundle's canonical form, 64 hex digits.
    BundleDigest
);

impl RunId {
    /// When the run was launched, as its id says: its first ten characters are milliseconds. `None` if it is no such id.
    pub fn launched_at_ms(&self) -> Option<i64> {
        const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let text = self.0.as_bytes();
        let digit = |byte: &u8| DIGITS.iter().position(|one| *one == byte.to_ascii_lowercase());
        if text.len() != 26 || !text.iter().all(|byte| digit(byte).is_some()) {
            return None;
        }
        let time = text[..10].iter().filter_map(digit).fold(0_i64, |sum, digit| (sum << 5) | digit as i64);
        Some(time)
    }
}

/// Where a call stands in its run: the lane it belongs to and its ordinal there.
///
/// The root lane is `""`, so its third call is `2`. A branch's lane ends in `/`: the fourth call of the
/// second branch of step 7 is `7/b1/3`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepPath {
    /// The lane: empty, or a prefix that ends in `/`.
    pub lane: Arc<str>,
    /// The call's ordinal in its lane, from 0.
    pub ordinal: u32,
}

impl StepPath {
    /// The path of the `ordinal`th call of `lane`.
    pub fn new(lane: impl Into<Arc<str>>, ordinal: u32) -> Self {
        Self { lane: lane.into(), ordinal }
    }

    /// The lane of this step's `index`th branch.
    pub fn branch_lane(&self, index: usize) -> Arc<str> {
        format!("{self}/b{index}/").into()
    }

    /// The lane of this step's `index`th repetition (polls, retries of a closure).
    pub fn poll_lane(&self, index: usize) -> Arc<str> {
        format!("{self}/p{index}/").into()
    }

    /// The lane in which the undo entry `seq` of this step is worked off.
    pub fn undo_lane(&self, seq: i64) -> Arc<str> {
        format!("{self}/u{seq}/").into()
    }

    /// Whether this step is part of an undo.
    pub fn is_undo(&self) -> bool {
        self.lane.contains("/u")
    }

    /// The step whose branch, poll or undo lane this step is in, if it isn't in the root lane.
    pub fn parent(&self) -> Option<StepPath> {
        let lane = self.lane.strip_suffix('/')?;
        let (parent, _) = lane.rsplit_once('/')?;
        parent.parse().ok()
    }
}

impl fmt::Display for StepPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.lane, self.ordinal)
    }
}

/// The text isn't a step path.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` isn't a step path (examples: `12`, `7/b1/3`)")]
pub struct BadStepPath(pub String);

impl FromStr for StepPath {
    type Err = BadStepPath;

    fn from_str(text: &str) -> Result<Self, BadStepPath> {
        let bad = || BadStepPath(text.to_owned());
        let split = text.rfind('/').map_or(0, |slash| slash + 1);
        let (lane, ordinal) = text.split_at(split);
        let canonical = !ordinal.is_empty()
            && ordinal.bytes().all(|byte| byte.is_ascii_digit())
            && (ordinal.len() == 1 || !ordinal.starts_with('0'));
        if !canonical || !lane_is_valid(lane) {
            return Err(bad());
        }
        // Nearly every step is in the root lane: its name is kept once.
        static ROOT: std::sync::LazyLock<Arc<str>> = std::sync::LazyLock::new(|| "".into());
        let lane = if lane.is_empty() { ROOT.clone() } else { lane.into() };
        Ok(Self { lane, ordinal: ordinal.parse().map_err(|_| bad())? })
    }
}

fn lane_is_valid(lane: &str) -> bool {
    let Some(inner) = lane.strip_suffix('/') else { return lane.is_empty() };
    let parts: Vec<&str> = inner.split('/').collect();
    parts.len().is_multiple_of(2)
        && parts.chunks(2).all(|pair| {
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits(pair[0]) && pair[1].starts_with(['b', 'p', 'u']) && digits(&pair[1][1..])
        })
}

impl Serialize for StepPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StepPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_says_when_the_run_was_launched() {
        // The example of the specification of ULIDs.
        assert_eq!(RunId::from("01arz3ndektsv4rrffq69g5fav").launched_at_ms(), Some(1_469_922_850_259));
        for other in
            ["", "acme-1", "01arz3ndektsv4rrffq69g5fau", "01arz3ndektsv4rrffq69g5favv", "ä1arz3ndektsv4rrffq69g5fa"]
        {
            assert_eq!(RunId::from(other).launched_at_ms(), None, "{other}");
        }
    }

    #[test]
    fn paths_survive_a_round_trip() {
        for text in ["0", "12", "7/b1/3", "7/b1/3/p0/1", "4/u0/2"] {
            let path: StepPath = text.parse().unwrap();
            assert_eq!(path.to_string(), text);
        }
        assert_eq!("7/b1/3".parse::<StepPath>().unwrap().parent(), Some(StepPath::new("", 7)));
        assert_eq!("7".parse::<StepPath>().unwrap().parent(), None);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "a", "01", "-1", "7/", "7/b1", "7/x1/3", "/3", "b1/3", "99999999999", "7/b/1"] {
            assert!(text.parse::<StepPath>().is_err(), "{text}");
        }
    }
}
