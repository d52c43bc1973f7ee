//! What anybody learns by codes, what a stolen database gives, and what the command line does with them.

use serde_json::{Value, json};
use windlass_tests::ApiServer;

use super::{Database, exported, issue, redeem, server};

super::on_both!(a_code_is_told_apart_by_404_and_410, a_database_gives_no_code);

fn look(server: &ApiServer, code: &str) -> (u16, Value) {
    let answer = server.send_as("", "GET", &format!("/api/v1/redeem/{code}"), None);
    (answer.status, answer.json())
}

fn a_code_is_told_apart_by_404_and_410(database: &Database) {
    let server = database.server("");
    let (batch, codes) = issue(&server, &json!({ "count": 3, "description": "spring" }));
    let [first, second, third] = &codes[..] else { panic!("{codes:?}") };
    let (status, worth) = look(&server, &first.code);
    assert_eq!(
        (status, &worth["credit"], &worth["currency"], &worth["description"]),
        (200, &json!(500), &json!("EUR"), &json!("spring"))
    );
    assert!(worth.get("id").is_none() && worth.get("issuer").is_none(), "whoever has a code learns no more: {worth}");
    // As people write it.
    assert_eq!(look(&server, &first.code.to_lowercase().replace('-', "").replace('0', "o")).0, 200);
    for wrong in ["x", "AAAA-AAAA-AAAA-AAAA-AAAA", &format!("{}0", first.code), "wv1.e30.AAAA", "%00"] {
        assert_eq!(look(&server, wrong).0, 404, "{wrong}");
    }
    let mut swapped: Vec<char> = first.code.chars().collect();
    let at = (0..3).find(|at| swapped[*at] != swapped[at + 1]).unwrap_or(0);
    swapped.swap(at, at + 1);
    let swapped: String = swapped.into_iter().collect();
    assert_eq!(look(&server, &swapped).0, if swapped == first.code { 200 } else { 404 });
    assert_eq!(redeem(&server, &first.code, "bob")["state"], "succeeded");
    let (status, why) = look(&server, &first.code);
    assert_eq!((status, &why["data"]["reason"]), (410, &json!("used_up")));
    server.post(&format!("/api/v1/vouchers/{}/revoke", second.id), &json!({})).expect(200);
    assert_eq!(look(&server, &second.code).1["data"]["reason"], "revoked");
    server.delete(&format!("/api/v1/vouchers/{}", second.id)).expect(204);
    assert_eq!(look(&server, &second.code).0, 404, "a deleted one isn't there");
    let revoked = server.post(&format!("/api/v1/vouchers/batches/{batch}/revoke"), &json!({})).expect(200).json();
    assert_eq!(revoked["revoked"], 2);
    assert_eq!(look(&server, &third.code).0, 410);
    let body = json!({ "code": third.code, "organisation": "late", "email": "late@example.test" });
    assert_eq!(server.send_as("", "POST", "/api/v1/redeem", Some(&body)).status, 410);
}

fn a_database_gives_no_code(database: &Database) {
    let server = database.server("");
    let (_, codes) = issue(&server, &json!({}));
    redeem(&server, &codes[0].code, "bob");
    let plain = codes[0].code.replace('-', "");
    for table in ["vouchers", "voucher_batches", "voucher_redemptions", "documents", "runs", "log", "steps", "audit"] {
        let all = match table {
            "documents" => "SELECT body FROM documents".to_owned(),
            "runs" => "SELECT input FROM runs".to_owned(),
            "log" => "SELECT coalesce(data, '') FROM log".to_owned(),
            "steps" => "SELECT args FROM steps".to_owned(),
            "audit" => "SELECT before || after || target FROM audit".to_owned(),
            other => format!("SELECT * FROM {other}"),
        };
        let text = database.sql(&server, &all);
        assert!(!text.contains(&codes[0].code) && !text.contains(&plain), "{table} holds the code: {text}");
    }
    let holder = database.sql(&server, "SELECT holder FROM voucher_redemptions");
    assert_eq!(holder.len(), 64, "who redeemed it stands there as a hash: {holder}");
}

#[test]
fn whoever_tries_codes_is_slowed_down() {
    let server = server("[vouchers]\neach_per_minute = 5\n");
    let statuses: Vec<u16> = (0..8).map(|_| look(&server, "AAAA-AAAA-AAAA-AAAA-AAAA").0).collect();
    assert_eq!(statuses, [404, 404, 404, 404, 404, 429, 429, 429]);
    let body = json!({ "code": "x", "organisation": "a", "email": "a@b.test" });
    let answer = server.send_as("", "POST", "/api/v1/redeem", Some(&body));
    assert_eq!((answer.status, answer.header("retry-after").is_some()), (429, true), "redeeming counts, too");
}

#[test]
fn small_batches_are_issued_at_once_and_large_ones_are_asked_about() {
    let server = server("[vouchers]\nissue_limit = 1000\n");
    server.post("/api/v1/organisations", &json!({ "name": "acme", "kind": "franchisee" })).expect(201);
    server.post("/api/v1/organisations", &json!({ "name": "bob", "parent": "acme" })).expect(201);
    crate::api::people::user(&server, "ann", "acme", "franchisee@acme");
    let ann = crate::api::people::token(&server, "ann");
    let ask = |body: &Value| server.send_as(&ann, "POST", "/api/v1/vouchers/batches", Some(body)).status;
    let batch = |more: Value| {
        let mut body = json!({ "name": "x", "credit": 500, "currency": "EUR" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    assert_eq!(ask(&batch(json!({ "count": 2 }))), 201, "in her own organisation");
    assert_eq!(ask(&batch(json!({ "count": 3 }))), 422);
    assert_eq!(ask(&batch(json!({ "max_redemptions": 0 }))), 422);
    assert_eq!(ask(&batch(json!({}))), 422, "many small ones are a large one");
    assert_eq!(ask(&batch(json!({ "currency": "OMR" }))), 201, "each currency for itself");
    assert_eq!(ask(&batch(json!({ "issuer": "platform" }))), 403);
    assert_eq!(
        ask(&batch(json!({ "signed": true, "expires_at_ms": 9_000_000_000_000_i64 }))),
        403,
        "an admin's signature"
    );
    let of_customer = server.post("/api/v1/vouchers/batches", &batch(json!({ "issuer": "bob" })));
    assert_eq!(of_customer.status, 403, "a customer issues nothing: {of_customer:?}");
    for wrong in [
        json!({ "credit": 0 }),
        json!({ "credit": -1 }),
        json!({ "currency": "euro" }),
        json!({ "count": 0 }),
        json!({ "count": 10_001 }),
        json!({ "expires_at_ms": 1 }),
        json!({ "signed": true }),
        json!({ "name": "" }),
        json!({ "credit": i64::MAX, "count": 2 }),
        json!({ "products": { "": 1 } }),
    ] {
        let body = batch(wrong.clone());
        assert_eq!(server.post("/api/v1/vouchers/batches", &body).status, 400, "{wrong}");
    }
    // The same key gives the same batch, and counts and is told once; for another one it isn't taken.
    let post = |token: &str, more: Value| {
        let headers = [("content-type", "application/json"), ("idempotency-key", "once")];
        let body = batch(more).to_string().into_bytes();
        server.raw("POST", "/api/v1/vouchers/batches", token, &headers, Some(body))
    };
    let entries =
        || server.get("/api/v1/audit?action=voucher.issue").expect(200).json()["items"].as_array().unwrap().len();
    let told = entries();
    let once = json!({ "issuer": "acme", "currency": "JPY" });
    let ids: Vec<Value> = (0..3).map(|_| post(&ann, once.clone()).expect(201).json()["id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(entries(), told + 1);
    assert_eq!(ask(&batch(json!({ "currency": "JPY" }))), 201, "what was asked for again took nothing of the limit");
    for other in [json!({ "credit": 900 }), json!({ "max_redemptions": 2 }), json!({ "description": "other" })] {
        let mut asked = once.clone();
        asked.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        assert_eq!(post(&server.token, asked).expect(409).json()["code"], "idempotency_conflict", "{other}");
    }
    server.post("/api/v1/vouchers/batches", &batch(json!({ "issuer": "acme" }))).expect(201);
    let totals = server.send_as(&ann, "GET", "/api/v1/vouchers/totals", None).json();
    let totals = totals.as_array().unwrap().iter().find(|one| one["currency"] == "EUR").cloned();
    let totals = json!([totals]);
    assert_eq!((&totals[0]["issuer"], &totals[0]["issued"]), (&json!("acme"), &json!(1_500)), "{totals:#}");
}

#[test]
fn an_issuer_that_goes_leaves_no_voucher_behind_however_many_it_issued() {
    let database = Database::sqlite();
    let server = database.server("");
    server.post("/api/v1/organisations", &json!({ "name": "acme", "kind": "franchisee" })).expect(201);
    let (first, _) = issue(&server, &json!({ "issuer": "acme" }));
    let more = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
                INSERT INTO voucher_batches SELECT 'z' || i, 'acme', name, 'z' || i, 1, credit, currency, signed, created_by, \
                created_at_ms FROM voucher_batches, n";
    database.sql(&server, more);
    server.post("/api/v1/organisations/acme/suspend", &json!({ "reason": "it goes" })).expect(200);
    server.delete("/api/v1/organisations/acme?offboard=true").expect(204);
    assert_eq!(database.sql(&server, &format!("SELECT sum(active) FROM vouchers WHERE batch = '{first}'")), "0");
}

#[test]
fn the_command_line_issues_shows_exports_and_takes_back() {
    let server = server("");
    let run = |arguments: &[&str]| crate::api::people::done(&server, arguments);
    let at = [
        "--issuer",
        "platform",
        "--name",
        "spring",
        "--credit",
        "700",
        "--currency",
        "EUR",
        "--count",
        "2",
        "--expires",
        "30d",
    ];
    let batch = run(&[&["vouchers", "issue"][..], &at].concat());
    let batch = batch["id"].as_str().unwrap();
    let codes = exported(&server, batch);
    assert_eq!(codes.len(), 2);
    assert_eq!(run(&["vouchers", "ls", "--batch", batch]).as_array().unwrap().len(), 2);
    assert_eq!(run(&["vouchers", "preview", &codes[0].code])["credit"], 700);
    assert_eq!(redeem(&server, &codes[0].code, "bob")["state"], "succeeded");
    let shown = run(&["vouchers", "show", &codes[0].id]);
    assert_eq!((&shown["times_redeemed"], &shown["redemptions"][0]["customer"]), (&json!(1), &json!("bob")));
    assert_eq!(run(&["vouchers", "revoke", batch])["revoked"], 2);
    assert_eq!(run(&["ledger", "verify"])["faults"], json!([]));
    assert_eq!(run(&["ledger", "balances", "--organisation", "bob"])[0]["amount"], -700);
    assert_eq!(run(&["ledger", "entries"]).as_array().unwrap().len(), 2);
    // A file that couldn't be written is no file.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut export = std::process::Command::new(windlass_tests::windlass_binary());
    export.current_dir(server.workflows()).args(["--data".as_ref(), server.data().as_os_str()]);
    let lost = export.args(["vouchers", "export", batch]).stdout(full).output().unwrap();
    let said = String::from_utf8_lossy(&lost.stderr).into_owned();
    assert!(!lost.status.success() && said.contains("couldn't be written"), "{said}");
    let (problem, done) = crate::api::people::windlass(&server, &["vouchers", "preview", &codes[1].code]);
    assert!(!done && problem.to_string().contains("gone"), "{problem}");
}
