//! What keeps machines: QEMU on this machine, or a twin in memory.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use windlass_model::Problem;
use windlass_script::host::OpCx;

use super::{pattern::Pattern, spec::MachineSpec};
use crate::lab_id::{Holding, LabId};

/// Makes and runs machines. Names and specs were checked.
pub trait Machines: Send + Sync {
    /// `#{ version, kvm, why, accelerator }`.
    fn info(&self, cx: &OpCx) -> Result<Value, Problem>;
    /// `#{ name, path, format, bytes }` of an image.
    fn image(&self, cx: &OpCx, name: &str) -> Result<Value, Problem>;
    /// All of them, or none; what they are now, in the same order.
    fn create(&self, cx: &OpCx, lab: &LabId, specs: &[MachineSpec]) -> Result<Vec<Value>, Problem>;
    /// All of them, or none, on the disks that they have; one that runs is asked to stop first, and after `grace` made to.
    fn change(&self, cx: &OpCx, lab: &LabId, specs: &[MachineSpec], grace: Duration) -> Result<Vec<Value>, Problem>;
    /// Takes back what a step has changed; if no step is undone, the last change of each.
    fn take_back(&self, cx: &OpCx, lab: &LabId, names: &[String], grace: Duration) -> Result<(), Problem>;
    /// What it is now.
    fn start(&self, cx: &OpCx, lab: &LabId, name: &str) -> Result<Value, Problem>;
    /// Asks it to, and after `grace` makes it.
    fn stop(&self, cx: &OpCx, lab: &LabId, name: &str, grace: Duration) -> Result<Value, Problem>;
    /// Removes these with their disks.
    fn remove(&self, cx: &OpCx, lab: &LabId, names: &[String]) -> Result<(), Problem>;
    /// Removes all of the lab; how many.
    fn destroy(&self, cx: &OpCx, lab: &LabId) -> Result<usize, Problem>;
    /// What an organisation's labs have here, by lab.
    fn labs(&self, cx: &OpCx, organisation: &str) -> BTreeMap<String, Holding>;
    /// All of the lab, by name.
    fn list(&self, cx: &OpCx, lab: &LabId) -> Result<Vec<Value>, Problem>;
    /// Waits for what the guest says on its serial line since it was last written to, or started.
    fn wait_serial(&self, cx: &OpCx, lab: &LabId, name: &str, wait: (&Pattern, Duration)) -> Result<Value, Problem>;
    /// Types on the serial line.
    fn send_serial(&self, cx: &OpCx, lab: &LabId, name: &str, text: &str) -> Result<(), Problem>;
    /// The last of what the guest said.
    fn serial(&self, cx: &OpCx, lab: &LabId, name: &str, lines: usize) -> Result<Value, Problem>;
    /// Keeps the state that it is in; what was kept.
    fn snapshot(&self, cx: &OpCx, lab: &LabId, name: &str, tag: &str) -> Result<Value, Problem>;
    /// Takes it back to a state that was kept.
    fn restore(&self, cx: &OpCx, lab: &LabId, name: &str, tag: &str) -> Result<Value, Problem>;
    /// Forgets a state.
    fn forget(&self, cx: &OpCx, lab: &LabId, name: &str, tag: &str) -> Result<(), Problem>;
    /// States that are kept.
    fn snapshots(&self, cx: &OpCx, lab: &LabId, name: &str) -> Result<Vec<Value>, Problem>;
}
