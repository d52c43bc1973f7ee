//! The engine that plugins are evaluated with: it can compute, read and write formats, and ask for requests. Nothing else.

use std::{
    cell::Cell,
    collections::BTreeMap,
    sync::{Arc, OnceLock, mpsc},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rhai::{Dynamic, Engine, FuncRegistration, ImmutableString, Map, Module, Shared, packages::StandardPackage};
use serde_json::Value;
use windlass_model::{Bounds, Code, Problem};

use super::{
    machine::{Ask, Failed, HttpAsk, Message, Reply},
    opaque,
    outcome::{Fuse, Returned, refused, terminated, wrong},
    refusal::Refusal,
    tools,
};
use crate::{memory, overrides, sandbox::bare_engine};

/// A function, and with how many arguments it is called.
type Tool = (&'static str, &'static [usize]);

/// What plugins can call, by module (empty: none), with the numbers of arguments.
pub const TOOLS: &[(&str, &[Tool])] = &[
    (
        "http",
        &[
            ("get", &[1, 2]),
            ("post", &[1, 2]),
            ("put", &[1, 2]),
            ("patch", &[1, 2]),
            ("delete", &[1, 2]),
            ("head", &[1, 2]),
        ],
    ),
    ("json", &[("parse", &[1]), ("text", &[1])]),
    ("form", &[("parse", &[1]), ("text", &[1])]),
    ("xml", &[("parse", &[1]), ("all", &[2])]),
    ("domain", &[("ascii", &[1]), ("unicode", &[1]), ("split", &[1])]),
];

/// What a plugin's script may hold on the heap.
const MEMORY_BYTES: i64 = 48 << 20;
/// Operations between two looks at clock and heap.
const LOOK_EVERY: u64 = 64;
/// Longest single wait.
const WAIT: Duration = Duration::from_secs(60);
/// Bytes of JSON in a request, as the script writes it.
const REQUEST_BYTES: usize = 4 << 20;
/// Longest line in the log.
const LINE_CHARS: usize = 2_000;

/// What an evaluation may use up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub operations: u64,
    pub until: Instant,
}

/// The script's end of the line to whoever performs what it asks for.
pub(super) struct Line {
    pub asks: mpsc::Sender<Message>,
    pub replies: Mutex<mpsc::Receiver<Reply>>,
    pub fuse: Arc<Fuse>,
}

impl Line {
    fn ask(&self, ask: Ask) -> Returned<Value> {
        if self.fuse.is_blown() {
            return Err(terminated());
        }
        let sent = self.asks.send(Message::Ask(Box::new(ask))).is_ok();
        let reply = if sent { self.replies.lock().recv().ok() } else { None };
        match reply {
            Some(Ok(value)) => Ok(value),
            Some(Err(Failed::Refused(kind, reason, data))) => Err(refused(kind, &reason, &data)),
            Some(Err(Failed::Wrong(message))) => Err(wrong(message)),
            Some(Err(Failed::Ended(problem))) => {
                self.fuse.blow(*problem);
                Err(terminated())
            }
            None => {
                self.fuse.blow(Problem::new(Code::Cancelled, "the call was given up"));
                Err(terminated())
            }
        }
    }
}

thread_local! {
    static OPERATIONS: Cell<u64> = const { Cell::new(0) };
}

/// An engine for one evaluation on this thread.
pub(super) fn evaluating(line: Arc<Line>, allowance: Allowance) -> Engine {
    let mut engine = plain();
    let (base, fuse) = (memory::thread_net_bytes(), line.fuse.clone());
    OPERATIONS.set(0);
    engine.on_progress(move |_| {
        let count = OPERATIONS.get() + 1;
        OPERATIONS.set(count);
        if count > allowance.operations {
            let limit = allowance.operations;
            fuse.blow(over("operations", format!("the plugin computed more than {limit} operations")));
        } else if count.is_multiple_of(LOOK_EVERY) {
            if memory::thread_net_bytes() - base > MEMORY_BYTES {
                let limit = MEMORY_BYTES >> 20;
                fuse.blow(over("memory", format!("the plugin holds more than {limit} MiB of memory")));
            } else if Instant::now() > allowance.until {
                fuse.blow(over("seconds", "the plugin took longer than it may"));
            }
        }
        fuse.is_blown().then_some(Dynamic::UNIT)
    });
    let told = line.clone();
    engine.on_print(move |text| drop(told.ask(Ask::Log(short(text)))));
    let told = line.clone();
    engine.on_debug(move |text, _, _| drop(told.ask(Ask::Log(short(text)))));
    engine.register_global_module(asking(&line).into());
    engine.register_static_module("http", http(&line).into());
    engine
}

/// The error of a limit, which the manifest sets.
pub(super) fn over(limit: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::LimitExceeded, message)
        .help(format!("The limit is `{limit}`; the plugin's manifest sets it under [limits]."))
        .data(serde_json::json!({ "limit": limit }))
        .no_effect()
}

/// An engine that knows all functions and performs nothing: for compiling and checking.
pub(super) fn checking() -> Engine {
    let ((asks, _), (_, replies)) = (mpsc::channel(), mpsc::channel());
    let line = Arc::new(Line { asks, replies: Mutex::new(replies), fuse: Arc::default() });
    let mut engine = plain();
    engine.register_global_module(asking(&line).into());
    engine.register_static_module("http", http(&line).into());
    engine
}

fn plain() -> Engine {
    static STANDARD: OnceLock<StandardPackage> = OnceLock::new();
    static SHARED: OnceLock<BTreeMap<&str, Shared<Module>>> = OnceLock::new();
    let bounds = Bounds::default();
    let standard = STANDARD.get_or_init(StandardPackage::new);
    let mut engine = bare_engine(&bounds, standard);
    let shared = SHARED.get_or_init(|| {
        let mut computing = Module::new();
        opaque::register(&mut computing);
        let modules = [
            ("", overrides::module()),
            ("+", computing),
            ("json", tools::json()),
            ("form", tools::form()),
            ("xml", tools::xml()),
            ("domain", tools::domain()),
        ];
        let built = modules.map(|(name, mut module)| {
            module.build_index();
            (name, Shared::new(module))
        });
        BTreeMap::from(built)
    });
    for (name, module) in shared {
        match *name {
            "" | "+" => {
                engine.register_global_module(module.clone());
            }
            name => {
                engine.register_static_module(name, module.clone());
            }
        }
    }
    engine
}

fn asking(line: &Arc<Line>) -> Module {
    let mut module = Module::new();
    let global = |name: &'static str| FuncRegistration::new(name).in_global_namespace();
    global("refuse")
        .set_into_module(&mut module, |kind: &str, reason: ImmutableString| refuse(kind, &reason, Map::new()));
    global("refuse")
        .set_into_module(&mut module, |kind: &str, reason: ImmutableString, data: Map| refuse(kind, &reason, data));
    let told = line.clone();
    global("log").set_into_module(&mut module, move |text: ImmutableString| -> Returned<()> {
        told.ask(Ask::Log(short(&text))).map(drop)
    });
    let waiting = line.clone();
    global("wait").set_into_module(&mut module, move |seconds: i64| -> Returned<()> {
        let time = Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).min(WAIT);
        waiting.ask(Ask::Wait(time)).map(drop)
    });
    // The standard package's own would block the thread.
    global("sleep").set_into_module(&mut module, |_: i64| -> Returned<()> { Err(wrong("use `wait(seconds)`")) });
    global("sleep").set_into_module(&mut module, |_: f64| -> Returned<()> { Err(wrong("use `wait(seconds)`")) });
    module
}

fn refuse(kind: &str, reason: &str, data: Map) -> Returned<()> {
    let known = Refusal::parse(kind).ok_or_else(|| {
        let all: Vec<&str> = Refusal::ALL.iter().map(|kind| kind.as_str()).collect();
        wrong(format!("`{kind}` is no kind of refusal; they are {}", all.join(", ")))
    })?;
    Err(refused(known, reason, &crate::canonical::lossy(&data.into())))
}

fn short(text: &str) -> String {
    text.chars().take(LINE_CHARS).collect()
}

fn http(line: &Arc<Line>) -> Module {
    let mut module = Module::new();
    for (name, method) in
        [("get", "GET"), ("post", "POST"), ("put", "PUT"), ("patch", "PATCH"), ("delete", "DELETE"), ("head", "HEAD")]
    {
        let plain = line.clone();
        FuncRegistration::new(name)
            .set_into_module(&mut module, move |url: Dynamic| send(&plain, method, &url, Map::new()));
        let with = line.clone();
        FuncRegistration::new(name)
            .set_into_module(&mut module, move |url: Dynamic, opts: Map| send(&with, method, &url, opts));
    }
    module
}

fn send(line: &Line, method: &'static str, url: &Dynamic, mut opts: Map) -> Returned {
    let url = url
        .as_immutable_string_ref()
        .map(|url| url.to_string())
        .map_err(|_| wrong("a URL is plain text: credentials go into `headers`, `query`, `form`, `json` or `body`"))?;
    let mut map = |name: &str| match opts.remove(name) {
        None => Ok(Map::new()),
        Some(value) => value.try_cast::<Map>().ok_or_else(|| wrong(format!("`{name}` has to be a map"))),
    };
    let (headers, query) = (opaque::pairs(&map("headers")?)?, opaque::pairs(&map("query")?)?);
    let form = opts.remove("form").map(|form| match form.try_cast::<Map>() {
        Some(form) => opaque::pairs(&form),
        None => Err(wrong("`form` has to be a map")),
    });
    let mut left = REQUEST_BYTES;
    let json = opts.remove("json").map(|json| opaque::tree(&json, 0, &mut left));
    let body = opts.remove("body").map(|body| opaque::expr(&body));
    let expect = match opts.remove("expect") {
        None => Vec::new(),
        Some(list) => {
            let list = list.into_typed_array::<i64>().map_err(|_| wrong("`expect` has to be a list of statuses"))?;
            list.into_iter().filter_map(|status| u16::try_from(status).ok()).collect()
        }
    };
    if let Some((name, _)) = opts.iter().next() {
        return Err(wrong(format!("`{name}` is no option; they are headers, query, form, json, body, expect")));
    }
    let ask = HttpAsk {
        method,
        url,
        headers,
        query,
        form: form.transpose()?,
        json: json.transpose()?,
        body: body.transpose()?,
        expect,
    };
    let answer = line.ask(Ask::Http(Box::new(ask)))?;
    crate::canonical::parse(&answer.to_string()).map_err(|problem| wrong(problem.message))
}
