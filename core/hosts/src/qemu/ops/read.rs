//! What there is.

use windlass_model::EffectClass;
use windlass_script::host::{Kind, Op, Param, Permission, Undo};

use super::{Draft, Here, LAB};

pub fn ops(here: &Here) -> Vec<Op> {
    let machines = here.reading(Draft {
        name: "machines",
        doc: "The lab's machines, by name. `status`: `running`, `stopped`, `paused`, or `missing` (its disk or what was known of it is \
              lost). `serial` and `vnc` are unix sockets. `taps`: `#{ at, interface }` each, `at` what the lab calls it (`()` for a machine \
              that an earlier version has made, until it is changed), `interface` what the kernel called it at the last start.",
        params: &[LAB],
        returns: "array of #{ name: string, status: string, pid: int?, accelerator: string?, serial: string, vnc: string?, disk: string?, disk_gb: int?, taps: array, digest: string?, labels: map, run: string }",
        example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1 }); qemu::machines("demo")[0].status"#,
        body: |here, cx, args| Ok(here.machines.list(cx, &here.lab(cx, args)?)?.into()),
    });
    let mut info = here.op(
        Draft {
            name: "info",
            doc: "What runs machines here. `kvm`: whether the processor does, found out by starting a guest, once for each start of \
                  this machine; `why` says why not. `accelerator`: what a machine gets that doesn't ask.",
            params: &[],
            returns: "#{ version: string, kvm: bool, why: string, accelerator: string }",
            example: "qemu::info().accelerator",
            body: |here, cx, _| here.machines.info(cx),
        },
        Undo::None("it changes nothing"),
    );
    (info.permission, info.class) = (Permission::Free, EffectClass::Read);
    let mut image = here.reading(Draft {
        name: "image",
        doc: "What an image is: its name as grants have it, its `format` (`raw` or `qcow2`), and the size of the disk in `bytes`. \
              `not_found`: there is none; `permission_denied`: it, or one that it lies over, is outside of the folders of images.",
        params: const { &[Param::required("name", Kind::String, "Its name below a folder of images, or its path in one.")] },
        returns: "#{ name: string, path: string, format: string, bytes: int }",
        example: r#"qemu::image("debian-12.qcow2").format"#,
        body: |here, cx, args| here.machines.image(cx, args.str("name")),
    });
    image.permission = Permission::Needs {
        verb: "qemu.run",
        scope: |args| vec![format!("image={}", args.str("name").trim_start_matches('/'))],
        words: "make virtual machines of the images",
    };
    let mut labs = here.reading(Draft {
        name: "labs",
        doc: "What the machines of the run's organisation may take of this machine, by lab. The grant is `qemu.read:machine`.",
        params: &[],
        returns: "map of #{ nodes: array of string, cpus: float, memory_mb: int }",
        example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1 }); qemu::labs().demo.nodes"#,
        body: |here, cx, _| Ok(serde_json::json!(here.machines.labs(cx, &here.organisations.of(&cx.run)?))),
    });
    labs.permission = Permission::Needs {
        verb: "qemu.read",
        scope: |_| vec!["machine".into()],
        words: "look at virtual machines of the lab",
    };
    vec![machines, info, image, labs]
}
