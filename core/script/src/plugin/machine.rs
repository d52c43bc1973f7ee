//! Calls a function of a plugin: on a thread of its own, with an engine of its own. What the script asks for comes back to
//! the caller's thread, one thing at a time.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rhai::{AST, CallFnOptions, Dynamic, Map, Scope};
use serde_json::Value;
use windlass_model::{Code, Problem};

use super::{
    check,
    engine::{self, Allowance, Line, over},
    opaque::{Expr, Load, Opaque, Tree},
    outcome::{self, Fuse, Returned, wrong},
    refusal::Refusal,
};
use crate::{
    canonical::{self, Secrets},
    sandbox::STACK_BYTES,
};

/// How often the caller looks whether it is told to stop.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a thread that was told to end gets for it.
const GRACE: Duration = Duration::from_secs(5);
/// What a function may return.
const RESULT_BYTES: usize = 1 << 20;

/// A plugin's script, compiled.
pub struct Program {
    name: String,
    ast: AST,
}

impl Program {
    /// Compiles and checks the script of plugin `name`; `capabilities` are the functions that it has to have.
    pub fn new(name: &str, source: &str, capabilities: &[String]) -> Result<Self, Problem> {
        let ast = check::compile(name, source, capabilities)?;
        Ok(Self { name: name.to_owned(), ast })
    }

    /// Names of its functions.
    pub fn functions(&self) -> Vec<String> {
        self.ast.iter_functions().map(|function| function.name.to_owned()).collect()
    }
}

/// What a plugin is given in a credential's place.
#[derive(Clone, Debug)]
pub enum Credential {
    /// Text that it may read.
    Plain(String),
    /// Something that it may only put into requests.
    Secret,
}

/// A call of one function.
pub struct Call<'a> {
    /// The function.
    pub function: &'a str,
    /// What it is told, besides the credentials.
    pub request: &'a Value,
    /// The credentials' fields.
    pub credentials: &'a BTreeMap<String, Credential>,
    /// Operations that it may compute.
    pub operations: u64,
    /// How long it may take, waiting included.
    pub time: Duration,
}

/// Something that a script asks for.
#[derive(Debug)]
pub enum Ask {
    /// A request.
    Http(Box<HttpAsk>),
    /// Time.
    Wait(Duration),
    /// A line in the log.
    Log(String),
}

/// A request as a script wrote it.
#[derive(Debug)]
pub struct HttpAsk {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// Where to.
    pub url: String,
    /// Headers.
    pub headers: BTreeMap<String, Arc<Expr>>,
    /// Added to the URL's query.
    pub query: BTreeMap<String, Arc<Expr>>,
    /// A form for the body.
    pub form: Option<BTreeMap<String, Arc<Expr>>>,
    /// JSON for the body.
    pub json: Option<Tree>,
    /// The body as it is.
    pub body: Option<Arc<Expr>>,
    /// Statuses that the script looks at itself.
    pub expect: Vec<u16>,
}

impl HttpAsk {
    /// What working all of it out takes, at most: known before any credential is looked at.
    pub fn load(&self) -> Load {
        let maps = [Some(&self.headers), Some(&self.query), self.form.as_ref()];
        let exprs = maps.into_iter().flatten().flat_map(BTreeMap::values).chain(&self.body);
        exprs.map(|expr| expr.load()).chain(self.json.as_ref().map(Tree::load)).sum()
    }
}

/// Why something that was asked for isn't done.
#[derive(Debug)]
pub enum Failed {
    /// The provider refused; the script may catch it.
    Refused(Refusal, String, Value),
    /// A mistake of the script; it may catch it.
    Wrong(String),
    /// The call is over, whatever the script does.
    Ended(Box<Problem>),
}

/// The answer to what was asked.
pub type Reply = Result<Value, Failed>;

pub(super) enum Message {
    Ask(Box<Ask>),
    Done(Result<String, Problem>),
}

/// Calls the function, and serves what it asks for until it has ended.
pub fn call(
    program: &Arc<Program>,
    call: &Call<'_>,
    stopped: &dyn Fn() -> bool,
    serve: &mut dyn FnMut(Ask) -> Reply,
) -> Result<Value, Problem> {
    let (asks, heard) = mpsc::channel();
    let (reply, replies) = mpsc::channel();
    let fuse = Arc::new(Fuse::default());
    let line = Arc::new(Line { asks: asks.clone(), replies: Mutex::new(replies), fuse: fuse.clone() });
    let allowance = Allowance { operations: call.operations, until: Instant::now() + call.time };
    let work = Work {
        program: program.clone(),
        function: call.function.to_owned(),
        request: call.request.to_string(),
        credentials: call.credentials.clone(),
    };
    let evaluate = move || {
        let caught = std::panic::catch_unwind(AssertUnwindSafe(|| work.evaluate(line, allowance)));
        // Nobody listens any more if the caller has given up.
        let _ = asks.send(Message::Done(caught.unwrap_or_else(|panic| Err(crate::throw::of_panic(panic.as_ref())))));
    };
    std::thread::Builder::new()
        .name("plugin".into())
        .stack_size(STACK_BYTES)
        .spawn(evaluate)
        .map_err(|error| Problem::new(Code::System, format!("no thread for a plugin: {error}")).no_effect())?;
    let result = listen(&heard, &reply, &fuse, allowance.until, stopped, serve);
    // The script may have swallowed the reason: it counts all the same.
    if let Some(why) = fuse.why() {
        return Err(why);
    }
    let text = result?;
    serde_json::from_str(&text).map_err(|error| Problem::new(Code::Internal, error.to_string()))
}

fn listen(
    heard: &mpsc::Receiver<Message>,
    reply: &mpsc::Sender<Reply>,
    fuse: &Fuse,
    until: Instant,
    stopped: &dyn Fn() -> bool,
    serve: &mut dyn FnMut(Ask) -> Reply,
) -> Result<String, Problem> {
    let mut given_up: Option<Instant> = None;
    loop {
        match heard.recv_timeout(LOOK_EVERY) {
            Ok(Message::Done(result)) => return result,
            Ok(Message::Ask(ask)) => {
                let answer = serve(*ask);
                if reply.send(answer).is_err() {
                    return Err(Problem::new(Code::Internal, "a plugin's thread is gone"));
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(Problem::new(Code::Internal, "a plugin's thread is gone"));
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        if stopped() {
            fuse.blow(Problem::new(Code::Cancelled, "the run was told to stop while a plugin was at work"));
        } else if Instant::now() > until {
            fuse.blow(over("seconds", "the plugin took longer than it may"));
        }
        if fuse.is_blown() && given_up.get_or_insert_with(Instant::now).elapsed() > GRACE {
            return Err(Problem::new(Code::LimitExceeded, "a plugin that was told to end didn't"));
        }
    }
}

struct Work {
    program: Arc<Program>,
    function: String,
    request: String,
    credentials: BTreeMap<String, Credential>,
}

impl Work {
    fn evaluate(self, line: Arc<Line>, allowance: Allowance) -> Result<String, Problem> {
        let engine = engine::evaluating(line, allowance);
        let body = || -> Returned<String> {
            let request = canonical::parse(&self.request).map_err(|problem| wrong(problem.message))?;
            let mut request = request.try_cast::<Map>().unwrap_or_default();
            let credentials = self.credentials.iter().map(|(name, credential)| {
                let value = match credential {
                    Credential::Plain(text) => Dynamic::from(text.clone()),
                    Credential::Secret => Dynamic::from(Opaque(Arc::new(Expr::field(name)))),
                };
                (name.as_str().into(), value)
            });
            request.insert("credentials".into(), credentials.collect::<Map>().into());
            let (options, ast) = (CallFnOptions::new(), &self.program.ast);
            let function = self.function.as_str();
            let value =
                engine.call_fn_with_options::<Dynamic>(options, &mut Scope::new(), ast, function, (request,))?;
            canonical::text(&value, Secrets::Refused, RESULT_BYTES)
                .map_err(|problem| wrong(format!("what `{function}` returns can't be kept: {}", problem.message)))
        };
        body().map_err(|error| outcome::problem(&self.program.name, &error))
    }
}
