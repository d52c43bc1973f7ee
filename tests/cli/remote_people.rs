//! Users, tokens, secrets and the audit log, here and at a server: the same commands, the same output.

use serde_json::Value;

use super::both::{Both, text};

#[test]
fn users_are_made_listed_changed_and_kept_out_alike() {
    let both = Both::new(&[]);
    // Here, too, there is an admin.
    let first = both.here(&["users", "create", "admin", "--title", "admin", "--role", "admin@*"]);
    assert!(first.status.success(), "{}", text(&first.stderr));
    let create = ["users", "create", "Bob", "--title", "Bob B.", "--email", "Bob@example.net", "--role", "viewer"];
    let made = both.same_with(&[&create[..], &["--password-stdin"]].concat(), "correct horse battery");
    assert!(made.contains("bob can log in with that password"), "{made}");
    for (args, holds) in [
        (&["users", "grant", "bob", "operator@platform/lab"][..], "bob holds viewer@platform operator@platform/lab"),
        (&["users", "grant", "bob", "viewer"], "bob holds operator@platform/lab viewer@platform"),
        (&["users", "revoke", "bob", "operator@platform/lab"], "bob holds viewer@platform"),
        (&["users", "disable", "bob"], "bob is kept out"),
        (&["users", "ls"], "disabled"),
        (&["users", "enable", "bob"], "bob holds viewer@platform"),
        (&["users", "revoke", "bob", "viewer"], "bob holds nothing"),
        (&["users", "ls"], "bob@example.net"),
    ] {
        let said = both.alike(args);
        assert!(said.contains(holds), "{args:?}: {said}");
    }
    both.same_with(&["users", "reset-password", "bob", "--password-stdin", "--remove-totp"], "battery horse correct");
    for refused in [
        &["users", "disable", "nobody"][..],
        &["users", "disable", "../roles"],
        &["users", "revoke", "bob", "admin@*"],
        &["users", "grant", "bob", "owner"],
        &["users", "grant", "bob", "viewer@nowhere"],
        &["users", "create", "bob"],
        &["users", "disable", "admin"],
    ] {
        both.refused(refused, refused);
    }
    let listed = both.alike(&["--json", "users", "ls"]);
    assert!(listed.contains("Bob B."), "{listed}");
    // It is the server's user who was kept out, and there it is noted with its admin.
    let log = both.there(&["--json", "audit", "ls", "--target", "bob"]);
    let log: Value = serde_json::from_slice(&log.stdout).unwrap();
    assert_eq!(log[0]["actor"], "token:admin/dev", "{log}");
    assert_eq!(log[0]["source"], "127.0.0.1");
    // A password that was made up there is told once.
    let reset = both.there(&["--json", "users", "reset-password", "bob"]);
    let told: Value = serde_json::from_slice(&reset.stdout).unwrap();
    let body = serde_json::json!({ "name": "bob", "password": told["password"] });
    both.server.send_as("", "POST", "/api/v1/session", Some(&body)).expect(200);
}

#[test]
fn a_server_issues_tokens_for_whoever_asks() {
    let both = Both::new(&[]);
    let issued = both.there(&["--json", "tokens", "issue", "ci", "--role", "viewer", "--expires", "30d"]);
    let issued: Value = serde_json::from_slice(&issued.stdout).unwrap_or_else(|_| panic!("{}", text(&issued.stderr)));
    both.server.send_as(issued["token"].as_str().unwrap(), "GET", "/api/v1/workflows", None).expect(200);
    let listed = text(&both.there(&["tokens", "ls", "--user", "admin"]).stdout);
    assert!(listed.contains("viewer@platform") && listed.contains("dev"), "{listed}");
    assert_eq!(text(&both.there(&["tokens", "ls", "--user", "bob"]).stdout), "no tokens\n");
    let id = issued["id"].as_str().unwrap();
    assert_eq!(text(&both.there(&["tokens", "revoke", id]).stdout), format!("{id} is revoked\n"));
    both.server.send_as(issued["token"].as_str().unwrap(), "GET", "/api/v1/workflows", None).expect(401);
    both.refused(&["tokens", "revoke", id], &["tokens", "revoke", id]);
    for (refused, why) in [
        (&["tokens", "issue", "ci", "--user", "bob"][..], "for whoever asks"),
        (&["tokens", "issue", "ci", "--expires", "never"], "a year at most"),
    ] {
        let ended = both.there(refused);
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(text(&ended.stderr).contains(why), "{ended:?}");
    }
}

#[test]
fn secrets_and_the_audit_log_are_the_servers() {
    let settings = "[secrets.elsewhere]\nfrom = \"env:NOWHERE\"\nto = [\"exec:*\"]\n";
    let both = Both::with(&[], settings);
    assert!(both.same_with(&["secrets", "set", "acme/dns.key", "--to", "exec:*"], "hunter2-value").contains("is kept"));
    let listed = both.alike(&["secrets", "ls"]);
    assert!(listed.contains("acme/dns.key") && listed.contains("env:NOWHERE"), "{listed}");
    both.alike(&["--json", "secrets", "ls"]);
    assert!(both.server.get("/api/v1/secrets").text.contains("acme/dns.key"));
    both.alike(&["secrets", "rm", "acme/dns.key"]);
    both.refused(&["secrets", "rm", "acme/dns.key"], &["secrets", "rm", "acme/dns.key"]);
    let rotate = both.there(&["secrets", "rotate"]);
    assert!(rotate.status.code() == Some(2) && text(&rotate.stderr).contains("beside the database"), "{rotate:?}");

    let verified = text(&both.there(&["audit", "verify"]).stdout);
    assert!(verified.contains("all as they were written"), "{verified}");
    let exported = text(&both.there(&["audit", "export"]).stdout);
    let entries: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(verified.split(' ').next().unwrap(), entries.len().to_string());
    let rest = text(&both.there(&["audit", "export", "--after", "2"]).stdout);
    assert_eq!(rest.lines().count(), entries.len() - 2);
    let listed = both.there(&["--json", "audit", "ls", "--action", "secret.", "--limit", "1"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["action"]), (1, &"secret.delete".into()));
    assert!(!exported.contains("hunter2"));
}
