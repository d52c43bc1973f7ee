//! An installation on a real Debian machine: systemd as the first process, PostgreSQL and Caddy from Debian's packages, the service as its
//! unit says. What people are told to type is typed.

mod labs;
mod places;
mod service;
mod versions;

use serde_json::Value;
use windlass_tests::Machine;

/// Installs from the folder that somebody has unpacked; the address of the first admin's link.
fn install(machine: &Machine, options: &str) -> Value {
    let said = machine.shell(&format!("cd /opt/windlass && ./windlass --json install {options}"));
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    serde_json::from_str(&said.out).unwrap()
}

/// What a command of the installed program tells.
fn told(machine: &Machine, command: &str) -> Value {
    let said = machine.shell(&format!("windlass --json {command}"));
    let text = if said.out.trim().is_empty() { &said.err } else { &said.out };
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{command}: {error}\n{}\n{}", said.out, said.err))
}

/// The checks, as a person sees them; all of them hold.
fn smoke(machine: &Machine, options: &str) -> String {
    let said = machine.shell(&format!("windlass doctor --smoke --wait 30s {options}"));
    let log = if said.code == 0 { String::new() } else { journal(machine) };
    assert_eq!(said.code, 0, "{}\n{}\n{log}", said.out, said.err);
    said.out
}

/// What the service and the front door said last.
fn journal(machine: &Machine) -> String {
    machine.shell("journalctl -n 60 --no-pager -u windlass -u caddy").out
}

/// Asks the database itself.
fn sql(machine: &Machine, statement: &str) -> String {
    machine
        .run(&["runuser", "-u", "postgres", "--", "psql", "-XqAt", "-d", "windlass", "-c", statement])
        .good()
        .trim()
        .to_owned()
}

/// The admin chooses a password with the link; the session's cookie is in /var/tmp/cookies then, its CSRF word is the answer.
fn come_in(machine: &Machine, link: &str, password: &str) -> String {
    let token = link.split("#link=").nth(1).unwrap();
    let answer = post(machine, "session/link", &format!(r#"{{"token":"{token}","password":"{password}"}}"#));
    assert!(answer.starts_with("200 "), "{answer}");
    let who: Value = serde_json::from_str(answer.split_once(' ').unwrap().1).unwrap();
    who["csrf"].as_str().unwrap().to_owned()
}

/// Posts through the front door; the status, and the answer.
fn post(machine: &Machine, path: &str, body: &str) -> String {
    let url = format!("http://127.0.0.1/api/v1/{path}");
    let words = [
        "-s",
        "-c",
        "/var/tmp/cookies",
        "-H",
        "Content-Type: application/json",
        "-w",
        "\n%{http_code}",
        "-d",
        body,
        &url,
    ];
    let said = machine.run(&[&["curl"][..], &words].concat()).good();
    let (body, status) = said.rsplit_once('\n').unwrap();
    format!("{status} {body}")
}
