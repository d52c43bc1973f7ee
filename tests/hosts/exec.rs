//! `exec` from scripts: grants, results, failures that a script can catch, network namespaces.

use serde_json::json;
use windlass_hosts::HostConfig;
use windlass_model::Code;
use windlass_tests::{has_program, is_root, skip};

use super::Shop;

fn shop() -> Shop {
    let config = json!({ "exec": { "programs": ["sh", "cat", "ip"] } });
    Shop::real(&serde_json::from_value::<HostConfig>(config).expect("a configuration"))
}

#[test]
fn a_program_runs_when_its_name_is_granted() {
    let shop = shop();
    let result = shop
        .result(&["exec.run:cat"], r#"exec::run(["cat"], #{ stdin: input.to_json() + "!", timeout: "5s" }).stdout"#);
    assert_eq!(result.expect("it is granted"), "{}!");
    let problem = shop.result(&["exec.run:cat"], r#"exec::run(["sh", "-c", "true"])"#).unwrap_err();
    assert_eq!(problem.code, Code::PermissionDenied);
    assert!(problem.message.contains("exec.run:sh"), "{}", problem.message);
    let problem = shop.result(&["exec.run:*"], r#"exec::run(["id"])"#).unwrap_err();
    assert_eq!(problem.code, Code::PermissionDenied, "granted, and not declared");
}

#[test]
fn a_script_can_go_on_after_a_failure() {
    let body = r#"
        let seen = ();
        try { exec::run(["sh", "-c", "echo no >&2; exit 4"]); }
        catch (error) { seen = #{ code: error.code, exit: error.data.code, said: error.data.stderr }; }
        seen
    "#;
    let result = shop().result(&["exec.run:sh"], body).expect("it is caught");
    assert_eq!(result, json!({ "code": "command_failed", "exit": 4, "said": "no" }));
}

#[test]
fn a_rehearsal_runs_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mark = folder.path().join("mark");
    let body = format!(r#"exec::run(["sh", "-c", "touch {}"]).code"#, mark.display());
    let config = serde_json::from_value(json!({ "exec": { "programs": ["sh"] } })).expect("a configuration");
    assert_eq!(Shop::rehearsal(&config).result(&["exec.run:sh"], &body).expect("it is assumed"), 0);
    assert!(!mark.exists());
    assert_eq!(Shop::real(&config).result(&["exec.run:sh"], &body).expect("it runs"), 0);
    assert!(mark.exists());
}

#[test]
fn a_program_runs_inside_a_namespace() {
    if !is_root() || !has_program("ip") {
        return skip("needs root and ip");
    }
    let name = format!("wlhb-{}", std::process::id());
    let body = format!(
        r#"
        exec::apply(["ip", "netns", "add", "{name}"]);
        let inside = exec::probe(["ip", "-o", "link"], #{{ namespace: "{name}" }}).stdout;
        let outside = exec::probe(["cat", "/proc/self/net/dev"]).stdout;
        exec::apply(["ip", "netns", "delete", "{name}"]);
        #{{ lines: inside.split("\n").len(), lo: inside.contains("lo:"), differs: inside != outside }}
        "#
    );
    let result = shop().result(&["exec.run:ip", "exec.run:cat"], &body).expect("namespaces can be made");
    assert_eq!(result["lo"], true);
    let before = std::fs::read_link("/proc/self/ns/net").expect("a namespace");
    let after = std::fs::read_link("/proc/thread-self/ns/net").expect("a namespace");
    assert_eq!(before, after, "only the child went there");
    assert!(!std::path::Path::new("/run/netns").join(name).exists());
}
