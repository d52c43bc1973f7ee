//! Machines that are there are changed.

use serde_json::Value;
use windlass_script::host::{Kind, Op, Param, Undo, no_resources};

use super::{
    super::spec::{MachineSpec, check_together},
    Draft, Here, LAB, NAMES, STOPPING, grace,
    machines::SPEC,
    names_in,
};
use crate::lab_names::check_name;

pub fn ops(here: &Here) -> Vec<Op> {
    let mut ops = vec![
        here.making(
            Draft {
                name: "change_machines",
                doc: "Changes what machines are made of, all of them or none, whichever run made them. Each keeps its disk with all \
                      snapshots: `disk` and `disk_gb` have to be what they were. One that runs is stopped as `stop_machine` does, and \
                      all are started, unless `start` is false. Where nothing differs but `labels` and `digest`, a machine goes on \
                      running. A new `seed` is there at the next start; cloud-init reads it where its `instance-id` is another. At \
                      most 64. The undo makes them what they were, and starts those that ran.\n\n`not_found`: no such machine, image \
                      or interface. `conflict`: the disk would have to be another. `command_failed`: QEMU ended at once; all are \
                      what they were, and have been started anew.",
                params: const { &[LAB, Param::required("machines", Kind::Array, SPEC), STOPPING] },
                returns: "array of #{ name: string, status: string, … }",
                example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1 }); qemu::change_machines("demo", [#{ name: "r1", disk_gb: 1, memory_mb: 512 }])[0].status"#,
                body: |here, cx, args| {
                    let (grace, lab) = (grace(args)?, here.lab(cx, args)?);
                    let specs: Vec<MachineSpec> = args.read("machines")?;
                    specs.iter().try_for_each(|spec| spec.check(&here.config))?;
                    check_together(&specs)?;
                    Ok(here.machines.change(cx, &lab, &specs, grace)?.into())
                },
            },
            Undo::Op {
                name: "revert_machines",
                args: |args| vec![args.get("lab").clone(), names_in(args, "machines").map(Value::from).collect()],
            },
            no_resources,
        ),
        here.making(
            Draft {
                name: "revert_machines",
                doc: "Makes machines what they were before the last `change_machines`, and starts those that ran then. One whose \
                      TAPs are gone meanwhile is left stopped. What isn't there, or wasn't changed, is left alone.",
                params: &[LAB, NAMES, STOPPING],
                returns: "()",
                example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1 }); qemu::change_machines("demo", [#{ name: "r1", disk_gb: 1, vnc: true }]); qemu::revert_machines("demo", ["r1"]);"#,
                body: |here, cx, args| {
                    let (grace, lab) = (grace(args)?, here.lab(cx, args)?);
                    let names: Vec<String> = args.read("names")?;
                    names.iter().try_for_each(|name| check_name("machine", name))?;
                    here.machines.take_back(cx, &lab, &names, grace)?;
                    Ok(Value::Null)
                },
            },
            Undo::None("what a machine was changed to isn't kept"),
            no_resources,
        ),
    ];
    // Guests may take their time.
    ops.iter_mut().for_each(|op| op.timeout_ms = 900_000);
    ops
}
