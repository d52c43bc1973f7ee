//! The networks of a lab in which this machine has an address of its own: what it reaches there by the lab's own bridges.

use windlass_model::Problem;

use super::{
    backend::NetBackend,
    lab::Lab,
    types::{Place, Prefix},
};
use crate::lab_id::LabId;

/// An address that this machine has on a bridge of a lab's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// The bridge, as the kernel calls it.
    pub bridge: String,
    /// The address, and how long its network is.
    pub prefix: Prefix,
}

/// The addresses of this machine on a lab's bridges: those that carry the lab's mark, whatever is said of it anywhere.
pub fn bridges(backend: &dyn NetBackend, id: LabId, instance: &str) -> Result<Vec<Near>, Problem> {
    let lab = Lab::seen_by(backend, id, instance, String::new(), None)?;
    let view = lab.view()?;
    let all =
        backend.addresses(&Place::Host).map_err(|fault| fault.problem("reading the addresses of this machine"))?;
    let ours = |name: &str| {
        view.links.iter().any(|link| link.name == name && link.kind == "bridge" && lab.mark_of(link).is_some())
    };
    let near = all.into_iter().filter(|address| ours(&address.link));
    Ok(near.map(|address| Near { bridge: address.link, prefix: address.prefix }).collect())
}
