//! Log-in through a certified OpenID provider that runs here: `tests/tools/oidc`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::json;
use windlass_tests::{Answer, ApiServer, Process, free_port, has_program, skip};

use super::people;

fn tool() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/oidc")
}

/// A browser, as far as the way to a provider and back needs one: it follows redirects and keeps cookies of each side.
struct Browser {
    client: reqwest::blocking::Client,
    cookies: BTreeMap<(String, String), String>,
}

impl Browser {
    fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::blocking::Client::builder().redirect(reqwest::redirect::Policy::none());
        Self { client: client.timeout(Duration::from_secs(30)).build().unwrap(), cookies: BTreeMap::new() }
    }

    /// The answer that isn't a redirect, and the address that gave it.
    fn go(&mut self, url: &str) -> (Answer, String) {
        let mut url = url.to_owned();
        for _ in 0..12 {
            let answer = self.get(&url);
            let Some(location) = answer.header("location") else { return (answer, url) };
            let origin = origin(&url);
            url = if location.starts_with('/') { format!("{origin}{location}") } else { location.to_owned() };
        }
        panic!("too many redirects, the last to {url}");
    }

    fn get(&mut self, url: &str) -> Answer {
        let origin = origin(url);
        let mine = self.cookies.iter().filter(|((of, _), _)| *of == origin);
        let cookies = mine.map(|((_, name), value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let answer = self.client.get(url).header("cookie", cookies).send().unwrap();
        let headers: Vec<(String, String)> = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        for (_, cookie) in headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap().to_owned();
            self.cookies.insert((origin.clone(), name.to_owned()), value);
        }
        Answer { status: answer.status().as_u16(), headers, text: answer.text().unwrap() }
    }

    /// Who one is at the server.
    fn whoami(&mut self, server: &ApiServer) -> Answer {
        self.get(&format!("{}/api/v1/session", server.url))
    }
}

fn origin(url: &str) -> String {
    url.split('/').take(3).collect::<Vec<_>>().join("/")
}

#[test]
fn people_come_in_through_a_certified_provider() {
    if !has_program("node") || !tool().join("node_modules/oidc-provider").is_dir() {
        return skip("the OpenID provider isn't here: .ci/setup installs it (node, npm ci in tests/tools/oidc)");
    }
    let port = free_port();
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "a secret, with: signs+\n").unwrap();
    let provider = |name: &str, secret: &str, rest: &str| {
        format!(
            "[auth.oidc.{name}]\nissuer = \"http://127.0.0.1:{port}\"\nclient_id = \"windlass-{name}\"\n{secret}\n{rest}\n"
        )
    };
    let kept = format!("client_secret = \"file:{}\"", secret.path().display());
    let roles = "roles_claim = \"groups\"\n\
                 roles = { \"windlass-admins\" = [\"admin@*\"], \"*\" = [\"viewer@platform\"] }";
    let settings = [
        provider("rs", &kept, &format!("email_domains = [\"example.net\"]\n{roles}")),
        provider("es", &kept, ""),
        provider("ed", "", ""),
    ];
    let server = ApiServer::start_with(&[], &[], &settings.concat());
    let callback = |name: &str| format!("{}/api/v1/session/oidc/{name}/callback", server.url);
    let mut command = Command::new("node");
    command.current_dir(tool()).arg("server.mjs").arg(port.to_string()).args(["rs", "es", "ed"].map(callback));
    let mut process = Process::start(&mut command).unwrap();
    process.wait_for_line("ready", Duration::from_secs(60));
    let become_ = |who: &str| Browser::new().get(&format!("http://127.0.0.1:{port}/as?who={who}")).expect(200);
    let start = |name: &str| format!("{}/api/v1/session/oidc/{name}", server.url);

    assert_eq!(server.send_as("", "GET", "/api/v1/session/oidc", None).expect(200).json(), json!(["ed", "es", "rs"]));
    // Each kind of signature; with a secret and without one.
    become_("ann");
    for (name, roles) in [("rs", 2), ("es", 0), ("ed", 0)] {
        let mut ann = Browser::new();
        let (page, _) = ann.go(&start(name));
        assert_eq!(page.status, 200, "{name}: {}", page.text);
        let cookies: Vec<_> = page.headers.iter().filter(|(name, _)| name == "set-cookie").collect();
        assert!(cookies.iter().any(|(_, cookie)| cookie.contains("SameSite=Strict")), "{cookies:?}");
        let me = ann.whoami(&server).expect(200).json();
        assert_eq!(me["bindings"].as_array().unwrap().len(), roles, "{me}");
        // At each provider it is another person: an address alone proves nothing.
        let known = if name == "rs" { "ann".to_owned() } else { format!("ann-{}", if name == "es" { 2 } else { 3 }) };
        assert_eq!(me["user"], known);
    }
    // The second time it is the same user, who holds what the provider says now.
    let listed = server.get("/api/v1/users").expect(200).json()["items"].as_array().unwrap().len();
    server.patch("/api/v1/users/ann", &json!({ "bindings": [] })).expect(200);
    let mut ann = Browser::new();
    ann.go(&start("rs")).0.expect(200);
    assert_eq!(ann.whoami(&server).expect(200).json()["bindings"].as_array().unwrap().len(), 2);
    assert_eq!(server.get("/api/v1/users").expect(200).json()["items"].as_array().unwrap().len(), listed);
    become_("bob");
    let mut bob = Browser::new();
    bob.go(&start("rs")).0.expect(200);
    assert_eq!(bob.whoami(&server).expect(200).json()["permissions"], json!(["read", "watch_consoles"]));
    // Another domain, and an address that nobody has verified.
    for who in ["eve", "una"] {
        become_(who);
        let mut refused = Browser::new();
        refused.go(&start("rs")).0.expect(403);
        refused.whoami(&server).expect(401);
    }
    // Whoever is kept out here isn't let in by the provider.
    become_("bob");
    server.patch("/api/v1/users/bob", &json!({ "disabled": true })).expect(200);
    Browser::new().go(&start("rs")).0.expect(401);
    bob.whoami(&server).expect(401);

    // What comes back in another browser, twice, or with another state is refused.
    become_("ann");
    let mut ann = Browser::new();
    let (page, back) = ann.go(&start("rs"));
    page.expect(200);
    assert!(back.contains("/callback?code="), "{back}");
    Browser::new().get(&back).expect(401);
    ann.get(&back).expect(401);
    let mut other = Browser::new();
    other.get(&start("rs")).expect(303);
    other.get(&back).expect(401);
    let other_provider = back.replace("/oidc/rs/", "/oidc/es/");
    other.get(&other_provider).expect(401);
    other.get(&format!("{}?error=access_denied", callback("rs"))).expect(401);
    other.get(&start("none")).expect(404);
    let log = people::done(&server, &["audit", "ls", "--limit", "500"]).to_string();
    assert!(log.contains("oidc:rs") && !log.contains("a secret, with"), "{log}");
}
