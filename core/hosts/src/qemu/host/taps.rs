//! A machine's network interfaces: TAPs of its own lab, told by their marks. A name is never proof: after a reboot the kernel's names
//! are given out anew.

use std::fs;

use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::super::spec::{MachineSpec, TapSpec};
use crate::{
    lab_id::LabId,
    lab_mark::{Mark, short_instance},
    lab_names::{Parsed, parse},
};

const LINKS: &str = "/sys/class/net";

/// The machine on the TAPs that are there now, each known by what the lab calls it from here on.
pub fn attached(cx: &OpCx, lab: &LabId, spec: &MachineSpec) -> Result<MachineSpec, Problem> {
    let taps = spec.taps().iter().map(|tap| found(cx, lab, spec, tap)).collect::<Result<Vec<_>, Problem>>()?;
    Ok(MachineSpec { taps: spec.taps.is_some().then_some(taps), ..spec.clone() })
}

/// The same for a machine that was made before. One that only knows the kernel's names goes on by those: what they were called in the
/// lab isn't known.
pub fn again(cx: &OpCx, lab: &LabId, spec: &MachineSpec) -> Result<MachineSpec, Problem> {
    let mut now = attached(cx, lab, spec)?;
    for (tap, before) in now.taps.iter_mut().flatten().zip(spec.taps()) {
        tap.at.clone_from(&before.at);
    }
    Ok(now)
}

fn found(cx: &OpCx, lab: &LabId, spec: &MachineSpec, tap: &TapSpec) -> Result<TapSpec, Problem> {
    let instance = short_instance(&cx.instance);
    let ours = |mark: &Mark| mark.instance == instance && mark.lab == lab.key;
    if let Some(at) = &tap.at {
        let is_it =
            |interface: &str| is_tap(interface) && mark(interface).is_some_and(|it| ours(&it) && it.name == *at);
        // Mostly it is what it was.
        let interface =
            is_it(&tap.interface).then(|| tap.interface.clone()).or_else(|| interfaces().find(|one| is_it(one)));
        let Some(interface) = interface else {
            let message = format!("{}: the lab {} has no TAP {at}", spec.name, lab.name);
            let help = format!("make it first: net::create_tap(\"{}\", \"{at}\")", lab.name);
            return Err(Problem::new(Code::NotFound, message).help(help).no_effect());
        };
        return Ok(TapSpec { interface, ..tap.clone() });
    }
    let problem = |code, what: &str| {
        Problem::new(code, format!("{}: the interface {} {what}", spec.name, tap.interface)).no_effect()
    };
    // It was checked to be one of a lab's names: no `/` in it.
    if fs::metadata(format!("{LINKS}/{}", tap.interface)).is_err() {
        return Err(problem(Code::NotFound, "isn't there")
            .help(format!("make it first: net::create_tap(\"{}\", \"{}:eth0\")", lab.name, spec.name)));
    }
    let Some(mark) = mark(&tap.interface).filter(ours) else {
        let help = "a machine is attached to TAPs of its own lab only: net::create_tap makes one";
        return Err(problem(Code::Conflict, &format!("doesn't belong to the lab {}", lab.name)).help(help));
    };
    if !is_tap(&tap.interface) {
        return Err(problem(Code::InvalidArgument, "isn't a TAP").help("net::create_tap makes one"));
    }
    Ok(TapSpec { at: Some(mark.name), ..tap.clone() })
}

/// Links of this machine that have a lab's names.
fn interfaces() -> impl Iterator<Item = String> {
    let all = fs::read_dir(LINKS).into_iter().flatten().flatten();
    let names = all.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| matches!(parse(name), Some(Parsed::Interface { .. })))
}

fn mark(interface: &str) -> Option<Mark> {
    Mark::parse(fs::read_to_string(format!("{LINKS}/{interface}/ifalias")).ok()?.trim())
}

fn is_tap(interface: &str) -> bool {
    !interface.is_empty() && fs::metadata(format!("{LINKS}/{interface}/tun_flags")).is_ok()
}
