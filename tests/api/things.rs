//! What is known of things that runs have made: what they cost, and how to get at them.

use serde_json::{Value, json};
use windlass_tests::ApiServer;

/// Nobody may record things unless the server allows it.
const POLICY: &str = "[policy]\n\"t/*\" = [\"inventory.*:*\"]\n";

const MAKES: &str = r#"const WORKFLOW = #{ name: "t/makes", title: "Makes", rollback: "none",
    permissions: ["inventory.*:acme", "inventory.read:*"] };
fn run(input) {
    resource_created(#{ provider: "acme", kind: "server", id: "4711", monthly_cost: "4.90 EUR", console: [
        "https://console.example.net/servers/4711",
        #{ title: "Shell", command: "ssh root@192.0.2.7" },
    ] });
    resource_created(#{ provider: "acme", kind: "volume", id: "v1", monthly_cost: "1.50 EUR" });
    resource_created(#{ provider: "acme", kind: "server", id: "old", monthly_cost: "99 EUR", console: "https://old.example.net" });
    resource_deleted("acme", "server", "old");
    inventory("acme", "").map(|one| one.id)
}
"#;

/// A workflow that may record things of `acme`, with this body.
fn saying(body: &str) -> String {
    let header = MAKES[..MAKES.find("fn run").unwrap()].replace("t/makes", "t/says");
    format!("{header}fn run(input) {{ {body} }}\n")
}

fn of<'a>(things: &'a Value, id: &str) -> &'a Value {
    things.as_array().unwrap().iter().find(|thing| thing["id"] == id).unwrap()
}

#[test]
fn what_a_script_says_of_a_thing_stands_with_it_until_it_is_gone() {
    let server = ApiServer::start_with(&[("t/makes", MAKES)], &[], POLICY);
    let run = server.launch("t/makes", &json!({}));
    assert_eq!(server.ended(&run)["output"], json!(["4711", "v1"]));
    let things = server.get(&format!("/api/v1/runs/{run}/resources?all=true")).expect(200).json();
    let machine = of(&things, "4711");
    assert_eq!(machine["monthly_cost"], json!({ "amount": 490, "digits": 2, "currency": "EUR" }));
    assert_eq!(
        machine["consoles"],
        json!([
            { "title": "Console", "kind": "link", "command": null, "url": "https://console.example.net/servers/4711" },
            { "title": "Shell", "kind": "command", "command": "ssh root@192.0.2.7", "url": null },
        ])
    );
    assert_eq!((&machine["path"], &machine["origin"], &machine["state"]), (&json!("0"), &json!(run), &json!("live")));
    assert_eq!(
        (&of(&things, "v1")["monthly_cost"]["amount"], &of(&things, "v1")["consoles"]),
        (&json!(150), &json!([]))
    );
    let old = of(&things, "old");
    assert_eq!((&old["state"], &old["monthly_cost"], &old["consoles"]), (&json!("gone"), &Value::Null, &json!([])));
    // The inventory of all runs says the same.
    let all = server.get("/api/v1/resources?provider=acme").expect(200).json()["items"].clone();
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert_eq!((of(&all, "4711"), of(&all, "v1")), (machine, of(&things, "v1")));
}

#[test]
fn a_plan_shows_what_a_script_would_record() {
    let server = ApiServer::start_with(&[("t/makes", MAKES)], &[], POLICY);
    let plan = server.post("/api/v1/workflows/t/makes/rehearse", &json!({ "input": {} })).expect(200).json();
    let steps = plan["plan"].as_array().unwrap();
    assert_eq!(steps.len(), 4, "{plan}");
    assert_eq!((&steps[0]["op"], &steps[0]["things"]), (&json!("resource_created"), &json!(["acme server 4711"])));
    assert_eq!(server.get("/api/v1/resources").expect(200).json()["items"], json!([]));
}

#[test]
fn a_step_of_another_run_takes_a_thing_out_again() {
    let gone = saying(r#"resource_deleted("acme", "server", "4711"); resource_deleted("acme", "server", "never");"#);
    let server = ApiServer::start_with(&[("t/makes", MAKES), ("t/says", &gone)], &[], POLICY);
    let run = server.launch("t/makes", &json!({}));
    server.ended(&run);
    let other = server.launch("t/says", &json!({}));
    assert_eq!(server.ended(&other)["state"], "succeeded");
    let things = server.get(&format!("/api/v1/runs/{run}/resources?all=true")).expect(200).json();
    assert_eq!((&of(&things, "4711")["state"], &of(&things, "v1")["state"]), (&json!("gone"), &json!("live")));
}

#[test]
fn what_may_not_be_recorded_so_is_refused_and_leaves_nothing() {
    let server = ApiServer::start_with(&[], &[], POLICY);
    let kept = server.put("/api/v1/secrets/key", &json!({ "value": "hunter2-hunter2", "to": ["exec:*"] }));
    assert!((200..300).contains(&kept.status), "{kept:?}");
    let thing = |rest: &str| format!(r#"resource_created(#{{ provider: "acme", kind: "server", id: "1", {rest} }})"#);
    let cases = [
        (r#"resource_created(#{ provider: "other", kind: "server", id: "1" })"#.to_owned(), "permission_denied"),
        (r#"resource_deleted("other", "server", "1")"#.to_owned(), "permission_denied"),
        (r#"resource_created(#{ provider: "acme", kind: "*", id: "1" })"#.to_owned(), "invalid_argument"),
        (r#"resource_created(#{ provider: "acme", kind: "server", id: "" })"#.to_owned(), "invalid_argument"),
        (r#"resource_created("acme")"#.to_owned(), "permission_denied"),
        (thing(r#"price: "4.90 EUR""#), "invalid_argument"),
        (thing(r#"monthly_cost: 4.9"#), "invalid_argument"),
        (thing(r#"monthly_cost: "4.905 EUR""#), "invalid_argument"),
        (thing(r#"console: "javascript:alert(1)""#), "invalid_argument"),
        (thing(r#"console: "https://me:word@example.net""#), "invalid_argument"),
        (thing(r#"console: #{ title: "x", command: "ls\nreboot" }"#), "invalid_argument"),
        (thing(r#"console: #{ title: "x", url: "https://a", command: "ls" }"#), "invalid_argument"),
        (thing(r#"console: "https://example.net/?token=hunter2-hunter2""#), "invalid_argument"),
    ];
    for (body, code) in cases {
        server.write_workflow("t/says", &saying(&body));
        let put = json!({ "source": saying(&body), "message": "a test", "expected": Value::Null });
        // It may have been taken up from its file already.
        let _ = server.put("/api/v1/workflows/t/says", &put);
        windlass_tests::wait_until("the new version", std::time::Duration::from_secs(60), || {
            server.get("/api/v1/workflows/t/says/source").text.contains(&body)
        });
        let ended = server.ended(&server.launch("t/says", &json!({})));
        assert_eq!((&ended["state"], &ended["problem"]["code"]), (&json!("failed"), &json!(code)), "{body}: {ended}");
    }
    assert_eq!(server.get("/api/v1/resources?state=live,creating,gone").expect(200).json()["items"], json!([]));
}

#[test]
fn a_modules_own_inventory_is_not_a_scripts() {
    let source =
        saying(r#"resource_deleted("net", "namespace", "demo/r1")"#).replace("inventory.*:acme", "inventory.*:*");
    let server = ApiServer::start_with(&[("t/says", &source)], &[], POLICY);
    let ended = server.ended(&server.launch("t/says", &json!({})));
    assert_eq!(ended["problem"]["code"], "invalid_argument", "{ended}");
    assert!(ended["problem"]["message"].as_str().unwrap().contains("`net` is a host module"), "{ended}");
}
