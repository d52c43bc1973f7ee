//! A machine's network interfaces: TAPs of its own lab, told by their marks. A name is never proof.

use std::fs;

use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::super::spec::MachineSpec;
use crate::{
    lab_id::LabId,
    lab_mark::{Mark, short_instance},
};

/// Refuses interfaces that aren't TAPs, or aren't the lab's.
pub fn check(cx: &OpCx, lab: &LabId, spec: &MachineSpec) -> Result<(), Problem> {
    for tap in spec.taps() {
        // It was checked to be one of a lab's names: no `/` in it.
        let folder = format!("/sys/class/net/{}", tap.interface);
        let problem = |code, what: &str| {
            Problem::new(code, format!("{}: the interface {} {what}", spec.name, tap.interface)).no_effect()
        };
        let Ok(alias) = fs::read_to_string(format!("{folder}/ifalias")) else {
            return Err(problem(Code::NotFound, "isn't there")
                .help(format!("make it first: net::create_tap(\"{}\", \"{}:eth0\")", lab.name, spec.name)));
        };
        let mark = Mark::parse(alias.trim());
        let ours = |mark: &Mark| mark.instance == short_instance(&cx.instance) && mark.lab == lab.key;
        if !mark.as_ref().is_some_and(ours) {
            let help = "a machine is attached to TAPs of its own lab only: net::create_tap makes one";
            return Err(problem(Code::Conflict, &format!("doesn't belong to the lab {}", lab.name)).help(help));
        }
        if fs::metadata(format!("{folder}/tun_flags")).is_err() {
            return Err(problem(Code::InvalidArgument, "isn't a TAP").help("net::create_tap makes one"));
        }
    }
    Ok(())
}
