//! Two Sovereigns: a signed voucher is redeemed while its issuer is down, and they settle afterwards.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use windlass_tests::{ApiServer, windlass_binary};

use super::{Database, balance, issue, redeem};

super::on_both!(a_voucher_of_one_is_redeemed_at_the_other_and_settled);

fn in_an_hour() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() + 3_600_000
}

fn trust(server: &ApiServer, name: &str, other: &ApiServer, limit: i64) {
    let key = typed(other, "key").unwrap()["public_key"].as_str().unwrap().to_owned();
    // A key may begin with a hyphen.
    let trusted =
        typed(server, &format!("trust {name} --public-key={key} --limit {limit} --url {}", other.url)).unwrap();
    assert_eq!((&trusted["name"], &trusted["limit"]), (&json!(name), &json!(limit)));
    assert_eq!(typed(server, "ls").unwrap()[0], trusted);
}

/// What `windlass sovereigns …` prints at a server, as JSON; its problem, if it fails.
fn typed(server: &ApiServer, arguments: &str) -> Result<Value, Value> {
    let mut command = std::process::Command::new(windlass_binary());
    command.args(["--json", "--server", &server.url, "sovereigns"]).args(arguments.split(' '));
    let output = command.env("WINDLASS_TOKEN", &server.token).output().unwrap();
    let parsed = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    if output.status.success() { Ok(parsed(&output.stdout)) } else { Err(parsed(&output.stderr)) }
}

fn settle(server: &ApiServer) -> Value {
    let run = server.launch("franchise/settle", &json!({ "sovereign": "omantel" }));
    server.ended(&run)
}

fn a_voucher_of_one_is_redeemed_at_the_other_and_settled(database: &Database) {
    // The issuer is on SQLite in both cases; whoever redeems is on each of them.
    let mut issuer = Database::sqlite().server("");
    let redeemer = database.server("");
    trust(&redeemer, "omantel", &issuer, 2_000);
    trust(&issuer, "muscat", &redeemer, 0);
    let (_, codes) = issue(&issuer, &json!({ "count": 5, "signed": true, "expires_at_ms": in_an_hour() }));
    let [one, twice, revoked, fourth, fifth] = &codes[..] else { panic!("{codes:?}") };
    let preview = |token: &str| redeemer.send_as("", "GET", &format!("/api/v1/redeem/{token}"), None).status;

    // The code itself is the issuer's affair; what it has signed anybody can check who trusts its key.
    issuer.kill();
    assert_eq!((preview(&one.code), preview(&one.signed)), (404, 200));
    let mut forged = one.signed.clone();
    forged.replace_range(8..9, if &forged[8..9] == "A" { "B" } else { "A" });
    assert_eq!(preview(&forged), 404, "a changed one");
    for (voucher, customer) in [(one, "bob"), (twice, "carol"), (revoked, "dave"), (fourth, "erin")] {
        let run = redeem(&redeemer, &voucher.signed, customer);
        assert_eq!(run["state"], "succeeded", "{run:#}");
    }
    assert_eq!(preview(&one.signed), 410, "it is used up here");
    assert_eq!(preview(&fifth.signed), 410, "what omantel may owe is used up");
    assert_eq!(database.sql(&redeemer, "SELECT count(*) FROM audit WHERE action = 'voucher.redeemed'"), "4");
    assert_eq!(balance(&redeemer, "platform:clearing/omantel:EUR"), 2_000);
    let away = settle(&redeemer);
    assert_eq!(away["problem"]["code"], "unavailable", "{away:#}");
    assert_eq!(balance(&redeemer, "platform:clearing/omantel:EUR"), 2_000, "nothing is lost");

    // Back again, it has redeemed one of them itself, and taken one back.
    issuer.restart();
    assert_eq!(redeem(&issuer, &twice.code, "mallory")["state"], "succeeded");
    issuer.post(&format!("/api/v1/vouchers/{}/revoke", revoked.id), &json!({})).expect(200);
    let settled = settle(&redeemer);
    let output = &settled["output"];
    assert_eq!(
        (&output["asked"], &output["accepted"], &output["pending"]),
        (&json!(4), &json!(2), &json!(0)),
        "{settled:#}"
    );
    assert_eq!(output["disputed"].as_array().unwrap().len(), 2, "{settled:#}");
    let again = settle(&redeemer);
    assert_eq!(again["output"]["asked"], 0, "{again:#}");

    // What was done is in both audit logs.
    let noted = |server: &ApiServer, action: &str| {
        let log = server.get(&format!("/api/v1/audit?action={action}")).expect(200).json();
        log["items"].as_array().unwrap().len()
    };
    assert_eq!((noted(&redeemer, "voucher.settle"), noted(&issuer, "voucher.judge")), (1, 1));

    let claims = |server: &ApiServer, peer: &str| {
        let claims = typed(server, &format!("claims {peer}")).unwrap();
        let words = |claim: &Value| format!("{} {}", claim["direction"], claim["state"]).replace('"', "");
        let mut states: Vec<String> = claims.as_array().unwrap().iter().map(words).collect();
        states.sort();
        states
    };
    let of = |way: &str| ["accepted", "accepted", "disputed", "disputed"].map(|state| format!("{way} {state}"));
    assert_eq!(claims(&redeemer, "omantel"), of("out"));
    assert_eq!(claims(&issuer, "muscat"), of("in"));

    // Each ledger balances, and what one owes is what the other is owed.
    assert_eq!(balance(&redeemer, "platform:clearing/omantel:EUR"), 0);
    assert_eq!(balance(&redeemer, "platform:receivable/omantel:EUR"), 1_000);
    assert_eq!(balance(&redeemer, "platform:disputed-vouchers:EUR"), 1_000);
    assert_eq!(balance(&issuer, "platform:payable/muscat:EUR"), -1_000);
    assert_eq!(balance(&issuer, "platform:vouchers-granted:EUR"), 1_500);
    let status = issuer.send_as("", "GET", &format!("/api/v1/redeem/{}", one.code), None).status;
    assert_eq!(status, 410, "at home it is used up, too");

    // What is paid is booked on both sides, once, and omantel may owe again.
    assert_eq!(preview(&fifth.signed), 200, "what it refused it doesn't owe");
    let pay = |server: &ApiServer, peer: &str, direction: &str, amount: i64| {
        let body = json!({ "direction": direction, "amount": amount, "currency": "eur", "reference": "SEPA-1" });
        server.post(&format!("/api/v1/sovereigns/{peer}/payments"), &body)
    };
    assert_eq!(pay(&redeemer, "omantel", "received", 1_001).status, 409, "more than it owes");
    assert_eq!(pay(&redeemer, "omantel", "received", 0).status, 400);
    assert_eq!(pay(&redeemer, "nobody", "received", 1).status, 404);
    let first = pay(&redeemer, "omantel", "received", 1_000).expect(200).json();
    assert_eq!(pay(&redeemer, "omantel", "received", 1_000).expect(200).json(), first);
    // At the other side it is typed, twice.
    let paid = || typed(&issuer, "pay muscat made 1000 eur SEPA-1");
    assert_eq!(paid().unwrap(), paid().unwrap());
    assert_eq!(
        typed(&issuer, "pay muscat made 1 EUR SEPA-2").unwrap_err()["error"]["code"],
        "conflict",
        "nothing is owed now"
    );
    assert_eq!(balance(&redeemer, "platform:receivable/omantel:EUR"), 0);
    assert_eq!(balance(&redeemer, "platform:bank:EUR"), 1_000);
    assert_eq!(balance(&issuer, "platform:payable/muscat:EUR"), 0);

    // A voucher that is kept here isn't redeemed any more once its issuer isn't trusted.
    let twice = json!({ "signed": true, "max_redemptions": 2, "expires_at_ms": in_an_hour() });
    let (_, more) = issue(&issuer, &twice);
    assert_eq!(redeem(&redeemer, &more[0].signed, "frank")["state"], "succeeded");
    assert_eq!(typed(&redeemer, "rm omantel").unwrap()["trusted"], false);
    let kept = database.sql(&redeemer, "SELECT id FROM vouchers WHERE origin = 'omantel' AND max_redemptions = 2");
    let input = json!({ "voucher": kept, "organisation": "grace", "owner_email": "grace@example.test" });
    let run = redeemer.ended(&redeemer.launch("franchise/redeem", &input));
    assert_eq!(run["problem"]["data"]["reason"], "untrusted", "{run:#}");
}

#[test]
fn only_who_is_trusted_is_heard() {
    let (issuer, stranger) = (Database::sqlite().server(""), Database::sqlite().server(""));
    let claims = json!({ "to": "0", "claims": [] }).to_string().into_bytes();
    for headers in [
        vec![("content-type", "application/json")],
        vec![("content-type", "application/json"), ("x-windlass-key", "0"), ("x-windlass-signature", "AAAA")],
    ] {
        let answer = issuer.raw("POST", "/api/v1/vouchers/claims", "", &headers, Some(claims.clone()));
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    let (_, codes) = issue(&issuer, &json!({ "signed": true, "expires_at_ms": in_an_hour() }));
    let preview =
        |server: &ApiServer, token: &str| server.send_as("", "GET", &format!("/api/v1/redeem/{token}"), None).status;
    assert_eq!(preview(&issuer, &codes[0].signed), 200, "its own it takes either way");
    assert_eq!(preview(&stranger, &codes[0].signed), 404, "a key that nobody trusts there");
    trust(&stranger, "omantel", &issuer, 500);
    assert_eq!(preview(&stranger, &codes[0].signed), 200);
    stranger.delete("/api/v1/sovereigns/omantel").expect(204);
    assert_eq!(preview(&stranger, &codes[0].signed), 404);
    // What was booked under its name is this key's for ever.
    let key = |server: &ApiServer| server.get("/api/v1/vouchers/key").expect(200).json()["public_key"].clone();
    let again = |name: &str, server: &ApiServer| {
        let body = json!({ "public_key": key(server), "limit": 500 });
        stranger.put(&format!("/api/v1/sovereigns/{name}"), &body).status
    };
    assert_eq!(again("omantel-two", &issuer), 409, "its key under another name");
    assert_eq!(again("omantel", &Database::sqlite().server("")), 409, "another key under its name");
    assert_eq!(again("omantel", &issuer), 200);
    stranger.delete("/api/v1/sovereigns/omantel").expect(204);
    let own = stranger.get("/api/v1/vouchers/key").expect(200).json();
    for (what, body) in [
        ("its own key", json!({ "public_key": own["public_key"], "limit": 1 })),
        ("no key", json!({ "public_key": "AAAA", "limit": 1 })),
        (
            "http to elsewhere",
            json!({ "public_key": issuer.get("/api/v1/vouchers/key").json()["public_key"], "url": "http://192.0.2.1", "limit": 1 }),
        ),
        (
            "less than nothing",
            json!({ "public_key": issuer.get("/api/v1/vouchers/key").json()["public_key"], "limit": -1 }),
        ),
    ] {
        assert_eq!(stranger.put("/api/v1/sovereigns/x", &body).status, 400, "{what}");
    }
}
