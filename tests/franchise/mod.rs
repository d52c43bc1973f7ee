//! A franchise on real servers: vouchers, the ledger, and what two Sovereigns owe each other.

mod bounds;
mod codes;
mod progress;
mod race;
mod sovereigns;
mod whole;

use std::path::Path;

use serde_json::{Value, json};
use windlass_tests::{ApiServer, postgres, skip};

/// Runs each case on SQLite and on PostgreSQL. A case is given the line of `windlass.toml` that names the database, and asks
/// the database itself with `Sql`.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $case() { super::$case(&super::super::Database::sqlite()) })+
        }
        mod postgres {
            $(#[test] fn $case() {
                if let Some(database) = super::super::Database::postgres() {
                    super::$case(&database)
                }
            })+
        }
    };
}
pub(crate) use on_both;

/// The workflows of a franchise, and what they import.
const NAMES: [&str; 7] = [
    "franchise/onboard",
    "franchise/issue-vouchers",
    "franchise/redeem",
    "franchise/settle",
    "franchise/suspend",
    "franchise/offboard",
    "lib/letters",
];

/// Where a server keeps what it knows.
pub struct Database {
    url: Option<String>,
}

impl Database {
    pub fn sqlite() -> Self {
        Self { url: None }
    }

    pub fn postgres() -> Option<Self> {
        let url = postgres::database();
        if url.is_none() {
            skip("no PostgreSQL is installed under /usr/lib/postgresql");
        }
        url.map(|url| Self { url: Some(url) })
    }

    /// A server with the workflows that ship, which lets this address ask for many codes.
    pub fn server(&self, settings: &str) -> ApiServer {
        let database = self.url.as_ref().map(|url| format!("database = \"{url}\"\n")).unwrap_or_default();
        server(&format!("{database}[vouchers]\neach_per_minute = 100000\nall_per_minute = 100000\n{settings}"))
    }

    /// What a program other than ours reads in the database.
    pub fn sql(&self, server: &ApiServer, text: &str) -> String {
        match &self.url {
            Some(url) => postgres::sql(url, text),
            None => {
                let file = server.data().join("windlass.db");
                let output =
                    std::process::Command::new("sqlite3").arg(file).arg(text).output().expect("sqlite3 starts");
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                String::from_utf8_lossy(&output.stdout).trim().to_owned()
            }
        }
    }
}

/// A server with the workflows that ship.
fn server(settings: &str) -> ApiServer {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows");
    let read = |name: &str| std::fs::read_to_string(folder.join(format!("{name}.rhai"))).expect("a workflow");
    let sources: Vec<(&str, String)> = NAMES.iter().map(|name| (*name, read(name))).collect();
    let sources: Vec<(&str, &str)> = sources.iter().map(|(name, source)| (*name, source.as_str())).collect();
    ApiServer::start_with(&sources, &[], settings)
}

/// Issues a batch; its codes in the order of the export, with the signed forms where there are any.
fn issue(server: &ApiServer, options: &Value) -> (String, Vec<Code>) {
    let mut body = json!({ "issuer": "platform", "name": "spring", "credit": 500, "currency": "EUR" });
    body.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    let batch = server.post("/api/v1/vouchers/batches", &body).expect(201).json();
    let batch = batch["id"].as_str().unwrap().to_owned();
    let codes = exported(server, &batch);
    (batch, codes)
}

/// A voucher as its issuer gives it away.
#[derive(Clone, Debug)]
struct Code {
    id: String,
    code: String,
    signed: String,
}

fn exported(server: &ApiServer, batch: &str) -> Vec<Code> {
    let text = server.get(&format!("/api/v1/vouchers/batches/{batch}/export")).expect(200).text;
    let rows = text.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let signed = fields.get(9).copied().unwrap_or_default().to_owned();
        Code { id: fields[0].to_owned(), code: fields[1].to_owned(), signed }
    });
    rows.collect()
}

/// Redeems a code for a customer; the run, once it has ended.
fn redeem(server: &ApiServer, code: &str, customer: &str) -> Value {
    let body = json!({ "code": code, "organisation": customer, "email": format!("{customer}@example.test") });
    let begun = server.send_as("", "POST", "/api/v1/redeem", Some(&body)).expect(202).json();
    server.ended(begun["run"].as_str().unwrap())
}

/// An account's sum; 0 if it was never opened. Everything is looked at on the way.
fn balance(server: &ApiServer, account: &str) -> i64 {
    let check = server.get("/api/v1/ledger/verify").expect(200).json();
    assert_eq!(check["faults"], json!([]), "{check:#}");
    let all = server.get("/api/v1/ledger/balances").expect(200).json();
    let sum: i64 = all.as_array().unwrap().iter().map(|one| one["amount"].as_i64().unwrap()).sum();
    assert_eq!(sum, 0, "everything balances: {all:#}");
    let found = all.as_array().unwrap().iter().find(|one| one["account"] == account);
    found.map_or(0, |one| one["amount"].as_i64().unwrap())
}
