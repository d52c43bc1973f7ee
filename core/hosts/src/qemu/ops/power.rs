//! Machines start and stop.

use serde_json::Value;
use windlass_script::host::{Op, Undo, no_resources};

use super::{Draft, Here, LAB, MACHINE, NAME, STOPPING, grace};

pub fn ops(here: &Here) -> Vec<Op> {
    let mut ops = vec![
        here.making(
            Draft {
                name: "start_machine",
                doc: "Starts a machine that is stopped; one that runs is left running. Its interfaces are the lab's TAPs that it had, whatever the kernel calls \
                      them by now. `not_found`: one isn't there.",
                params: &[LAB, NAME],
                returns: MACHINE,
                example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1, start: false }); qemu::start_machine("demo", "r1").status"#,
                body: |here, cx, args| {
                    let (lab, name) = here.machine(cx, args)?;
                    here.machines.start(cx, &lab, name)
                },
            },
            Undo::Op { name: "stop_machine", args: |args| args.values().iter().take(2).cloned().collect() },
            no_resources,
        ),
        here.making(
            Draft {
                name: "stop_machine",
                doc: "Stops a machine: presses its power button, and ends it after `timeout_s` if the guest hasn't shut down. One that \
                      is stopped is left so. Its disk stays.",
                params: &[LAB, NAME, STOPPING],
                returns: MACHINE,
                example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1 }); qemu::stop_machine("demo", "r1", #{ timeout_s: 5 }).status"#,
                body: |here, cx, args| {
                    let grace = grace(args)?;
                    let (lab, name) = here.machine(cx, args)?;
                    here.machines.stop(cx, &lab, name, grace)
                },
            },
            Undo::None("what ran in it isn't kept"),
            no_resources,
        ),
        here.making(
            Draft {
                name: "restart_machine",
                doc: "Stops a machine as `stop_machine` does, and starts it. Links of its TAPs stay.",
                params: &[LAB, NAME, STOPPING],
                returns: MACHINE,
                example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1 }); qemu::restart_machine("demo", "r1").status"#,
                body: |here, cx, args| {
                    let grace = grace(args)?;
                    let (lab, name) = here.machine(cx, args)?;
                    let stopped: Value = here.machines.stop(cx, &lab, name, grace)?;
                    drop(stopped);
                    here.machines.start(cx, &lab, name)
                },
            },
            Undo::None("what ran in it isn't kept"),
            no_resources,
        ),
    ];
    // A guest may take its time.
    ops.iter_mut().for_each(|op| op.timeout_ms = 600_000);
    ops
}
