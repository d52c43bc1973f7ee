//! Whoever redeems has no account: what they see of it is opened by a word, and looks as whoever issued the voucher.

use serde_json::{Value, json};
use windlass_tests::ApiServer;

use super::{Database, issue};
use crate::api::people;

super::on_both!(a_redemption_is_followed_by_whoever_began_it, a_customer_sees_its_franchisees_look);

fn ask(server: &ApiServer, run: &str, word: &str) -> (u16, Value) {
    let answer = server.send_as("", "POST", "/api/v1/redeem/progress", Some(&json!({ "run": run, "word": word })));
    (answer.status, answer.json())
}

fn begun(server: &ApiServer, code: &str, customer: &str) -> (String, String) {
    let body = json!({ "code": code, "organisation": customer, "title": "Bob & Sons", "email": "bob@example.test" });
    let begun = server.send_as("", "POST", "/api/v1/redeem", Some(&body)).expect(202).json();
    let text = |name: &str| begun[name].as_str().unwrap().to_owned();
    server.ended(&text("run"));
    (text("run"), text("word"))
}

fn a_redemption_is_followed_by_whoever_began_it(database: &Database) {
    let offer = "[vouchers.offer]\npublic_url = \"https://{organisation}.example.net/\"\n";
    let server = database.server(offer);
    server.post("/api/v1/organisations", &json!({ "name": "acme", "kind": "franchisee" })).expect(201);
    let (_, codes) = issue(&server, &json!({ "count": 3, "issuer": "acme" }));
    let (run, word) = begun(&server, &codes[0].code, "bob");
    let (status, seen) = ask(&server, &run, &word);
    assert_eq!((status, &seen["state"], &seen["ended"]), (200, &json!("succeeded"), &json!(true)), "{seen:#}");
    assert_eq!(
        (&seen["title"], &seen["organisation"], &seen["amount"], &seen["address"]),
        (&json!("Bob & Sons"), &json!("bob"), &json!(500), &json!("https://bob.example.net/"))
    );
    let phases: Vec<&str> =
        seen["phases"].as_array().unwrap().iter().map(|one| one["message"].as_str().unwrap()).collect();
    assert_eq!((phases.first(), phases.last()), (Some(&"Looking at the voucher"), Some(&"Bob & Sons is ready")));
    // Nothing that only its issuer may know.
    for secret in [codes[0].id.as_str(), codes[0].code.as_str(), "redemption", "input"] {
        assert!(!seen.to_string().contains(secret), "{secret}: {seen}");
    }
    // Another redemption's word, none, and another workflow's run open nothing.
    let (other, theirs) = begun(&server, &codes[1].code, "eve");
    let elsewhere = server.launch("franchise/suspend", &json!({ "organisation": "eve", "reason": "a try" }));
    for (run, word) in
        [(&run, &theirs), (&other, &word), (&run, &String::new()), (&elsewhere, &word), (&"\0".to_owned(), &word)]
    {
        assert_eq!(ask(&server, run, word).0, 404, "{run} {word}");
    }
    assert_eq!(server.send_as("", "POST", "/api/v1/redeem/progress", Some(&json!({ "run": run }))).status, 400);
    // What fails tells its code, and no more.
    server.put("/api/v1/organisations/acme/quotas", &json!({ "customers": 0 })).expect(200);
    let (failed, word) = begun(&server, &codes[2].code, "zoe");
    let seen = ask(&server, &failed, &word).1;
    assert_eq!((&seen["state"], &seen["problem"]), (&json!("rolled_back"), &json!("limit_exceeded")), "{seen:#}");
    assert!(seen.get("address").is_none() && !seen.to_string().contains("quota"), "{seen:#}");
}

fn a_customer_sees_its_franchisees_look(database: &Database) {
    let server = database.server("");
    let make = |name: &str, kind: &str, parent: &str| {
        let body = json!({ "name": name, "title": format!("{name} Ltd"), "kind": kind, "parent": parent });
        server.post("/api/v1/organisations", &body).expect(201);
    };
    make("acme", "franchisee", "platform");
    make("bob", "customer", "acme");
    make("zeta", "franchisee", "platform");
    let look = |name: &str| server.get(&format!("/api/v1/organisations/{name}/look")).expect(200).json();
    assert_eq!(look("bob"), json!({ "title": "bob Ltd", "colours": {}, "branded": false }));
    server.put("/api/v1/organisations/acme/brand", &json!({ "colours": { "primary": "#0a5c3f" } })).expect(200);
    let acme = json!({ "title": "acme Ltd", "colours": { "primary": "#0a5c3f" }, "branded": true });
    assert_eq!((look("acme"), look("bob")), (acme.clone(), acme.clone()));
    server.put("/api/v1/organisations/bob/brand", &json!({ "title": "Bob's" })).expect(200);
    assert_eq!((&look("bob")["title"], &look("bob")["colours"]), (&json!("Bob's"), &json!({})));
    server.delete("/api/v1/organisations/bob/brand").expect(204);
    server.delete("/api/v1/organisations/bob/brand").expect(204);
    assert_eq!(look("bob"), acme, "what is forgotten is the one above's again");
    // A neighbour sees neither; who holds a code sees who issued it.
    people::user(&server, "zoe", "zeta", "franchisee@zeta");
    let zoe = people::token(&server, "zoe");
    for name in ["acme", "bob"] {
        assert_eq!(server.send_as(&zoe, "GET", &format!("/api/v1/organisations/{name}/look"), None).status, 404);
    }
    let (_, codes) = issue(&server, &json!({ "issuer": "acme" }));
    let worth = server.send_as("", "GET", &format!("/api/v1/redeem/{}", codes[0].code), None).expect(200).json();
    assert_eq!(worth["from"], acme);
}

#[test]
fn whoever_guesses_words_is_slowed_down() {
    let server = super::server("[vouchers]\neach_per_minute = 3\n");
    let statuses: Vec<u16> = (0..5).map(|_| ask(&server, "01jz0000000000000000000000", "x").0).collect();
    assert_eq!(statuses, [404, 404, 404, 429, 429]);
}
