//! The serial line: reading what a guest says, and typing.

use serde::Deserialize;
use serde_json::Value;
use windlass_model::{Code, EffectClass, Problem};
use windlass_script::host::{Kind, Op, Param, Undo, no_resources};

use super::{super::pattern::Pattern, Draft, Here, LAB, NAME};
use crate::support;

const SEND_BYTES: usize = 64 << 10;
const DEFAULT_LINES: usize = 50;
const MAX_LINES: usize = 1_000;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Tail {
    tail: Option<usize>,
}

pub fn ops(here: &Here) -> Vec<Op> {
    let mut wait = here.reading(Draft {
        name: "wait_serial",
        doc: "Waits until the guest has said something on its serial line since it was last started or written to \
              (`send_serial`). `text` is what the pattern found, `lines` the lines up to there.\n\n`wait_timeout`: it didn't say it; \
              `unavailable`: it ended. Both carry its last lines as evidence.",
        params: const {
            &[
                LAB,
                NAME,
                Param::required("pattern", Kind::String, "A regular expression: `\"login:\"`, `\"# $\"`."),
                Param::required("timeout", Kind::Duration, "Longest wait, at most an hour."),
            ]
        },
        returns: "#{ text: string, lines: string, waited_ms: int }",
        example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1 }); qemu::wait_serial("demo", "r1", "login:", "2m").text"#,
        body: |here, cx, args| {
            let pattern = Pattern::new(args.str("pattern"))?;
            let limit = support::duration(args.get("timeout"), "timeout")?.min(cx.timeout());
            let (lab, name) = here.machine(cx, args)?;
            here.machines.wait_serial(cx, &lab, name, (&pattern, limit))
        },
    });
    wait.timeout_ms = 3_600_000;
    let mut send = here.making(
        Draft {
            name: "send_serial",
            doc: "Types on a machine's serial line. A line ends with `\\n`. `conflict`: somebody has its console open; \
                  `unavailable`: the machine isn't running, or doesn't read.",
            params: const {
                &[
                    LAB,
                    NAME,
                    Param::required(
                        "text",
                        Kind::Secret,
                        "What to type, at most 64 KiB; text, or a secret for `qemu:LAB/NAME`.",
                    ),
                ]
            },
            returns: "()",
            example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1 }); qemu::send_serial("demo", "r1", "root\n");"#,
            body: |here, cx, args| {
                let (lab, name) = here.machine(cx, args)?;
                let text = cx.reveal(args.get("text"), &format!("qemu:{}/{name}", lab.name))?;
                if text.len() > SEND_BYTES {
                    return Err(Problem::new(Code::LimitExceeded, format!("more than {SEND_BYTES} bytes to type")).no_effect());
                }
                here.machines.send_serial(cx, &lab, name, &text)?;
                Ok(Value::Null)
            },
        },
        Undo::None("what is typed is typed"),
        no_resources,
    );
    send.class = EffectClass::AtMostOnce;
    let read = here.reading(Draft {
        name: "serial",
        doc: "The last lines that the guest said on its serial line, of all its starts; the newest few megabytes are kept.",
        params: const { &[LAB, NAME, Param::optional("options", Kind::Map, "`tail`: how many lines (50, at most 1000).")] },
        returns: "string",
        example: r#"qemu::create_machine("demo", #{ name: "r1", disk_gb: 1 }); qemu::serial("demo", "r1", #{ tail: 5 })"#,
        body: |here, cx, args| {
            let options: Tail = support::options(args, "options")?;
            let lines = options.tail.unwrap_or(DEFAULT_LINES);
            if lines > MAX_LINES {
                return Err(support::invalid(format!("`tail` may be {MAX_LINES} at most")));
            }
            let (lab, name) = here.machine(cx, args)?;
            here.machines.serial(cx, &lab, name, lines)
        },
    });
    vec![wait, send, read]
}
