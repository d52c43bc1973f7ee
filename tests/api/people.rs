//! People of the real server: made from the command line while it runs, as an operator would.

use std::process::Command;

use serde_json::Value;
use windlass_tests::{ApiServer, windlass_binary};

/// Runs `windlass …` on the server's data folder; what it printed, and whether it succeeded.
pub fn windlass(server: &ApiServer, arguments: &[&str]) -> (Value, bool) {
    let mut command = Command::new(windlass_binary());
    command
        .current_dir(server.workflows())
        .args(["--json", "--as", "ops", "--data"])
        .arg(server.data())
        .args(arguments);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WINDLASS_")) {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let text = if output.status.success() { &output.stdout } else { &output.stderr };
    let json = serde_json::from_slice(text).unwrap_or_else(|_| String::from_utf8_lossy(text).into_owned().into());
    (json, output.status.success())
}

/// The same, and it has to succeed.
#[track_caller]
pub fn done(server: &ApiServer, arguments: &[&str]) -> Value {
    let (json, success) = windlass(server, arguments);
    assert!(success, "{arguments:?}: {json}");
    json
}

/// A user with one role, and their password.
pub fn user(server: &ApiServer, name: &str, organisation: &str, role: &str) -> String {
    let made = done(server, &["users", "create", name, "--organisation", organisation, "--role", role]);
    made["password"].as_str().unwrap().to_owned()
}

/// A token with all that its user may.
pub fn token(server: &ApiServer, user: &str) -> String {
    let issued = done(server, &["tokens", "issue", "test", "--user", user]);
    issued["token"].as_str().unwrap().to_owned()
}
