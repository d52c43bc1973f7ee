//! Each plugin of `hostile/` is refused, for its own reason; and where the guard is taken away, it gets through.

use std::{
    io,
    net::IpAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};
use windlass_hosts::{
    registrar::{Config, Office, Source, module_with},
    web::{self, Found, Lookup},
};
use windlass_model::Problem;
use windlass_script::{
    host::{Args, testing::TestCx},
    plugin::Manifest,
};
use windlass_sim::{Response, Server};

use super::Approved;

const KEY: &str = "hunter2-and-more/ü";
const MANIFEST: &str = "id = \"hostile\"\nversion = \"1.0.0\"\napi = 1\nauthor = \"Eve\"\ncapabilities = [\"validate\"]\n\
    [credentials.key]\nlabel = \"Key\"\nsecret = true\n\
    [[hosts]]\nhost = \"api.registrar.example\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/v1/*\"]\n\
    [[hosts]]\nhost = \"rebind.registrar.example\"\nmethods = [\"GET\"]\npaths = [\"/v1/*\"]\n\
    [limits]\nseconds = 20\ncalls = 5\nbytes = 200000\noperations = 200000\nrequests_per_minute = 600\n";

/// Files of the corpus, the code that they are refused with, and words of the reason.
const CORPUS: &[(&str, &str, &str)] = &[
    ("undeclared-host", "permission_denied", "may not send GET to https://evil.example/steal"),
    ("undeclared-method", "permission_denied", "may not send DELETE"),
    ("undeclared-path", "permission_denied", "https://api.registrar.example/admin"),
    ("encoded-path", "script_error", "climbs up"),
    ("plain-http", "permission_denied", "may not send GET to http://api.registrar.example"),
    ("redirect-to-metadata", "permission_denied", "http://169.254.169.254/latest/meta-data/"),
    ("redirect-elsewhere", "permission_denied", "https://evil.example/"),
    ("metadata-address", "permission_denied", "may not send GET to https://169.254.169.254"),
    ("dns-rebinding", "permission_denied", "127.0.0.1 is loopback"),
    ("secret-in-path", "script_error", "a URL is plain text"),
    ("secret-in-query-elsewhere", "permission_denied", "may not send GET to https://evil.example"),
    ("secret-in-error", "registrar_refused", "[secret"),
    ("secret-in-log", "script_error", "log"),
    ("secret-by-comparison", "script_error", "can't be compared"),
    ("secret-by-length", "script_error", "len"),
    ("secret-by-size", "secret_misuse", "can't be sent in this place"),
    ("giant-answer", "limit_exceeded", "more than 200000 bytes"),
    ("endless-loop", "limit_exceeded", "200000 operations"),
    ("endless-requests", "limit_exceeded", "more than 5 requests"),
    ("memory", "limit_exceeded", ""),
    ("giant-expression", "script_error", "computed from a credential grew too large"),
    ("giant-request", "script_error", "what a request is computed from grew too large"),
    ("many-derived", "limit_exceeded", "computes more from credentials"),
    ("deep-answer", "unavailable", "isn't XML"),
    ("cookie-theft", "script_error", "cookies are kept"),
    ("other-module", "workflow_invalid", "Undefined module: exec"),
    ("import", "workflow_invalid", "import"),
];

/// A name server that lets every name lead inside the house, and counts who asks.
struct Inside(AtomicUsize);

impl Lookup for Inside {
    fn lookup(&self, _: String) -> Found {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok::<Vec<IpAddr>, io::Error>(vec![[127, 0, 0, 1].into()]) })
    }
}

fn registrar() -> Server {
    Server::start(([127, 0, 0, 1], 0).into(), |request| async move {
        match request.path.as_str() {
            "/v1/redirect/metadata" => {
                Response::empty(302).header("location", "http://169.254.169.254/latest/meta-data/")
            }
            "/v1/redirect/elsewhere" => Response::empty(302).header("location", "https://evil.example/"),
            "/v1/redirect/cookie" => {
                Response::empty(302).header("location", "https://other.registrar.example/v1/cookie")
            }
            "/v1/cookie" => Response::json(200, &json!({})).header("set-cookie", "session=of-the-other; path=/"),
            "/v1/giant" => Response::text(200, "x".repeat(8 << 20)),
            "/v1/echo" => {
                let header = |name: &str| request.header(name).map(str::to_owned).unwrap_or_default();
                let heard: Vec<String> = ["x-key", "x-base64", "x-encoded", "x-hash"].map(header).into();
                let raw =
                    request.headers.get("x-key").map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
                let body = String::from_utf8_lossy(&request.body).into_owned();
                Response::json(
                    200,
                    &json!({ "heard": heard, "raw": raw, "body": body,
                    "cookie": request.header("cookie").is_some() }),
                )
                .header("x-echo", heard.join("|"))
            }
            _ => Response::json(200, &json!({ "ok": true })),
        }
    })
    .unwrap()
}

/// Calls `validate` of a hostile plugin: with this manifest, and these addresses allowed.
fn call(file: &str, manifest: &str, allowed: &[&str], lookup: Arc<Inside>) -> Result<Value, Problem> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("plugins/hostile/{file}.rhai"));
    let source = Source {
        name: "registrars/hostile".into(),
        digest: file.into(),
        manifest: Manifest::read("registrars/hostile", manifest).unwrap(),
        script: std::fs::read_to_string(path).unwrap(),
        fixtures: Default::default(),
    };
    let server = registrar();
    let endpoints = ["api.registrar.example", "other.registrar.example"];
    let endpoints = endpoints.map(|host| (host.to_owned(), server.url())).into();
    let http =
        web::Config { allow_addresses: allowed.iter().map(ToString::to_string).collect(), ..web::Config::default() };
    let office = Arc::new(Office::new(&Config { endpoints, ..Config::default() }, &http, lookup).unwrap());
    let module = module_with(office, Approved::of(source));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut cx = TestCx::new(&[]);
    cx.timeout = std::time::Duration::from_secs(60);
    cx.secrets.insert("key".into(), KEY.into());
    let op = module.ops.iter().find(|op| op.name == "validate").unwrap();
    let account = json!({ "plugin": "hostile", "credentials": { "key": { "$secret": "key" } } });
    (op.run)(&cx.on(&runtime), &Args::new(op.params, vec![account]))
}

fn refused(file: &str) -> Problem {
    call(file, MANIFEST, &[], Arc::new(Inside(AtomicUsize::new(0))))
        .err()
        .unwrap_or_else(|| panic!("{file} got through"))
}

#[test]
fn each_hostile_plugin_is_refused_with_its_reason() {
    let mut complaints = Vec::new();
    for (file, code, words) in CORPUS {
        let problem = refused(file);
        let shown = format!("{problem:?}");
        if problem.code.as_str() != *code || !problem.message.contains(words) {
            complaints.push(format!("{file}: {}: {}", problem.code, problem.message));
        }
        if shown.contains("hunter2") {
            complaints.push(format!("{file} gives the key away: {shown}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/hostile");
    let files = std::fs::read_dir(folder).unwrap().count();
    assert_eq!(files, CORPUS.len() + 2, "every file of the corpus is run");
}

#[test]
fn what_comes_back_holds_no_credential() {
    let result = call("secret-in-result", MANIFEST, &[], Arc::new(Inside(AtomicUsize::new(0)))).unwrap().to_string();
    let hash = "sha1";
    assert!(result.contains("[secret") && !result.contains("hunter2") && !result.contains(hash), "{result}");
}

#[test]
fn a_cookie_goes_back_to_the_host_that_has_set_it_and_to_no_other() {
    let hosts = MANIFEST.replace(
        "[limits]",
        "[[hosts]]\nhost = \"other.registrar.example\"\nmethods = [\"GET\"]\npaths = [\"/v1/*\"]\n[limits]",
    );
    let told = call("redirect-cookie", &hosts, &[], Arc::new(Inside(AtomicUsize::new(0)))).unwrap();
    assert_eq!(told["account"], json!({ "first": false, "other": true }));
}

#[test]
fn nobody_is_asked_about_a_name_that_is_not_declared() {
    let names = Arc::new(Inside(AtomicUsize::new(0)));
    call("undeclared-host", MANIFEST, &[], names.clone()).unwrap_err();
    call("secret-in-query-elsewhere", MANIFEST, &[], names.clone()).unwrap_err();
    assert_eq!(names.0.load(Ordering::SeqCst), 0, "not even a name server hears of it");
    call("dns-rebinding", MANIFEST, &[], names.clone()).unwrap_err();
    assert_eq!(names.0.load(Ordering::SeqCst), 1, "a name is looked up once for a connection");
}

#[test]
fn without_the_guard_they_get_through() {
    let names = || Arc::new(Inside(AtomicUsize::new(0)));
    // Declared, the method is allowed: it was the declaration that stood in the way.
    let wide = MANIFEST.replace("\"GET\", \"POST\"", "\"GET\", \"POST\", \"DELETE\"");
    assert!(call("undeclared-method", &wide, &[], names()).is_ok());
    // With the house's addresses allowed, a name that leads there is connected to: nobody speaks TLS there.
    let problem = call("dns-rebinding", MANIFEST, &["127.0.0.1"], names());
    assert_eq!(problem.unwrap()["account"], "it went on", "the failure is one that a plugin may catch");
    // More calls than it may send are a matter of the limit alone.
    let problem = call("endless-requests", &MANIFEST.replace("calls = 5", "calls = 50"), &[], names()).unwrap_err();
    assert!(problem.message.contains("more than 50 requests") || problem.message.contains("operations"), "{problem}");
}
