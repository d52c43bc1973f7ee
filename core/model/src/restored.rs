//! What a backup that is older than the world means for the runs in it.

use crate::EffectClass;

/// Whether a run came back from a backup that is older than the world: what its journal lacks may have happened all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restored {
    /// No.
    #[default]
    No,
    /// It was open at the time of the backup.
    Itself,
    /// A run launched it that did. The one that was launched in its place before had another id, and so other keys.
    Above,
}

impl Restored {
    /// Of a run that was launched, and marked, then.
    pub fn of(restored_at_ms: Option<i64>, launched_at_ms: i64) -> Self {
        match restored_at_ms {
            None => Self::No,
            Some(at_ms) if launched_at_ms < at_ms => Self::Itself,
            Some(_) => Self::Above,
        }
    }

    /// Whether a person has to say if a step of this class, of which nothing is recorded, has happened.
    pub fn doubts(self, class: EffectClass) -> bool {
        match class {
            EffectClass::AtMostOnce => self != Self::No,
            EffectClass::Keyed => self == Self::Above,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_happened_is_asked_about() {
        assert_eq!([Restored::of(None, 5), Restored::of(Some(6), 5)], [Restored::No, Restored::Itself]);
        assert_eq!(Restored::of(Some(6), 6), Restored::Above);
        let doubted = |restored: Restored| {
            let all = [EffectClass::Read, EffectClass::Idempotent, EffectClass::Keyed, EffectClass::AtMostOnce];
            all.map(|class| restored.doubts(class))
        };
        assert_eq!(doubted(Restored::No), [false; 4]);
        assert_eq!(doubted(Restored::Itself), [false, false, false, true]);
        assert_eq!(doubted(Restored::Above), [false, false, true, true]);
    }
}
