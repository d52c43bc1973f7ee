//! A server in this process, on a port of its own, with a small world behind it and people who may various things.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_api::{
    Api, ApiConfig, Role,
    auth::{
        Auth, AuthConfig,
        binding::Binding,
        kept::{By, Kept, Organisation, OrganisationBody, UserBody},
        tokens::{self, NewToken},
        users,
    },
    server::{Server, ServerConfig},
    services::{Author, Checked, Plugin, Scripts, Secrets},
};
use windlass_engine::Engine;
use windlass_model::{Code, Problem, document::Expected, journal::Pinned};
use windlass_tests::World;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with its world.
pub struct House {
    pub world: World,
    pub address: SocketAddr,
    pub secrets: Arc<InMemory>,
    admin: String,
    stop: tokio::sync::watch::Sender<bool>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// Secrets in memory.
#[derive(Default)]
pub struct InMemory(pub Mutex<Vec<(String, String, Vec<String>)>>);

impl Secrets for InMemory {
    fn put(&self, through: &Engine, name: &str, value: &str, destinations: &[String]) -> Result<(), Problem> {
        through.put_secret(name, Vec::new(), "{}".into())?;
        let mut all = self.0.lock();
        all.retain(|(known, ..)| known != name);
        all.push((name.into(), value.into(), destinations.to_vec()));
        Ok(())
    }

    fn list(&self) -> Result<Vec<Value>, Problem> {
        Ok(self.0.lock().iter().map(|(name, _, to)| json!({ "name": name, "kept": "database", "to": to })).collect())
    }

    fn delete(&self, through: &Engine, name: &str) -> Result<(), Problem> {
        through.delete_secret(name)?;
        self.0.lock().retain(|(known, ..)| known != name);
        Ok(())
    }

    fn removing(&self, work: &mut dyn FnMut() -> Result<(), Problem>) -> Result<(), Problem> {
        work()
    }

    fn seal(&self, context: &str, plain: &str) -> Result<String, Problem> {
        Ok(format!("{context}|{plain}"))
    }

    fn unseal(&self, context: &str, sealed: &str) -> Result<String, Problem> {
        let plain = sealed.strip_prefix(context).and_then(|rest| rest.strip_prefix('|'));
        plain.map(str::to_owned).ok_or_else(|| Problem::new(Code::Storage, "sealed for something else"))
    }

    fn scrub(&self, _: &str, text: &str) -> String {
        text.to_owned()
    }
}

/// These tests ask nothing of workflows.
struct NoScripts;

fn unasked<T>() -> Result<T, Problem> {
    Err(Problem::new(Code::Unsupported, "these tests ask nothing of workflows"))
}

impl Scripts for NoScripts {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn header(&self, _: &str) -> Result<windlass_model::Workflow, Problem> {
        unasked()
    }

    fn bundle(&self, _: &str) -> Result<windlass_model::Bundle, Problem> {
        unasked()
    }

    fn digest(&self, _: &str) -> Result<String, Problem> {
        unasked()
    }

    fn check(&self, _: &str, _: Option<&str>) -> Result<Checked, Problem> {
        unasked()
    }

    fn words(&self, grant: &str) -> String {
        grant.to_owned()
    }

    fn refused(&self, _: &str, _: &[String]) -> Vec<String> {
        Vec::new()
    }

    fn definitions(&self) -> Value {
        Value::Null
    }

    fn rehearse(&self, _: &str, _: Option<&str>, _: Value, _: &str) -> Result<Value, Problem> {
        unasked()
    }

    fn widened(&self, _: &str, _: &str) -> Result<Vec<String>, Problem> {
        unasked()
    }

    fn file(&self, _: &str) -> Result<Option<String>, Problem> {
        unasked()
    }

    fn scenarios(&self, _: &str) -> Result<Option<String>, Problem> {
        unasked()
    }

    fn modules(&self) -> Vec<String> {
        Vec::new()
    }

    fn run_scenarios(&self, _: &str, _: Option<&str>, _: Option<&str>) -> Result<Vec<Value>, Problem> {
        unasked()
    }

    fn save_scenarios(&self, _: &str, _: &str, _: Option<&str>) -> Result<Option<String>, Problem> {
        unasked()
    }

    fn version(&self, _: &str) -> Option<i64> {
        None
    }

    fn problem(&self, _: &str) -> Option<Problem> {
        None
    }

    fn source_digest(&self, _: &str) -> String {
        String::new()
    }

    fn source_of(&self, _: &str, _: i64) -> Result<String, Problem> {
        unasked()
    }

    fn save(&self, _: &str, _: &str, _: Option<&str>, _: &Author) -> Result<(), Problem> {
        unasked()
    }

    fn save_all(&self, _: &BTreeMap<String, String>, _: &Author) -> Result<Vec<String>, Problem> {
        unasked()
    }

    fn remove(&self, _: &str, _: Option<&str>, _: &Author) -> Result<(), Problem> {
        unasked()
    }

    fn judged(&self, _: &str, _: i64) -> Result<(Pinned, Vec<String>), Problem> {
        unasked()
    }

    fn plugins(&self) -> Vec<Plugin> {
        Vec::new()
    }

    fn plugin(&self, _: &str) -> Option<Plugin> {
        None
    }

    fn activate_plugin(&self, _: &str, _: i64, _: &Author) -> Result<Vec<String>, Problem> {
        unasked()
    }

    fn plugin_standing(&self, _: &str, _: &str) -> Result<Value, Problem> {
        unasked()
    }

    fn approve_plugin(
        &self,
        _: &dyn Fn(Value, Value) -> windlass_engine::Engine,
        _: (&str, &str, &str),
        _: &Author,
    ) -> Result<Value, Problem> {
        unasked()
    }

    fn disable_plugin(
        &self,
        _: &dyn Fn(Value, Value) -> windlass_engine::Engine,
        _: (&str, &str),
        _: &Author,
    ) -> Result<Value, Problem> {
        unasked()
    }

    fn activate(&self, _: &str, _: i64, _: &Author) -> Result<(), Problem> {
        unasked()
    }
}

impl House {
    /// Opens it: an admin called `root`, the organisations `acme` and `zeta`.
    pub fn open() -> Self {
        Self::of(World::new())
    }

    /// Opens it with this world behind it.
    pub fn of(world: World) -> Self {
        let engine = world.engine();
        users::ensure_admin(&engine, "root", Some("correct horse battery staple")).unwrap();
        for name in ["acme", "zeta"] {
            let body = OrganisationBody { title: name.into(), ..OrganisationBody::default() };
            let organisation: Organisation = Kept::new(name, name, body);
            engine.change(vec![organisation.put_expecting(Expected::Absent).unwrap()]).unwrap();
        }
        let secrets = Arc::new(InMemory::default());
        let auth = Auth::new(AuthConfig::default(), secrets.clone());
        let api = Arc::new(Api::new(engine, ApiConfig::default(), Arc::new(NoScripts), secrets.clone(), auth));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let config = ServerConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            trusted_proxies: Vec::new(),
            forwarding: windlass_api::Forwarding::default(),
            proxy_protocol: false,
            connections: 1_000,
            head_timeout: PATIENCE,
            head_bytes: 64 << 10,
            grace: Duration::from_secs(1),
            ..ServerConfig::default()
        };
        let server = Server::bind(config, api, Arc::new(windlass_api::routes()));
        let server = runtime.block_on(server).unwrap();
        let address = server.address();
        runtime.spawn(server.serve(stopped));
        let mut house = Self { world, address, secrets, admin: String::new(), stop, runtime: Some(runtime) };
        house.admin = house.token("root", "admin");
        house
    }

    /// A user with one role in an organisation, and in a folder there; a token of theirs.
    pub fn person(&self, name: &str, role: Role, organisation: &str, folder: &str) -> String {
        let binding = Binding { folder: folder.into(), ..Binding::new(role, organisation) };
        let body = UserBody { title: name.into(), bindings: vec![binding], ..UserBody::default() };
        let by = By { actor: "test".into(), source: "test".into() };
        let home = if organisation == "*" { "platform" } else { organisation };
        users::create(&self.world.engine(), &by, name, home, body).unwrap();
        self.token(name, "main")
    }

    /// Another token of a user.
    pub fn token(&self, user: &str, name: &str) -> String {
        let new = NewToken { name: name.into(), user: user.into(), bindings: Vec::new(), expires_at_ms: None };
        tokens::issue(&self.world.engine(), new).unwrap().token
    }

    /// Asks as the admin.
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &self.admin, &[], None)
    }

    /// Sends as the admin.
    pub fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, &self.admin, &[], Some(body))
    }

    /// Asks as somebody.
    pub fn get_as(&self, token: &str, path: &str) -> Answer {
        self.ask("GET", path, token, &[], None)
    }

    /// Sends as somebody.
    pub fn post_as(&self, token: &str, path: &str, body: Value) -> Answer {
        self.ask("POST", path, token, &[], Some(body))
    }

    /// The admin's token.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// Asks anything. Paths are below `/api/v1`.
    pub fn ask(&self, method: &str, path: &str, token: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        Wire::to(self.address).ask(method, path, token, headers, body)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// Its body as JSON; the status has to be this.
    #[track_caller]
    pub fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Its problem's code; the status has to be this.
    #[track_caller]
    pub fn code(&self, status: u16) -> String {
        let problem = self.json(status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        problem["code"].as_str().unwrap().to_owned()
    }

    /// A header, empty if it isn't there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// A connection that is kept open.
pub struct Wire {
    stream: BufReader<TcpStream>,
}

impl Wire {
    pub fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    pub fn ask(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let body = body.map(|body| body.to_string());
        let mut head = format!("{method} /api/v1{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &body {
            head.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
        }
        let text = format!("{head}\r\n{}", body.unwrap_or_default());
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
        self.answer()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn answer(&mut self) -> Answer {
        let status = self.line().split(' ').nth(1).expect("a status line").parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length = answer.header("content-length").parse().unwrap_or(0);
        answer.body.resize(length, 0);
        self.stream.read_exact(&mut answer.body).unwrap();
        answer
    }
}
