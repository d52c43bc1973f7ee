//! A sandbox with a module `t` whose ops count and fail on demand.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_model::{
    Bounds, Code, EffectClass, Problem, RetryPolicy,
    journal::{Ending, Runner},
};
use zeroize::Zeroizing;

use crate::{
    Held, Policy, STACK_BYTES, Sandbox, SandboxConfig, SecretPolicy, SecretSource,
    host::{Args, HostModule, Kind, Op, Param, Permission, Rehearse, Undo, no_resources},
    testing::{self, MemoryJournal},
};

#[derive(Default)]
pub struct Secrets {
    /// What `all` gives.
    pub held: Mutex<Vec<String>>,
}

impl SecretSource for Secrets {
    fn get(&self, name: &str) -> Result<Zeroizing<String>, Problem> {
        let value = if self.is_foreign(name) { "server_type of somebody's choice" } else { "hunter2-is-my-password" };
        Ok(Zeroizing::new(value.into()))
    }

    fn is_foreign(&self, name: &str) -> bool {
        name.starts_with("foreign/")
    }

    fn policy(&self, _: &str) -> Result<SecretPolicy, Problem> {
        Ok(SecretPolicy { destinations: vec!["https://ok*".into()] })
    }

    fn all(&self) -> Vec<Held> {
        let of = |value: &String| Held { owner: "platform".into(), value: Zeroizing::new(value.clone()) };
        self.held.lock().iter().map(of).collect()
    }
}

pub fn op(name: &'static str, params: &'static [Param], run: crate::host::Effect) -> Op {
    Op {
        name,
        doc: "For tests.",
        params,
        returns: "any",
        permission: Permission::Free,
        class: EffectClass::Idempotent,
        undo: Undo::None("for tests"),
        resources: no_resources,
        timeout_ms: 1_000,
        retry: RetryPolicy { attempts: 3, first_delay_ms: 1, max_delay_ms: 1 },
        rehearse: Rehearse::Backend,
        example: "",
        run,
        lookup: None,
    }
}

const NAME: &[Param] = &[Param::required("name", Kind::String, "a name")];
const VALUE: &[Param] = &[Param::required("value", Kind::Any, "a value")];
const TOKEN: &[Param] =
    &[Param::required("token", Kind::Secret, "a token"), Param::required("to", Kind::String, "where")];

fn scope(args: &Args) -> Vec<String> {
    vec![args.str("name").to_owned()]
}

/// A module whose ops count in `count`.
pub fn module(count: Arc<AtomicU32>) -> HostModule {
    let counting = |count: &Arc<AtomicU32>| {
        let count = count.clone();
        move || count.fetch_add(1, Ordering::SeqCst) + 1
    };
    let (effect, flaky, made, deleted) = (counting(&count), counting(&count), counting(&count), counting(&count));
    let half = counting(&count);
    let mut make = op(
        "make",
        NAME,
        Box::new(move |_, args| {
            made();
            Ok(json!({ "name": args.str("name") }))
        }),
    );
    make.permission = Permission::Needs { verb: "t.write", scope, words: "make things called" };
    make.undo = Undo::Op { name: "delete", args: |args| vec![json!(args.str("name"))] };
    HostModule {
        name: "t",
        doc: "For tests.",
        ops: vec![
            op("effect", &[], Box::new(move |_, _| Ok(json!(effect())))),
            op("echo", VALUE, Box::new(|_, args| Ok(args.get("value").clone()))),
            op(
                "flaky",
                &[],
                Box::new(move |_, _| match flaky() {
                    1 | 2 => Err(Problem::new(Code::Unavailable, "not yet").retryable()),
                    attempt => Ok(json!(attempt)),
                }),
            ),
            op("broken", &[], Box::new(|_, _| Err(Problem::new(Code::System, "it broke").help("mend it")))),
            op("panics", &[], Box::new(|_, _| panic!("oh no"))),
            make,
            op(
                "delete",
                NAME,
                Box::new(move |_, args| {
                    deleted();
                    if args.str("name") == "stuck" {
                        Err(Problem::new(Code::System, "it won't go"))
                    } else {
                        Ok(Value::Null)
                    }
                }),
            ),
            op(
                "post",
                TOKEN,
                Box::new(|cx, args| {
                    let token = cx.reveal(args.get("token"), args.str("to"))?;
                    Ok(json!({ "sent": format!("Authorization: {}", token.as_str()), "length": token.len() }))
                }),
            ),
            op(
                "half",
                VALUE,
                Box::new(move |_, args| match *args.get("value") == half() {
                    true => Err(Problem::new(Code::Conflict, "it is refused").no_effect()),
                    false => Err(Problem::new(Code::Unavailable, "the connection broke").retryable()),
                }),
            ),
        ],
    }
}

pub struct Fixture {
    pub sandbox: Sandbox,
    pub journal: Arc<MemoryJournal>,
    pub count: Arc<AtomicU32>,
    pub secrets: Arc<Secrets>,
    _runtime: tokio::runtime::Runtime,
}

impl Fixture {
    pub fn new() -> Self {
        Self::with_bounds(Bounds::default())
    }

    pub fn with_bounds(bounds: Bounds) -> Self {
        Self::made_of(bounds, Secrets::default())
    }

    /// With a store that holds these values.
    pub fn holding(values: &[&str]) -> Self {
        let held = Mutex::new(values.iter().map(ToString::to_string).collect());
        Self::made_of(Bounds::default(), Secrets { held })
    }

    fn made_of(bounds: Bounds, secrets: Secrets) -> Self {
        let secrets = Arc::new(secrets);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let count = Arc::new(AtomicU32::new(0));
        let sandbox = Sandbox::new(SandboxConfig {
            bounds,
            modules: vec![module(count.clone())],
            secrets: secrets.clone(),
            policy: Policy::allow_all(),
            runtime: runtime.handle().clone(),
            instance: "test".into(),
            rehearsal: false,
            interceptor: None,
        });
        Self { sandbox, journal: MemoryJournal::new(), count, secrets, _runtime: runtime }
    }

    /// The same process, with another run's journal.
    pub fn for_another_run(self) -> Self {
        Self { journal: MemoryJournal::new(), ..self }
    }

    pub fn effects(&self) -> u32 {
        self.count.load(Ordering::SeqCst)
    }

    /// Evaluates a body with every grant.
    pub fn run(&self, body: &str) -> Ending {
        self.run_source(&testing::source(&["*:*"], body))
    }

    pub fn run_source(&self, source: &str) -> Ending {
        let job = testing::job(source);
        on_stack(|| self.sandbox.evaluate(&job, self.journal.clone()))
    }

    /// Works off what the journal has registered, last first.
    pub fn roll_back(&self, source: &str) -> Ending {
        let mut job = testing::job(source);
        job.undo = self.journal.undo.lock().iter().rev().cloned().collect();
        on_stack(|| self.sandbox.roll_back(&job, self.journal.clone()))
    }

    pub fn returned(&self, body: &str) -> Value {
        match self.run(body) {
            Ending::Returned(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}\n{body}"),
        }
    }

    pub fn problem(&self, body: &str) -> Problem {
        match self.run(body) {
            Ending::Failed(problem) => *problem,
            other => panic!("{other:?}\n{body}"),
        }
    }
}

pub fn on_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}
