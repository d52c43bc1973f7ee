//! Changes on their way to the stack: what each one makes, how it is taken back, and what its refusal means.

use std::collections::BTreeMap;

use windlass_model::{Code, Problem};

use super::{
    backend::NetBackend,
    fault::Fault,
    types::{Batch, Change, Place, Route},
};

/// A change with what people call it.
#[derive(Clone, Debug)]
pub struct Step {
    /// `the link r1:eth0`.
    pub label: String,
    /// The change.
    pub change: Change,
    /// What takes it back, and where.
    pub undo: Option<(Place, Change)>,
}

/// Steps by place, each place's in order.
pub type Steps = BTreeMap<Place, Vec<Step>>;

/// Something that was refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// What people call it.
    pub label: String,
    /// Why.
    pub fault: Fault,
}

impl Refused {
    /// For people.
    pub fn problem(&self) -> Problem {
        self.fault.problem(&self.label)
    }
}

/// Makes the changes of all places. What was made is added to `done`, what was refused is returned.
pub fn perform(backend: &dyn NetBackend, steps: Steps, done: &mut Steps) -> Vec<Refused> {
    let batch = |(place, steps): (&Place, &Vec<Step>)| Batch {
        place: place.clone(),
        changes: steps.iter().map(|step| step.change.clone()).collect(),
    };
    let batches: Vec<Batch> = steps.iter().map(batch).filter(|batch| !batch.changes.is_empty()).collect();
    let answers = backend.apply(&batches);
    let mut refused = Vec::new();
    let places = steps.into_iter().filter(|(_, steps)| !steps.is_empty());
    for ((place, steps), answers) in places.zip(answers) {
        for (step, answer) in steps.into_iter().zip(answers) {
            match answer {
                Ok(()) => done.entry(place.clone()).or_default().push(step),
                Err(fault) if fault.unsupported() && is_extra(&step.change) => {}
                Err(fault) if fault.exists() && is_there(backend, &place, &step.change) => {}
                Err(fault) => refused.push(Refused { label: step.label, fault }),
            }
        }
    }
    refused
}

/// Whether a lab works without it: older kernels (before 5.5) have no altnames, and the mark in the alias is what counts; not every
/// kind of link has an offload.
fn is_extra(change: &Change) -> bool {
    matches!(change, Change::AddAltname { .. } | Change::SetOffload { .. })
}

/// Whether what "exists" is exactly what was asked for: then a repeated step has nothing to do.
fn is_there(backend: &dyn NetBackend, place: &Place, change: &Change) -> bool {
    match change {
        // The answer is about this address on this link.
        Change::AddAddress(_) => true,
        Change::AddRoute(wanted) => {
            backend.routes(place).is_ok_and(|routes| routes.iter().any(|route| same_route(wanted, route)))
        }
        _ => false,
    }
}

/// Whether a route that is there is the wanted one; what isn't said matches anything.
pub fn same_route(wanted: &Route, route: &Route) -> bool {
    const DEFAULT_METRIC_V6: u32 = 1_024;
    let metric = if wanted.metric == 0 && wanted.to.address.is_ipv6() { DEFAULT_METRIC_V6 } else { wanted.metric };
    wanted.to == route.to
        && wanted.via == route.via
        && (wanted.dev.is_none() || wanted.dev == route.dev)
        && (metric == route.metric || wanted.metric == route.metric)
}

/// Takes back what was done, last first; returns what couldn't be.
pub fn take_back(backend: &dyn NetBackend, done: Steps) -> Vec<Refused> {
    let mut steps = Steps::new();
    for step in done.into_values().flat_map(|steps| steps.into_iter().rev()) {
        if let Some((place, change)) = step.undo {
            steps.entry(place).or_default().push(Step { label: step.label, change, undo: None });
        }
    }
    let mut refused = perform(backend, steps, &mut Steps::new());
    refused.retain(|refused| !refused.fault.missing());
    refused
}

/// The problem of an operation that was refused in part: names the element, and says what is left.
pub fn failure(refused: &[Refused], left: &[Refused]) -> Problem {
    let Some(first) = refused.first() else { return Problem::new(Code::Internal, "nothing was refused") };
    let mut problem = first.problem();
    let others = refused.len() - 1;
    if others > 0 {
        problem.message = format!("{}; {others} more things were refused, perhaps for that reason", problem.message);
    }
    if left.is_empty() {
        return problem.no_effect();
    }
    let left: Vec<String> = left.iter().map(|left| left.label.clone()).collect();
    problem.message = format!("{}; what was made so far couldn't be taken back: {}", problem.message, left.join(", "));
    problem
}
