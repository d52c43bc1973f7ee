//! Whose an image is, as far as others may see and run it.

use windlass_script::host::OpCx;

use super::{
    backend::Image,
    lab::{OWNER, owner_label},
};
use crate::owner::PLATFORM;

/// What the names of snapshots of labs begin with.
const SNAPSHOT: &str = "windlass-snapshot/";

/// Whether runs of an organisation may know of an image and run it: its own; what nobody's label is on, which an administrator has
/// brought; and what the platform has made for all. Snapshots of the platform's labs are the platform's.
pub fn is_seen(cx: &OpCx, organisation: &str, image: &Image) -> bool {
    let Some(owner) = image.labels.get(OWNER) else { return true };
    let is_snapshot = image.names.iter().any(|name| name.starts_with(SNAPSHOT));
    organisation == PLATFORM
        || *owner == owner_label(cx, organisation)
        || (*owner == owner_label(cx, PLATFORM) && !is_snapshot)
}
