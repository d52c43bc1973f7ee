//! The host module of the benchmarks: ops that do nothing, and note when they were called.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use serde_json::{Value, json};
use windlass_model::{EffectClass, ResourceChange, ResourceRef, RetryPolicy};
use windlass_script::host::{Args, Effect, HostModule, Kind, Op, Param, Permission, Rehearse, Undo, no_resources};

/// What the ops noted, and how long they say `true`.
#[derive(Clone, Default)]
pub struct Notes(Arc<Inner>);

#[derive(Default)]
struct Inner {
    calls: Mutex<Vec<Instant>>,
    count: AtomicU64,
    until: Mutex<Option<Instant>>,
    met: Mutex<usize>,
    all_met: Condvar,
}

impl Notes {
    /// Milliseconds between each call and the next, since the last time this was asked.
    pub fn gaps_ms(&self) -> Vec<f64> {
        let calls = std::mem::take(&mut *self.0.calls.lock());
        calls.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1e3).collect()
    }

    /// Calls of `tick` so far.
    pub fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }

    /// `tick` says `false` from then on.
    pub fn tick_for(&self, time: Duration) {
        *self.0.until.lock() = Some(Instant::now() + time);
    }

    /// `meet` returns when so many calls wait in it.
    fn meet(&self, count: usize) {
        let mut met = self.0.met.lock();
        *met += 1;
        if met.is_multiple_of(count) {
            self.0.all_met.notify_all();
            return;
        }
        let round = *met / count;
        self.0.all_met.wait_while(&mut met, |met| *met / count == round);
    }

    fn note(&self) {
        self.0.calls.lock().push(Instant::now());
    }

    fn tick(&self) -> bool {
        self.0.count.fetch_add(1, Ordering::Relaxed);
        self.0.until.lock().is_some_and(|until| Instant::now() < until)
    }
}

const NUMBER: &[Param] = &[Param::required("number", Kind::Int, "Any number.")];

fn base(name: &'static str, run: Effect) -> Op {
    Op {
        name,
        doc: "A benchmark's op.",
        params: NUMBER,
        returns: "any",
        permission: Permission::Needs { verb: "bench.use", scope: |_| vec!["all".to_owned()], words: "measure" },
        class: EffectClass::Idempotent,
        undo: Undo::None("it does nothing"),
        resources: no_resources,
        timeout_ms: 60_000,
        retry: RetryPolicy::NEVER,
        rehearse: Rehearse::Backend,
        example: "",
        run,
        lookup: None,
    }
}

fn thing(args: &Args) -> ResourceRef {
    let id = args.get("number").to_string();
    ResourceRef { provider: "bench".into(), kind: "thing".into(), id: id.into() }
}

/// The module `bench`.
pub fn module(notes: &Notes) -> HostModule {
    let noting = |notes: &Notes| -> Effect {
        let notes = notes.clone();
        Box::new(move |_, args| {
            notes.note();
            Ok(json!({ "number": args.get("number"), "kind": "thing", "up": true }))
        })
    };
    let (ticking, meeting) = (notes.clone(), notes.clone());
    let ops = vec![
        base("touch", noting(notes)),
        Op {
            undo: Undo::Op { name: "unmake", args: |args| vec![args.get("number").clone()] },
            resources: |args| vec![ResourceChange::Creates(thing(args))],
            ..base("make", noting(notes))
        },
        Op {
            resources: |args| vec![ResourceChange::Destroys(thing(args))],
            ..base("unmake", Box::new(|_, _| Ok(Value::Null)))
        },
        base("echo", Box::new(|_, args| Ok(json!({ "number": args.get("number"), "kind": "thing", "up": true })))),
        base("tick", Box::new(move |_, _| Ok(json!(ticking.tick())))),
        Op {
            class: EffectClass::Read,
            ..base(
                "meet",
                Box::new(move |_, args| {
                    meeting.meet(args.int("number").and_then(|count| usize::try_from(count).ok()).unwrap_or(1).max(1));
                    Ok(Value::Null)
                }),
            )
        },
    ];
    HostModule { name: "bench", doc: "A benchmark's module.", ops }
}
