//! Machines come and go.

use serde_json::{Value, json};
use windlass_model::{Problem, ResourceChange, ResourceRef};
use windlass_script::host::{Args, Kind, Op, OpCx, Param, Undo};

use super::{
    super::spec::{MachineSpec, check_together},
    Draft, Here, LAB, MACHINE, NAME, NAMES, names_in, resource,
};
use crate::lab_names::check_name;

pub(super) const SPEC: &str = "`name`; `disk` (an image's name below a folder of images; the machine gets an overlay over it), `disk_gb` (its \
     size; without `disk` an empty one); `kernel`, `initrd`, `append` (to boot without a disk); `cpus` (1), `memory_mb` (256); \
     `taps` (`[#{ at, mac? }]`: the lab's TAPs as the lab calls them, `vm1:eth0`; or `[#{ interface, mac? }]`, as the kernel does); `seed` (`#{ user_data, meta_data?, network_config? }` for \
     cloud-init, each text or a secret for `qemu:LAB/NAME`); `vnc` (a screen), `accelerator` (`auto`, `kvm`, `tcg`), `labels`, \
     `digest`, `start` (true).";

pub fn ops(here: &Here) -> Vec<Op> {
    vec![
        here.making(
            Draft {
                name: "create_machine",
                doc: "Makes a machine and starts it, unless `start` is false. It is back when QEMU runs; the guest still boots \
                      (`wait_serial`). Each image needs the grant `qemu.run:image=NAME` besides.\n\nDone twice by the same run, \
                      it is done once. `conflict`: there is one that another run made, or it isn't what is asked for. `not_found`: \
                      no such image or interface. `command_failed`: QEMU ended at once, with what it said.",
                params: const { &[LAB, Param::required("machine", Kind::Map, SPEC)] },
                returns: MACHINE,
                example: r#"qemu::create_machine("demo", #{ name: "r1", disk: "debian-12.qcow2", memory_mb: 512 }).status"#,
                body: |here, cx, args| {
                    let spec: MachineSpec = args.read("machine")?;
                    Ok(create(here, cx, args, &[spec])?.pop().unwrap_or_default())
                },
            },
            Undo::Op {
                name: "remove_machine",
                args: |args| vec![args.get("lab").clone(), args.get("machine")["name"].clone()],
            },
            |args| {
                let name = args.get("machine")["name"].as_str().unwrap_or_default();
                vec![ResourceChange::Creates(resource(args, name))]
            },
        ),
        here.making(
            Draft {
                name: "create_machines",
                doc: "Makes several machines as one step, four at a time: all of them, or none. At most 64. As `create_machine` \
                      otherwise.",
                params: const { &[LAB, Param::required("machines", Kind::Array, SPEC)] },
                returns: "array of #{ name: string, status: string, … }",
                example: r#"qemu::create_machines("demo", [#{ name: "r1", disk_gb: 1 }, #{ name: "r2", disk_gb: 1 }]).len()"#,
                body: |here, cx, args| {
                    let specs: Vec<MachineSpec> = args.read("machines")?;
                    Ok(create(here, cx, args, &specs)?.into())
                },
            },
            Undo::Op {
                name: "remove_machines",
                args: |args| vec![args.get("lab").clone(), names_in(args, "machines").map(Value::from).collect()],
            },
            |args| names_in(args, "machines").map(|name| ResourceChange::Creates(resource(args, name))).collect(),
        ),
        here.making(
            Draft {
                name: "remove_machine",
                doc: "Ends a machine without asking its guest, and removes it with its disk. One that isn't there is removed already. \
                      `conflict`: it isn't the lab's.",
                params: &[LAB, NAME],
                returns: "()",
                example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1 }); qemu::remove_machine("demo", "r1"); qemu::remove_machine("demo", "r1");"#,
                body: |here, cx, args| remove(here, cx, args, &[args.str("name").to_owned()]),
            },
            Undo::None("a disk that is removed isn't kept"),
            |args| vec![ResourceChange::Destroys(resource(args, args.str("name")))],
        ),
        here.making(
            Draft {
                name: "remove_machines",
                doc: "Removes several machines. As `remove_machine` otherwise.",
                params: &[LAB, NAMES],
                returns: "()",
                example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1 }); qemu::remove_machines("demo", ["r1", "r2"]);"#,
                body: |here, cx, args| remove(here, cx, args, &args.read::<Vec<String>>("names")?),
            },
            Undo::None("a disk that is removed isn't kept"),
            |args| names_in(args, "names").map(|name| ResourceChange::Destroys(resource(args, name))).collect(),
        ),
        here.making(
            Draft {
                name: "destroy",
                doc: "Removes all machines of the lab, whichever run made them, and what crashes have left of others. `machines`: how \
                      many.",
                params: &[LAB],
                returns: "#{ machines: int }",
                example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1 }); qemu::destroy("demo").machines"#,
                body: |here, cx, args| Ok(json!({ "machines": here.machines.destroy(cx, &here.lab(cx, args)?)? })),
            },
            Undo::None("disks that are removed aren't kept"),
            |args| vec![ResourceChange::Destroys(ResourceRef::everything_below("qemu", args.str("lab")))],
        ),
    ]
}

fn create(here: &Here, cx: &OpCx, args: &Args, specs: &[MachineSpec]) -> Result<Vec<Value>, Problem> {
    let lab = here.lab(cx, args)?;
    specs.iter().try_for_each(|spec| spec.check(&here.config))?;
    check_together(specs)?;
    here.machines.create(cx, &lab, specs)
}

fn remove(here: &Here, cx: &OpCx, args: &Args, names: &[String]) -> Result<Value, Problem> {
    names.iter().try_for_each(|name| check_name("machine", name))?;
    here.machines.remove(cx, &here.lab(cx, args)?, names)?;
    Ok(Value::Null)
}
