//! To come.
use super::Builtin;
pub(super) fn all() -> Vec<Builtin> {
    Vec::new()
}
