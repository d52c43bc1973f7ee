//! Who may look at which console, who may type, and from where.

use serde_json::json;
use windlass_tests::console::Console;

use super::house::{Labs, shell};
use crate::api::people;

/// A server where operators of `acme` and `zeta`, and a viewer of `acme`, have tokens.
fn house(settings: &str) -> Option<(Labs, Vec<String>)> {
    let mut labs = Labs::start(settings)?;
    for name in ["acme", "zeta"] {
        labs.server.post("/api/v1/organisations", &json!({ "name": name })).expect(201);
    }
    let people = [("opal", "acme", "operator@acme"), ("vera", "acme", "viewer@acme"), ("zoe", "zeta", "admin@zeta")];
    let tokens = people.map(|(name, organisation, role)| {
        people::user(&labs.server, name, organisation, role);
        people::token(&labs.server, name)
    });
    labs.lab("platform", "demo");
    Some((labs, tokens.into()))
}

#[test]
fn labs_of_others_are_not_there_and_who_watches_does_not_type() {
    let Some((mut labs, tokens)) = house("") else { return };
    labs.lab("acme", "demo");
    let [opal, vera, zoe] = &tokens[..] else { panic!() };
    let bearer = |token: &str| format!("Bearer {token}");
    let path = shell("demo", "r1", "");
    let own = shell("demo", "r1", "&organisation=acme");
    // Nobody; somebody else's; one that isn't.
    assert_eq!(Console::refused(&labs.server, &path, &[]).status, 401);
    for path in [&path, &own, &shell("demo", "r1", "&organisation=platform")] {
        let refused = Console::refused(&labs.server, path, &[("authorization", &bearer(zoe))]);
        assert_eq!(refused.status, 404, "{}", refused.text);
    }
    let list = "/api/v1/labs/demo/nodes/r1/consoles?organisation=acme";
    labs.server.send_as(zoe, "GET", list, None).expect(404);
    labs.server.send_as(zoe, "GET", "/api/v1/labs/demo/recordings?organisation=acme", None).expect(404);
    let seen = labs.server.send_as(vera, "GET", list, None).expect(200).json();
    assert_eq!((&seen["may_type"], &seen["kinds"]), (&json!(false), &json!(["shell"])));
    labs.server.send_as(vera, "GET", "/api/v1/labs/demo/nodes/r9/consoles", None).expect(404);
    // A viewer neither types nor has something opened.
    let refused = Console::refused(&labs.server, &own, &[("authorization", &bearer(vera))]);
    assert_eq!(refused.status, 403, "{}", refused.text);
    let watch = format!("{own}&mode=watch");
    assert_eq!(Console::refused(&labs.server, &watch, &[("authorization", &bearer(vera))]).status, 404);
    // Who says nothing of an organisation means their own.
    let mut typing = Console::with_token(&labs.server, &path, opal);
    typing.asks("echo mine-$((3*3))", "mine-9");
    let mut watching = Console::with_token(&labs.server, &watch, vera);
    watching.until("mine-9");
    watching.types("echo crept-$((4*4))\n");
    assert_eq!(watching.hears(|told| told["error"].is_object())["error"]["code"], "conflict");
    watching.says(r#"{"type":true}"#);
    watching.hears(|told| told["error"]["code"] == "permission_denied");
    typing.asks("echo after-$((5*5))", "after-25");
    assert!(!typing.text().contains("crept-16"), "{}", typing.text());
    // Who isn't trusted with this machine's network uses the node's, and doesn't rule it.
    typing.asks("grep CapEff /proc/self/status", "0000000000000400");
    typing.asks("ip link add x0 type veth peer name x1; echo linked-$?", "linked-2");
    // Two labs of one name are two.
    let mut platform = labs.console(&path);
    platform.asks("echo other-$((6*6))", "other-36");
    assert!(!platform.text().contains("mine-9"));
}

#[test]
fn shells_of_organisations_that_are_trusted_rule_their_nodes_networks() {
    let Some((mut labs, tokens)) = house("[hosts.docker]\ntrusted = [\"acme\"]\n") else { return };
    for (organisation, token, capabilities) in
        [("acme", &tokens[0], "0000000000003400"), ("zeta", &tokens[2], "0000000000000400")]
    {
        labs.lab(organisation, "demo");
        let mut console = Console::with_token(&labs.server, &shell("demo", "r1", ""), token);
        console.asks("grep CapEff /proc/self/status", capabilities);
    }
}

#[test]
fn a_page_of_another_site_opens_nothing() {
    let Some((labs, _)) = house("") else { return };
    let password = &labs.server.password;
    let body = json!({ "name": "admin", "password": password });
    let session = labs.server.send_as("", "POST", "/api/v1/session", Some(&body)).expect(200);
    let cookie = session.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let path = shell("demo", "r1", "");
    let own = labs.server.url.clone();
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1", "http://windlass.evil.example", "?"] {
        let refused = Console::refused(&labs.server, &path, &[("cookie", &cookie), ("origin", origin)]);
        assert_eq!(refused.status, 403, "{origin}: {}", refused.text);
    }
    // Every browser says where its page is from.
    assert_eq!(Console::refused(&labs.server, &path, &[("cookie", &cookie)]).status, 403);
    let mut console = Console::open(&labs.server, &path, &[("cookie", &cookie), ("origin", &own)]).unwrap();
    console.asks("echo page-$((6*7))", "page-42");
    // Who logs out is out.
    drop(console);
    // A console that isn't asked for as a WebSocket says what it is.
    let answer = labs.server.get(&format!("/api/v1/labs/{path}")).expect(400);
    assert_eq!(answer.json()["code"], "invalid_input", "{}", answer.text);
}

#[test]
fn who_is_shut_out_meanwhile_is_sent_away() {
    let Some((mut labs, tokens)) = house("[server]\nrecheck_ms = 200\n") else { return };
    labs.lab("acme", "demo");
    let opal = &tokens[0];
    let path = shell("demo", "r1", "&organisation=acme");
    let mut console = Console::with_token(&labs.server, &path, opal);
    console.asks("echo in-$((1+1))", "in-2");
    let all = labs.server.send_as(opal, "GET", "/api/v1/tokens", None).expect(200).json();
    let id = all["items"][0]["id"].as_str().or_else(|| all[0]["id"].as_str()).unwrap().to_owned();
    let mut other = labs.console(&path);
    other.until("in-2");
    labs.server.send_as(opal, "DELETE", &format!("/api/v1/tokens/{id}"), None).expect(204);
    assert_eq!(console.ends(), 4401, "{:?}", console.end);
    // Others stay, and have the keyboard.
    other.hears(|told| told["typing"] == true);
    other.asks("echo stays-$((2+2))", "stays-4");
}

#[test]
fn places_are_bounded_and_the_bound_is_named() {
    let Some((mut labs, tokens)) = house("[labs]\nconsoles = 3\nconsoles_each = 2\nconsoles_node = 2\n") else {
        return;
    };
    labs.lab("acme", "demo");
    let (opal, admin) = (tokens[0].clone(), labs.server.token.clone());
    let refused = |token: &str, node: &str| {
        let bearer = format!("Bearer {token}");
        let path = shell("demo", node, "&organisation=acme");
        Console::refused(&labs.server, &path, &[("authorization", &bearer)])
    };
    let open =
        |token: &str, node: &str| Console::with_token(&labs.server, &shell("demo", node, "&organisation=acme"), token);
    let first = open(&opal, "r1");
    let _second = open(&opal, "r1");
    let each = refused(&opal, "r2");
    assert!(each.status == 429 && each.text.contains("labs.consoles_each"), "{each:?}");
    let node = refused(&admin, "r1");
    assert!(node.status == 429 && node.text.contains("labs.consoles_node"), "{node:?}");
    let _third = open(&admin, "r2");
    let all = refused(&admin, "r2");
    assert!(all.status == 503 && all.text.contains("`labs.consoles`"), "{all:?}");
    drop(first);
    windlass_tests::wait_until("a place", std::time::Duration::from_secs(60), || {
        let bearer = format!("Bearer {admin}");
        let path = shell("demo", "r2", "&organisation=acme");
        Console::open(&labs.server, &path, &[("authorization", &bearer)]).is_ok()
    });
}
