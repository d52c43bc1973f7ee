//! Packets of a link, kept in a file.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use base64::Engine as _;
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_model::{Code, EffectClass, Problem};
use windlass_script::host::{Args, Kind, Op, OpCx, Param, Permission, Undo, no_resources};

use super::{
    super::{
        capture::{Limits, Recording, SECONDS_MAX},
        lab::Lab,
        plan::invalid,
        summary::Summary,
    },
    AT, Draft, LAB, Machine, lab_scope, op,
};
use crate::lab_id::LabId;

/// How soon a run that is told to stop is heard.
const SLICE: Duration = Duration::from_millis(200);

/// Bytes that are given back when nobody says, and at most: a step's result is kept.
const INLINE: u64 = 256 << 10;
const INLINE_MAX: u64 = 512 << 10;
/// Most lines about packets.
const LINES: usize = 200;

pub fn ops(machine: &Machine) -> Vec<Op> {
    let words = "see the packets that pass the links of the lab";
    let permission = Permission::Needs { verb: "net.capture", scope: lab_scope, words };
    let draft = Draft {
        name: "capture",
        doc: "Keeps the packets that pass an interface in a pcapng file, for `tcpdump -r` or Wireshark: under `path` in the lab's own \
              folder below `[hosts.net] captures`. It ends after `seconds`, at `bytes` or after `packets`, whatever comes first; a \
              file of that name is replaced. `dropped` came faster than they were taken. `protocols` counts packets, `lines` tells of \
              the first ones. With `inline` there is no file: `content` is the capture, in base64, as `artifact` takes it \
              (`#{ base64: content }`); then `bytes` is 256 KiB, at most 512 KiB. There is no filter: what a program filters, \
              such as Wireshark, is filtered when it is looked at.\n\n\
              `not_found`: no such interface. `configuration`: no folder for captures is set.",
        params: const {
            &[
                LAB,
                AT,
                Param::required(
                    "options",
                    Kind::Map,
                    "`path` (a name such as `ping.pcapng`) or `inline: true`, `seconds` (10, at most 3600), `bytes` (16 MiB, at most \
                     1 GiB), `packets` (as many as come), `snaplen` (bytes that are kept of a packet), `lines` (0, at most 200).",
                ),
            ]
        },
        returns: "#{ packets: int, bytes: int, dropped: int, path: string, content: string, protocols: map, lines: array }",
        example: "net::create_namespace(\"demo\", \"r1\"); net::connect(\"demo\", \"r1:eth0\", #{});\n\
                  net::capture(\"demo\", \"r1:eth0\", #{ path: \"ping.pcapng\", seconds: 1 }).packets",
        body: |_, _, _| Err(Problem::new(Code::Internal, "a capture has an effect of its own")),
    };
    let undo = Undo::None("a capture is kept for whoever wanted it");
    let mut capture = op(machine, draft, permission, EffectClass::Idempotent, undo, no_resources);
    capture.timeout_ms = (SECONDS_MAX + 60) * 1_000;
    let machine = machine.clone();
    // It changes nothing of the lab: others may, meanwhile.
    capture.run = Box::new(move |cx, args| {
        let id = LabId::of(&*machine.organisations, cx, args.str("lab"))?;
        let folder = machine.captures.as_deref().map(|folder| folder.join(id.key.replace('/', "+")));
        run(&Lab::open(&*machine.backend, cx, id)?, folder.as_deref(), cx, args)
    });
    vec![capture]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    path: Option<String>,
    #[serde(default)]
    inline: bool,
    seconds: Option<u64>,
    bytes: Option<u64>,
    packets: Option<u64>,
    snaplen: Option<u32>,
    #[serde(default)]
    lines: usize,
}

fn run(lab: &Lab<'_>, folder: Option<&Path>, cx: &OpCx, args: &Args) -> Result<Value, Problem> {
    let options: Options = args.read("options")?;
    let bytes = if options.inline { options.bytes.or(Some(INLINE)) } else { options.bytes };
    let limits = Limits::new(options.seconds, bytes, options.snaplen)?.packets(options.packets)?;
    if options.lines > LINES {
        return Err(invalid(format!("`lines` is {}", options.lines)).help(format!("at most {LINES}")));
    }
    let name = match (&options.path, options.inline) {
        (Some(path), false) => Some(file_name(path)?),
        (None, true) if limits.bytes <= INLINE_MAX => None,
        (None, true) => {
            let help = format!("at most {INLINE_MAX} bytes are given back; a file may have more: `path`");
            return Err(invalid(format!("`bytes` is {}", limits.bytes)).help(help));
        }
        _ => return Err(invalid("a capture goes to a file, `path`, or is given back, `inline: true`")),
    };
    let Some(mut recording) = Recording::of(lab, args.str("at"), limits)? else {
        let kept = if options.inline { "content" } else { "path" };
        return Ok(
            json!({ "packets": 0, "bytes": 0, "dropped": 0, kept: name.unwrap_or_default(), "protocols": {}, "lines": [] }),
        );
    };
    recording.summarise(options.lines);
    let mut answer = match name {
        Some(name) => json!({ "path": keep(&mut recording, folder, name, (cx, args))?.to_string_lossy() }),
        None => {
            let mut content = Vec::new();
            listen(&mut recording, (cx, args), |piece| {
                content.extend_from_slice(piece);
                Ok(())
            })?;
            json!({ "content": base64::engine::general_purpose::STANDARD.encode(content) })
        }
    };
    let totals = recording.totals();
    let seen = recording.summary().map(Summary::value).unwrap_or_default();
    for (key, value) in [
        ("packets", totals.packets.into()),
        ("bytes", totals.bytes.into()),
        ("dropped", totals.dropped.into()),
        ("protocols", seen["protocols"].clone()),
        ("lines", seen["lines"].clone()),
    ] {
        answer[key] = value;
    }
    Ok(answer)
}

/// Listens to the end of a recording.
fn listen(
    recording: &mut Recording,
    (cx, args): (&OpCx, &Args),
    mut take: impl FnMut(&[u8]) -> Result<(), Problem>,
) -> Result<(), Problem> {
    loop {
        let piece = recording.next(SLICE).map_err(|fault| fault.problem(format!("listening at {}", args.str("at"))))?;
        let Some(piece) = piece else { return Ok(()) };
        take(&piece)?;
        if cx.stopped() {
            return Err(Problem::new(Code::Cancelled, "the run was told to stop while this step was under way"));
        }
    }
}

/// Keeps a recording in a file, which has its name when it is whole: what a crash leaves is overwritten by the next one.
fn keep(
    recording: &mut Recording,
    folder: Option<&Path>,
    name: &str,
    (cx, args): (&OpCx, &Args),
) -> Result<PathBuf, Problem> {
    let folder = folder.ok_or_else(|| {
        Problem::new(Code::Configuration, "no folder for captures is set")
            .help("an admin sets it: `[hosts.net] captures = \"/var/lib/windlass/captures\"`")
            .no_effect()
    })?;
    let target = folder.join(name);
    let part = folder.join(format!(".{name}.part"));
    let failed = |error: std::io::Error| {
        Problem::new(Code::System, format!("writing the capture {}: {error}", target.display()))
            .help("is there room, and may Windlass write to `[hosts.net] captures`?")
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&part)
        .map_err(failed)?;
    let ended = listen(recording, (cx, args), |piece| file.write_all(piece).map_err(failed));
    if let Err(problem) = ended.and_then(|()| fs::rename(&part, &target).map_err(failed)) {
        let _ = fs::remove_file(&part);
        return Err(problem);
    }
    Ok(target)
}

/// The name of a file, and of nothing else.
fn file_name(path: &str) -> Result<&str, Problem> {
    let stem = path.strip_suffix(".pcapng").unwrap_or(path);
    let plain = !stem.is_empty()
        && path.len() <= 128
        && !path.starts_with('.')
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    match plain {
        true => Ok(path),
        false => Err(invalid(format!("`{path}` can't be the name of a capture"))
            .help("letters, digits, `.`, `-` and `_`, such as `ping.pcapng`; the folder is the lab's own")),
    }
}
