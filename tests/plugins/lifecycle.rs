//! An approval from end to end, at a real server: refused, approved, used, undone, modified, taken back.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use windlass_sim::registrars;
use windlass_tests::{ApiServer, wait_for};

use super::registrars as folder;

const APPROVAL: &str = "/api/v1/plugins/registrars/namecheap/approval";
const FLIP: &str = r#"
const WORKFLOW = #{
    name: "dns/flip",
    title: "Other name servers",
    permissions: ["registrar.*:*", "secret.use:nc"],
    inputs: #{ type: "object", properties: #{ fails: #{ type: "boolean" } } },
};

fn run(input) {
    let account = #{ plugin: "namecheap", credentials: #{ user: "ann", client_ip: "192.0.2.10", key: secret("nc") } };
    let done = registrar::set_nameservers(account, "OURS.example.", ["NS1.example.org.", "ns2.example.org"]);
    if input.fails { throw "as asked"; }
    #{ done: done, now: registrar::get_nameservers(account, "ours.example") }
}
"#;

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn standing(server: &ApiServer) -> Value {
    server.get(APPROVAL).expect(200).json()
}

fn approve(server: &ApiServer) -> Value {
    let digest = standing(server)["digest"].clone();
    server.put(APPROVAL, &json!({ "digest": digest, "message": "looked at" })).expect(200).json()
}

#[test]
fn a_plugin_is_approved_used_modified_and_taken_back() {
    let sim = registrars::start("namecheap", ([127, 0, 0, 1], 0).into()).unwrap().unwrap();
    let settings = format!(
        "[policy]\n\"dns/*\" = [\"registrar.*:*\", \"secret.use:nc\"]\n\n[hosts.registrar.endpoints]\n\"api.namecheap.com\" = \"{}\"\n",
        sim.server.url()
    );
    let server = ApiServer::start_with(&[("dns/flip", FLIP)], &[], &settings);
    let own = server.workflows().with_file_name("plugins").join("registrars/namecheap");
    copy(&folder().join("namecheap"), &own);
    server.put("/api/v1/secrets/nc", &json!({ "value": registrars::book::GOOD, "to": ["https://api.namecheap.com"] }));
    let run = |fails: bool| server.ended(&server.launch("dns/flip", &json!({ "fails": fails })));
    let servers = || sim.book.get("ours.example").unwrap().nameservers;
    let before = servers();

    // Nobody has approved it.
    let refused = run(false);
    assert_eq!(refused["problem"]["code"], "permission_denied", "{refused}");
    assert!(refused["problem"]["message"].as_str().unwrap().contains("isn't approved for platform"));
    let shown = standing(&server);
    assert_eq!(
        (&shown["state"], shown["difference"]["added"][0].as_str()),
        (&json!("new"), Some("http:POST https://api.namecheap.com/xml.response"))
    );
    server.put(APPROVAL, &json!({ "digest": "0000" })).expect(412);
    assert_eq!(approve(&server)["disabled"], false);

    // Approved, it is used; a run that fails puts back what was there.
    let failed = run(true);
    assert_eq!(failed["problem"]["message"], "as asked", "{failed}");
    wait_for("the undo", Duration::from_secs(60), || (servers() == before).then_some(()));
    assert_eq!(sim.control.count("domains.dns.setcustom"), 2, "it was set, and set back");
    let done = run(false);
    assert_eq!(done["output"]["now"], json!(["ns1.example.org", "ns2.example.org"]), "{done}");
    assert_eq!(done["output"]["done"]["before"], json!(before));
    assert!(!done.to_string().contains(registrars::book::GOOD));

    // A file that changes is refused; what was approved goes on.
    let main = own.join("main.rhai");
    let text = std::fs::read_to_string(&main).unwrap();
    std::fs::write(
        &main,
        text.replace("fn validate(request) {", "fn validate(request) {\n    refuse(\"rejected\", \"changed\");"),
    )
    .unwrap();
    let manifest = std::fs::read_to_string(own.join("plugin.toml")).unwrap();
    let wider = manifest.replacen("methods = [\"POST\"]", "methods = [\"POST\", \"DELETE\"]", 1);
    std::fs::write(own.join("plugin.toml"), wider).unwrap();
    let modified = standing(&server);
    assert_eq!(modified["state"], "modified");
    assert_eq!(modified["difference"]["added"], json!(["http:DELETE https://api.namecheap.com/xml.response"]));
    assert!(modified["difference"]["text"].as_str().unwrap().contains("+    refuse(\"rejected\", \"changed\");"));
    assert_eq!(run(false)["output"]["done"]["changed"], false, "the approved sources are used");
    // What was changed doesn't do what was recorded: it can't be approved.
    let answer = server.put(APPROVAL, &json!({ "digest": modified["digest"] }));
    assert!(
        answer.status >= 400 && answer.json()["detail"].as_str().unwrap().contains("conformance"),
        "{}",
        answer.status
    );

    // Taken back, no run can use it.
    server.delete(APPROVAL).expect(200);
    assert_eq!(standing(&server)["state"], "disabled");
    let refused = run(false);
    assert!(refused["problem"]["message"].as_str().unwrap().contains("was taken back"), "{refused}");
    let audit = server.get("/api/v1/audit?action=plugin.approve").expect(200).json();
    assert_eq!((audit["items"].as_array().unwrap().len(), &audit["items"][0]["organisation"]), (1, &json!("platform")));
    assert_eq!(server.get("/api/v1/audit?action=plugin.disable").json()["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_new_plugin_passes_and_is_installed_elsewhere() {
    let project = tempfile::tempdir().unwrap();
    let windlass = |args: &[&str]| {
        let mut command = std::process::Command::new(windlass_tests::windlass_binary());
        command.current_dir(project.path()).args(args);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WINDLASS_")) {
            command.env_remove(name);
        }
        let output = command.output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), text)
    };
    std::fs::write(project.path().join("windlass.toml"), "plugins = \"plugins\"\n").unwrap();
    std::fs::create_dir_all(project.path().join("workflows")).unwrap();
    let fine = |args: &[&str], words: &str| {
        let (code, text) = windlass(args);
        assert!(code == 0 && text.contains(words), "{args:?}: {code} {text}");
    };
    fine(&["plugin", "new", "mine", "--author", "Ann \"A\""], "registrars/mine");
    fine(&["plugin", "check"], "registrars/mine 0.1.0");
    fine(&["plugin", "test", "mine"], "registrars/mine passes");
    assert_eq!(windlass(&["plugin", "new", "mine"]).0, 1);
    assert_eq!(windlass(&["plugin", "new", "../evil"]).0, 2);
    fine(&["plugin", "show", "mine"], "+ may reach http:GET https://api.registrar.example/v1/*");
    assert_eq!(windlass(&["plugin", "approve", "mine"]).0, 2, "nobody is there to look at it");
    fine(&["plugin", "approve", "mine", "--yes", "-m", "ours"], "is approved for platform");
    fine(&["plugin", "ls"], "approved");
    let main = project.path().join("plugins/registrars/mine/main.rhai");
    let text = std::fs::read_to_string(&main).unwrap();
    std::fs::write(&main, text.replace("status 401", "status is 401")).unwrap();
    fine(&["plugin", "ls"], "modified");
    fine(&["plugin", "disable", "mine"], "no run of platform");
    let elsewhere = project.path().join("elsewhere");
    std::fs::rename(project.path().join("plugins/registrars/mine"), &elsewhere).unwrap();
    fine(&["plugin", "install", "elsewhere"], "registrars/mine 0.1.0 is in");
    std::fs::write(elsewhere.join("main.rhai"), "fn validate(").unwrap();
    assert_ne!(windlass(&["plugin", "install", "elsewhere"]).0, 0, "what has mistakes takes nobody's place");
    fine(&["plugin", "check", "mine"], "registrars/mine 0.1.0");
    fine(&["plugin", "rm", "mine"], "is removed");
}
