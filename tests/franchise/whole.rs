//! From the platform to the customer: onboard, issue, redeem, with the letters that people get; and the ways back.

use serde_json::{Value, json};
use windlass_tests::{ApiServer, mail::MailServer};

use super::{Database, balance, exported, redeem};
use crate::api::people;

super::on_both!(
    a_franchisee_issues_and_its_customer_redeems,
    what_fails_afterwards_gives_the_voucher_back,
    who_goes_leaves_its_credit_and_the_ledger_stays,
);

fn house(database: &Database) -> Option<(ApiServer, MailServer)> {
    let mail = MailServer::start("none")?;
    let settings = mail.settings();
    let lines = settings.as_object().unwrap().iter().map(|(key, value)| format!("{key} = {value}\n"));
    let server = database.server(&format!("[hosts.notify.email]\n{}", lines.collect::<String>()));
    let onboarded =
        ran(&server, "franchise/onboard", &json!({ "name": "acme", "title": "Acme", "owner_email": "ann@acme.test" }));
    assert_eq!(
        (&onboarded["state"], &onboarded["output"]["told"]),
        (&json!("succeeded"), &json!(true)),
        "{onboarded:#}"
    );
    Some((server, mail))
}

fn ran(server: &ApiServer, workflow: &str, input: &Value) -> Value {
    let run = server.launch(workflow, input);
    server.ended(&run)
}

fn issued(server: &ApiServer, more: &Value) -> Vec<super::Code> {
    let mut input =
        json!({ "issuer": "acme", "name": "spring", "credit": 2_500, "currency": "EUR", "tell": "ann@acme.test" });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let run = ran(server, "franchise/issue-vouchers", &input);
    assert_eq!(run["state"], "succeeded", "{run:#}");
    exported(server, run["output"]["batch"].as_str().unwrap())
}

fn subjects(mail: &MailServer, to: &str) -> Vec<String> {
    let own = mail.taken().into_iter().filter(|message| message["to"][0] == to);
    let subject = |message: Value| {
        let headers = message["headers"].as_array().unwrap().clone();
        let found =
            headers.iter().find(|header| header[0] == "Subject").map(|header| header[1].as_str().unwrap().to_owned());
        found.unwrap_or_default()
    };
    own.map(subject).collect()
}

fn a_franchisee_issues_and_its_customer_redeems(database: &Database) {
    let Some((server, mail)) = house(database) else { return };
    let codes = issued(&server, &json!({ "count": 2 }));
    let run = redeem(&server, &codes[0].code, "bob");
    assert_eq!(run["state"], "succeeded", "{run:#}");
    assert_eq!(
        (&run["organisation"], &run["output"]["amount"], &run["output"]["told"]),
        (&json!("acme"), &json!(2_500), &json!(true))
    );
    let bob = server.get("/api/v1/organisations/bob").expect(200).json();
    assert_eq!((&bob["parent"], &bob["kind"]), (&json!("acme"), &json!("customer")), "{bob:#}");
    let places = server.get("/api/v1/organisations/bob/environments").expect(200).text;
    assert!(places.contains("production"), "{places}");
    assert_eq!(balance(&server, "bob:credit:EUR"), -2_500);
    assert_eq!(balance(&server, "acme:vouchers-granted:EUR"), 2_500);
    let letters = subjects(&mail, "bob@example.test");
    assert!(letters.iter().any(|subject| subject == "bob is ready"), "{letters:?}");
    assert!(subjects(&mail, "ann@acme.test").iter().any(|subject| subject == "Acme is ready"));
    assert!(!mail.taken().iter().any(|message| message.to_string().contains(&codes[1].code)), "no letter holds a code");
    // Acme's people see their own; the neighbours see nothing of it; the platform sees the sums.
    ran(&server, "franchise/onboard", &json!({ "name": "zeta", "owner_email": "zoe@zeta.test" }));
    people::user(&server, "ann", "acme", "franchisee@acme");
    people::user(&server, "zoe", "zeta", "franchisee@zeta");
    let (ann, zoe) = (people::token(&server, "ann"), people::token(&server, "zoe"));
    let get = |token: &str, path: &str| server.send_as(token, "GET", path, None);
    let totals = json!([{ "issuer": "acme", "currency": "EUR", "vouchers": 2, "issued": 5_000, "redeemed": 2_500,
                          "outstanding": 2_500, "unlimited": 0 }]);
    assert_eq!(get(&ann, "/api/v1/vouchers/totals").json(), totals);
    assert_eq!(server.get("/api/v1/vouchers/totals").json(), totals);
    for path in [
        "/api/v1/vouchers/totals",
        "/api/v1/vouchers/batches",
        "/api/v1/ledger/balances",
        "/api/v1/ledger/balances?organisation=acme",
    ] {
        assert_eq!(get(&zoe, path).json(), json!([]), "{path}");
    }
    for path in ["/api/v1/vouchers", "/api/v1/vouchers?issuer=acme", "/api/v1/ledger/entries?organisation=acme"] {
        assert_eq!(get(&zoe, path).json()["items"], json!([]), "{path}");
    }
    assert_eq!(get(&zoe, &format!("/api/v1/vouchers/{}", codes[0].id)).status, 404);
    assert_eq!(get(&ann, &format!("/api/v1/vouchers/{}", codes[0].id)).status, 200);
    // A run of zeta's redeems nothing of acme's, id or not.
    let body = json!({ "workflow": "franchise/redeem", "organisation": "zeta",
                       "input": { "voucher": codes[1].id, "organisation": "thief", "owner_email": "t@t.test" } });
    let run = server.post("/api/v1/runs", &body).expect(201).json();
    assert_eq!(server.ended(run["id"].as_str().unwrap())["problem"]["code"], "not_found");
}

fn what_fails_afterwards_gives_the_voucher_back(database: &Database) {
    let Some((server, mail)) = house(database) else { return };
    let codes = issued(&server, &json!({}));
    // Acme may have no customers: that comes out after the voucher is taken.
    server.put("/api/v1/organisations/acme/quotas", &json!({ "customers": 0 })).expect(200);
    let run = redeem(&server, &codes[0].code, "late");
    assert_eq!((&run["state"], &run["problem"]["code"]), (&json!("rolled_back"), &json!("limit_exceeded")), "{run:#}");
    assert_eq!(subjects(&mail, "late@example.test"), Vec::<String>::new(), "what fails writes to nobody");
    server.put("/api/v1/organisations/acme/quotas", &json!({})).expect(200);
    assert_eq!((balance(&server, "late:credit:EUR"), balance(&server, "acme:vouchers-granted:EUR")), (0, 0));
    let entries = server.get("/api/v1/ledger/entries").expect(200).json();
    assert_eq!(entries["items"].as_array().unwrap().len(), 4, "it was booked, and booked back: {entries:#}");
    let voucher = server.get(&format!("/api/v1/vouchers/{}", codes[0].id)).expect(200).json();
    assert_eq!((&voucher["times_redeemed"], &voucher["open"]), (&json!(0), &json!(true)));
    assert_eq!(redeem(&server, &codes[0].code, "bob")["state"], "succeeded", "somebody else can have it");
}

fn who_goes_leaves_its_credit_and_the_ledger_stays(database: &Database) {
    let Some((server, _mail)) = house(database) else { return };
    let codes = issued(&server, &json!({}));
    assert_eq!(redeem(&server, &codes[0].code, "bob")["state"], "succeeded");
    let suspended = ran(&server, "franchise/suspend", &json!({ "organisation": "bob", "reason": "unpaid" }));
    assert_eq!(suspended["state"], "succeeded", "{suspended:#}");
    assert_eq!(server.get("/api/v1/organisations/bob").json()["suspended"], true);
    // Somebody else than who launched it has to approve.
    people::user(&server, "carl", "platform", "admin@*");
    let carl = people::token(&server, "carl");
    let run = server.launch("franchise/offboard", &json!({ "organisation": "bob", "issuer": "acme" }));
    let approval = windlass_tests::wait_for("the approval", std::time::Duration::from_secs(60), || {
        let all = server.send_as(&carl, "GET", "/api/v1/approvals", None).expect(200).json();
        all["items"].as_array().unwrap().iter().find(|one| one["run"] == run.as_str()).cloned()
    });
    let decision = json!({ "approved": true, "digest": approval["request"]["digest"] });
    let path = format!("/api/v1/runs/{run}/approvals/{}/decision", approval["path"].as_str().unwrap());
    let decided = server.send_as(&carl, "POST", &path, Some(&decision));
    assert!(decided.status < 300, "{decided:?}");
    let ended = server.ended(&run);
    assert_eq!((&ended["state"], &ended["output"]["written_off"]), (&json!("succeeded"), &json!(1)), "{ended:#}");
    assert_eq!(server.get("/api/v1/organisations/bob").status, 404);
    assert_eq!((balance(&server, "bob:credit:EUR"), balance(&server, "acme:vouchers-granted:EUR")), (0, 0));
    assert_eq!(server.get("/api/v1/ledger/entries").json()["items"].as_array().unwrap().len(), 4);
}
