//! A host module for tests: ops of every effect class whose effects are lines in a witness file, which outlives the
//! process that made them.

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use windlass_model::{Code, EffectClass, Problem, ResourceChange, ResourceRef, RetryPolicy};
use windlass_script::host::{Args, HostModule, Kind, Op, OpCx, Param, Permission, Rehearse, Undo, no_resources};

/// What happened in the world, one line an effect: `verb name key`.
#[derive(Clone)]
pub struct Witness {
    path: PathBuf,
}

impl Witness {
    /// The witness file in a folder.
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.join("witness") }
    }

    /// Writes one effect down.
    pub fn saw(&self, line: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path).expect("the witness file opens");
        file.write_all(format!("{line}\n").as_bytes()).expect("the witness file is written");
    }

    /// All effects so far.
    pub fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Effects of one verb on one name.
    pub fn count(&self, verb: &str, name: &str) -> usize {
        let start = format!("{verb} {name} ");
        self.lines().iter().filter(|line| line.starts_with(&start)).count()
    }

    /// Names that were made and not unmade since.
    pub fn standing(&self) -> Vec<String> {
        let mut standing: Vec<String> = Vec::new();
        for line in self.lines() {
            let mut words = line.split(' ');
            match (words.next(), words.next()) {
                (Some("make" | "keyed"), Some(name)) if !standing.iter().any(|there| there == name) => {
                    standing.push(name.to_owned());
                }
                (Some("unmake"), Some(name)) => standing.retain(|there| there != name),
                _ => {}
            }
        }
        standing
    }
}

const NAME: &[Param] = &[Param::required("name", Kind::String, "What to touch.")];
const NAME_AND_COUNT: &[Param] =
    &[Param::required("name", Kind::String, "What to touch."), Param::required("count", Kind::Int, "How many.")];

fn thing(args: &Args) -> ResourceRef {
    ResourceRef { provider: "probe".into(), kind: "thing".into(), id: args.str("name").into() }
}

fn base(name: &'static str, class: EffectClass, run: windlass_script::host::Effect) -> Op {
    Op {
        name,
        doc: "A test's op.",
        params: NAME,
        returns: "any",
        permission: Permission::Needs {
            verb: "probe.use",
            scope: |args| vec![args.str("name").to_owned()],
            words: "probe",
        },
        class,
        undo: Undo::None("a test's op"),
        resources: no_resources,
        timeout_ms: 10_000,
        retry: RetryPolicy::NEVER,
        rehearse: Rehearse::Backend,
        example: "",
        run,
        lookup: None,
    }
}

/// The module `probe`, writing to this witness.
pub fn module(witness: &Witness) -> HostModule {
    let see = |verb: &'static str| -> windlass_script::host::Effect {
        let witness = witness.clone();
        Box::new(move |cx: &OpCx, args: &Args| {
            witness.saw(&format!("{verb} {} {}", args.str("name"), cx.key));
            Ok(json!({ "name": args.str("name"), "verb": verb }))
        })
    };
    let undo = Undo::Op { name: "unmake", args: |args| vec![args.get("name").clone()] };
    let (keyed, unmaking, flaky) = (witness.clone(), witness.clone(), witness.clone());
    let (stubborn, halving) = (witness.clone(), witness.clone());
    let ops = vec![
        base("read", EffectClass::Read, see("read")),
        base("touch", EffectClass::Idempotent, see("touch")),
        base("once", EffectClass::AtMostOnce, see("once")),
        Op {
            undo: Undo::Op { name: "unmake", args: |args| vec![args.get("name").clone()] },
            resources: |args| vec![ResourceChange::Creates(thing(args))],
            ..base("make", EffectClass::Idempotent, see("make"))
        },
        Op {
            undo,
            resources: |args| vec![ResourceChange::Creates(thing(args))],
            lookup: Some(Box::new(move |cx, args| {
                let mark = format!("keyed {} {}", args.str("name"), cx.key);
                Ok(keyed.lines().contains(&mark).then(|| json!({ "name": args.str("name"), "verb": "keyed" })))
            })),
            ..base("keyed", EffectClass::Keyed, see("keyed"))
        },
        Op {
            resources: |args| vec![ResourceChange::Destroys(thing(args))],
            run: Box::new(move |cx, args| {
                let name = args.str("name");
                if name.starts_with("stuck") && !unmaking.lines().contains(&format!("free {name} ")) {
                    return Err(Problem::new(Code::System, format!("{name} can't be unmade")));
                }
                unmaking.saw(&format!("unmake {name} {}", cx.key));
                Ok(Value::Null)
            }),
            ..base("unmake", EffectClass::Idempotent, see("unmake"))
        },
        Op {
            params: NAME_AND_COUNT,
            retry: RetryPolicy { attempts: 4, first_delay_ms: 1, max_delay_ms: 4 },
            run: Box::new(move |cx, args| {
                let (name, count) = (args.str("name"), args.int("count").unwrap_or(0));
                flaky.saw(&format!("flaky {name} {}", cx.key));
                let seen = flaky.count("flaky", name) as i64;
                match seen > count {
                    true => Ok(json!(seen)),
                    false => Err(Problem::new(Code::Unavailable, format!("attempt {seen} of {name}")).retryable()),
                }
            }),
            ..base("flaky", EffectClass::Idempotent, see("flaky"))
        },
        Op {
            run: Box::new(move |cx, args| {
                stubborn.saw(&format!("refuse {} {}", args.str("name"), cx.key));
                match stubborn.lines().contains(&format!("allow {} ", args.str("name"))) {
                    true => Ok(json!("allowed")),
                    false => Err(Problem::new(Code::System, format!("{} is refused", args.str("name")))),
                }
            }),
            ..base("refuse", EffectClass::Idempotent, see("refuse"))
        },
        Op {
            params: NAME_AND_COUNT,
            run: Box::new(|cx, args| {
                let pause = Duration::from_millis(u64::try_from(args.int("count").unwrap_or(0)).unwrap_or(0));
                cx.block_on(async {
                    tokio::time::sleep(pause).await;
                    Ok(Value::Null)
                })
            }),
            ..base("slow", EffectClass::Read, see("slow"))
        },
        Op {
            // It happens, and then fails: nobody can tell from the error what is there. Once it is told to, it refuses at once.
            undo: Undo::Op { name: "unmake", args: |args| vec![args.get("name").clone()] },
            resources: |args| vec![ResourceChange::Creates(thing(args))],
            run: Box::new(move |cx, args| {
                if halving.lines().contains(&format!("refuse {} now", args.str("name"))) {
                    return Err(Problem::new(Code::System, "it isn't tried").no_effect());
                }
                halving.saw(&format!("make {} {}", args.str("name"), cx.key));
                Err(Problem::new(Code::System, format!("{} was made, and then something broke", args.str("name"))))
            }),
            ..base("half", EffectClass::Idempotent, see("half"))
        },
        Op { run: Box::new(|_, _| panic!("a test's panic")), ..base("panic", EffectClass::Read, see("panic")) },
    ];
    HostModule { name: "probe", doc: "A test's module.", ops }
}
