//! Whose a named network namespace is (`crate::lab_space::Owners`): the mark on its `lo` tells.

use std::sync::Arc;

use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::backend::NetBackend;
use crate::{
    lab_id::LabId,
    lab_mark::{Mark, short_instance},
    lab_names::{Parsed, parse},
    lab_space::Owners,
    owner::{Organisations, PLATFORM},
};

/// Tells whose namespaces of this network stack are.
pub fn owners(backend: Arc<dyn NetBackend>, organisations: Arc<dyn Organisations>) -> Arc<dyn Owners> {
    Arc::new(ByMark { backend, organisations })
}

struct ByMark {
    backend: Arc<dyn NetBackend>,
    organisations: Arc<dyn Organisations>,
}

impl Owners for ByMark {
    fn check(&self, cx: &OpCx, namespace: &str) -> Result<String, Problem> {
        let organisation = self.organisations.of(&cx.run)?;
        let Some(Parsed::Namespace { name: node, .. }) = parse(namespace) else {
            if organisation == PLATFORM {
                return Ok(organisation);
            }
            let message = format!("the network namespace `{namespace}` is no node of a lab");
            return Err(Problem::new(Code::PermissionDenied, message)
                .help("runs of an organisation enter nodes of its own labs only: net::list_namespaces(lab) names them")
                .no_effect());
        };
        // Who may not enter it isn't told that it is there.
        let not_theirs = || {
            let message = format!("no lab of the organisation `{organisation}` has a network namespace `{namespace}`");
            Problem::new(Code::NotFound, message).help("net::list_namespaces(lab) names a lab's").no_effect()
        };
        let alias = match self.backend.aliases(&[namespace.to_owned()]).pop() {
            Some(Ok(alias)) => alias,
            Some(Err(fault)) if !fault.missing() => {
                return Err(fault.problem(format!("reading the mark of the namespace {namespace}")));
            }
            _ => None,
        };
        let mark = alias.as_deref().and_then(Mark::parse).ok_or_else(not_theirs)?;
        let lab = LabId::parse(&mark.lab).ok_or_else(not_theirs)?;
        let theirs = mark.instance == short_instance(&cx.instance) && mark.name == node;
        if theirs && lab.organisation == organisation { Ok(lab.organisation) } else { Err(not_theirs()) }
    }
}
