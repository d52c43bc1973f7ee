//! States that are kept.

use windlass_model::Problem;
use windlass_script::host::{Args, Kind, Op, OpCx, Param, Undo, no_resources};

use super::{super::spec::check_tag, Draft, Here, LAB, MACHINE, NAME};
use crate::lab_id::LabId;

const TAG: Param = Param::required("tag", Kind::String, "What the snapshot is called: `before-upgrade`.");
const SNAPSHOT: &str = "#{ tag: string, memory: bool, bytes: int, created_s: int, run: string? }";

pub fn ops(here: &Here) -> Vec<Op> {
    vec![
        here.making(
            Draft {
                name: "snapshot",
                doc: "Keeps the state that a machine is in, inside its disk: the disk, and the memory (`bytes`) if it runs. The guest \
                      stands still meanwhile. At most 32 of a machine.\n\n`unsupported`: the machine has no disk. `conflict`: another \
                      run has made one of that name.",
                params: &[LAB, NAME, TAG],
                returns: SNAPSHOT,
                example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1 }); qemu::snapshot("demo", "r1", "clean").memory"#,
                body: |here, cx, args| {
                    let (lab, name, tag) = tagged(here, cx, args)?;
                    here.machines.snapshot(cx, &lab, name, tag)
                },
            },
            Undo::Op { name: "delete_snapshot", args: |args| args.values().to_vec() },
            no_resources,
        ),
        here.making(
            Draft {
                name: "restore_snapshot",
                doc: "Takes a machine back to a state that was kept. One with memory goes on where it was (a stopped machine is \
                      started); one of the disk alone needs a stopped machine (`conflict`).",
                params: &[LAB, NAME, TAG],
                returns: MACHINE,
                example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1 }); qemu::snapshot("demo", "r1", "clean"); qemu::restore_snapshot("demo", "r1", "clean").status"#,
                body: |here, cx, args| {
                    let (lab, name, tag) = tagged(here, cx, args)?;
                    here.machines.restore(cx, &lab, name, tag)
                },
            },
            Undo::None("the state that it was in isn't kept"),
            no_resources,
        ),
        here.making(
            Draft {
                name: "delete_snapshot",
                doc: "Forgets a state. One that isn't there is forgotten already.",
                params: &[LAB, NAME, TAG],
                returns: "()",
                example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1 }); qemu::snapshot("demo", "r1", "clean"); qemu::delete_snapshot("demo", "r1", "clean");"#,
                body: |here, cx, args| {
                    let (lab, name, tag) = tagged(here, cx, args)?;
                    here.machines.forget(cx, &lab, name, tag)?;
                    Ok(serde_json::Value::Null)
                },
            },
            Undo::None("what is forgotten isn't kept"),
            no_resources,
        ),
        here.reading(Draft {
            name: "snapshots",
            doc: "The states of a machine that are kept, by tag. `memory`: whether it ran; `bytes`: how much of it was kept.",
            params: &[LAB, NAME],
            returns: "array of #{ tag: string, memory: bool, bytes: int, created_s: int, run: string? }",
            example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1 }); qemu::snapshots("demo", "r1").len()"#,
            body: |here, cx, args| {
                let (lab, name) = here.machine(cx, args)?;
                Ok(here.machines.snapshots(cx, &lab, name)?.into())
            },
        }),
    ]
}

fn tagged<'a>(here: &Here, cx: &OpCx, args: &'a Args) -> Result<(LabId, &'a str, &'a str), Problem> {
    check_tag(args.str("tag"))?;
    let (lab, name) = here.machine(cx, args)?;
    Ok((lab, name, args.str("tag")))
}
