//! Ops against the web application's double, over the wire.

mod care;
mod labs;

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_model::{Problem, RunId};
use windlass_sim::{
    Clock, Control, Server,
    guacamole::{BASE, Config as Behaviour, Guacamole, PASSWORD, USER},
    serve,
};

use super::{Config, module};
use crate::{owner::Organisations, passwords::Passwords, testing::Bench};

/// Makes passwords as the server does, and remembers which step made which.
#[derive(Default)]
struct Book(Mutex<BTreeMap<String, String>>);

impl Passwords for Book {
    fn make(&self, (_, key): (&RunId, &str), name: &str, _: usize, to: &[String]) -> Result<String, Problem> {
        assert!(to.iter().any(|place| place.starts_with("http://127.0.0.1:")), "{to:?}");
        let secret = format!("made/platform/{name}");
        self.0.lock().entry(secret.clone()).or_insert_with(|| key.to_owned());
        Ok(secret)
    }

    fn forget(&self, _: &RunId, name: &str, by: Option<&str>) -> Result<(), Problem> {
        self.0.lock().retain(|secret, key| !(secret.ends_with(name) && by.is_none_or(|by| by == key)));
        Ok(())
    }
}

/// Whose run it is stands before the run's first dash.
struct ByRun;

impl Organisations for ByRun {
    fn of(&self, run: &RunId) -> Result<String, Problem> {
        Ok(run.as_str().split_once('-').map_or("platform", |(organisation, _)| organisation).to_owned())
    }
}

struct World {
    bench: Bench,
    control: Control,
    web: Arc<Guacamole>,
    book: Arc<Book>,
    config: Config,
    steps: u32,
    _server: Server,
}

impl World {
    fn new() -> Self {
        Self::with(Behaviour::default(), |config| config)
    }

    fn with(behaviour: Behaviour, change: impl FnOnce(Config) -> Config) -> Self {
        let control = Control::new(Clock::fixed(1_700_000_000_000));
        let web = Arc::new(Guacamole::new(behaviour, control.clock.clone()));
        let server = serve(([127, 0, 0, 1], 0).into(), web.clone(), &control).unwrap();
        let config = change(Config {
            url: format!("{}{BASE}/", server.url()),
            user: USER.into(),
            secret: "guacamole".into(),
            organisations: vec!["acme".into()],
            ..Config::default()
        });
        let book = Arc::new(Book::default());
        let module = module(&config, &crate::web::Config::default(), Arc::new(ByRun), book.clone()).unwrap();
        let mut bench = Bench::new(module, &[]);
        for (name, value) in [
            ("guacamole", PASSWORD),
            ("vnc", "hunter2-vnc"),
            ("made/platform/guacamole/demo/ann", "made-for-ann"),
            ("made/platform/guacamole/demo/bob", "made-for-bob"),
        ] {
            bench.cx.secrets.insert(name.into(), value.into());
        }
        Self { bench, control, web, book, config, steps: 0, _server: server }
    }

    /// The next step.
    fn step(&mut self) -> String {
        self.steps += 1;
        self.bench.cx.key = format!("{}/{}", self.bench.cx.run, self.steps);
        self.bench.cx.undoes = None;
        self.bench.cx.key.clone()
    }

    fn call(&mut self, name: &str, args: Value) -> Result<Value, Problem> {
        self.step();
        self.bench.call(name, args)
    }

    /// Takes back what a step has done, by the op that its declaration names.
    fn undo(&mut self, name: &str, key: &str, args: Value) -> Result<Value, Problem> {
        use windlass_script::host::{Args, Undo};
        let op = self.bench.op(name);
        let Undo::Op { name: by, args: turn } = op.undo else { panic!("{name} has no undo") };
        let args = turn(&Args::new(op.params, args.as_array().unwrap().clone()));
        self.step();
        self.bench.cx.undoes = Some(key.to_owned());
        let undone = self.bench.call(by, Value::Array(args));
        self.bench.cx.undoes = None;
        undone
    }

    fn run_of(&mut self, organisation: &str) {
        self.bench.cx.run = format!("{organisation}-01run").as_str().into();
    }

    /// Names of what stands there.
    fn names(&self, collection: &str) -> Vec<String> {
        let field = match collection {
            "users" => "username",
            "userGroups" => "identifier",
            _ => "name",
        };
        let mut names: Vec<String> =
            self.web.objects(collection).iter().map(|object| object[field].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }
}

fn vnc(name: &str, port: u16) -> Value {
    json!({ "name": name, "protocol": "vnc",
            "parameters": { "hostname": "127.0.0.1", "port": port, "read-only": false, "password": { "$secret": "vnc" } } })
}
