//! Two hundred customers at the last redemptions of a voucher: exactly as many get one as may.

use std::sync::Barrier;

use serde_json::json;

use super::{Database, balance, issue};

super::on_both!(two_hundred_customers_and_three_redemptions);

const CUSTOMERS: usize = 200;
const ALLOWED: i64 = 3;

fn two_hundred_customers_and_three_redemptions(database: &Database) {
    let server = database.server("");
    let (_, codes) = issue(&server, &json!({ "max_redemptions": ALLOWED }));
    let code = &codes[0];
    let gate = Barrier::new(CUSTOMERS);
    let runs: Vec<String> = std::thread::scope(|scope| {
        let customers: Vec<_> = (0..CUSTOMERS)
            .map(|number| {
                let (server, gate, code, voucher) = (&server, &gate, &code.code, &code.id);
                scope.spawn(move || {
                    let name = format!("customer-{number}");
                    let email = format!("{name}@example.test");
                    let body = json!({ "code": code, "organisation": name, "email": email });
                    gate.wait();
                    // Half of them go in by the house's own door, where nobody looks beforehand whether it is used up.
                    if number % 2 == 0 {
                        let input = json!({ "voucher": voucher, "organisation": name, "owner_email": email });
                        return Some(server.launch("franchise/redeem", &input));
                    }
                    let answer = server.send_as("", "POST", "/api/v1/redeem", Some(&body));
                    match answer.status {
                        202 => answer.json()["run"].as_str().map(str::to_owned),
                        // It was used up before this one could ask.
                        410 => None,
                        _ => panic!("{answer:?}"),
                    }
                })
            })
            .collect();
        customers.into_iter().filter_map(|customer| customer.join().unwrap()).collect()
    });
    assert!(runs.len() >= CUSTOMERS / 2, "{} runs", runs.len());
    let ended: Vec<_> = runs.iter().map(|run| server.ended(run)).collect();
    let won = ended.iter().filter(|run| run["state"] == "succeeded").count();
    assert_eq!(won, usize::try_from(ALLOWED).unwrap());
    for run in ended.iter().filter(|run| run["state"] != "succeeded") {
        assert_eq!((&run["state"], &run["problem"]["code"]), (&json!("rolled_back"), &json!("gone")), "{run:#}");
    }
    let voucher = server.get(&format!("/api/v1/vouchers/{}", code.id)).expect(200).json();
    assert_eq!((&voucher["times_redeemed"], &voucher["closed"]), (&json!(ALLOWED), &json!("used_up")));
    assert_eq!(balance(&server, "platform:vouchers-granted:EUR"), 500 * ALLOWED);
    // What the database itself says.
    let sql = |text: &str| database.sql(&server, text);
    assert_eq!(sql("SELECT count(*) FROM voucher_redemptions"), ALLOWED.to_string());
    assert_eq!(sql("SELECT count(*) FROM ledger_entries"), (2 * ALLOWED).to_string());
    let unbalanced = "SELECT count(*) FROM (SELECT transaction_id FROM ledger_entries GROUP BY transaction_id, currency \
                      HAVING sum(amount) <> 0) AS unbalanced";
    assert_eq!(sql(unbalanced), "0");
    assert_eq!(sql("SELECT coalesce(sum(amount), 0) FROM ledger_entries WHERE account LIKE '%:credit:EUR'"), "-1500");
    let organisations = sql("SELECT count(*) FROM documents WHERE kind = 'organisation' AND id LIKE 'customer-%'");
    assert_eq!(organisations, ALLOWED.to_string(), "who lost has no organisation");
}
