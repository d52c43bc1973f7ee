//! Ops of `claim` on a book that remembers what it was asked.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_model::{Code, Problem, RunId};

use super::{Claims, Offer, Offered, Step, module};
use crate::testing::Bench;

#[derive(Default)]
struct Book(Mutex<Vec<String>>);

impl Claims for Book {
    fn generate(&self, _: &Step<'_>, name: &str, bytes: usize, to: &[String]) -> Result<(String, bool), Problem> {
        self.0.lock().push(format!("generate {name} {bytes} {}", to.join(",")));
        Ok((format!("made/acme/{name}"), true))
    }

    fn forget(&self, _: &RunId, name: &str, _: Option<&str>) -> Result<(), Problem> {
        self.0.lock().push(format!("forget {name}"));
        Ok(())
    }

    fn returned(&self, _: &RunId, _: &str, _: &str) -> Result<Option<String>, Problem> {
        Ok(None)
    }

    fn offer(&self, offer: &Offer) -> Result<Offered, Problem> {
        let values: Vec<_> = offer.values.iter().map(|(key, value)| format!("{key}={}", value.as_str())).collect();
        let said = format!("offer {} {} {} {}", offer.name, values.join(","), offer.signal, offer.open_ms);
        self.0.lock().push(said);
        Ok(Offered { id: "1".into(), url: "u".into(), word: "w".into() })
    }

    fn withdraw(&self, name: &str, _: &RunId, by: Option<&str>) -> Result<(), Problem> {
        self.0.lock().push(format!("withdraw {name} {}", by.unwrap_or("by hand")));
        Ok(())
    }
}

fn refused(bench: &Bench, op: &str, args: Value) -> Problem {
    bench.call(op, args).unwrap_err()
}

#[test]
fn what_is_offered_reaches_the_book_and_names_are_looked_at() {
    let book = Arc::new(Book::default());
    let bench = Bench::new(module(book.clone()), &["claim.*:*"]);
    let made = bench.call("generate", json!(["acme/token"])).unwrap();
    assert_eq!(made, json!({ "secret": "made/acme/acme/token", "made": true }));
    bench.call("offer", json!(["acme/cp-1", { "values": { "a": "b" }, "open": "5m" }])).unwrap();
    bench.call("withdraw", json!(["acme/cp-1"])).unwrap();
    bench.call("forget", json!(["acme/token"])).unwrap();
    assert_eq!(
        *book.0.lock(),
        [
            "generate acme/token 32 claim:*",
            "offer acme/cp-1 a=b claim/acme/cp-1 300000",
            "withdraw acme/cp-1 by hand",
            "forget acme/token"
        ]
    );
    for name in ["", "a//b", "/a", "a b", "ä"] {
        for op in ["generate", "withdraw", "forget"] {
            assert_eq!(refused(&bench, op, json!([name])).code, Code::InvalidArgument, "{op} {name}");
        }
    }
    assert_eq!(refused(&bench, "generate", json!(["a", { "bytes": 8 }])).code, Code::InvalidArgument);
    assert_eq!(refused(&bench, "offer", json!(["a", { "open": "8d" }])).code, Code::InvalidArgument);
    assert_eq!(refused(&bench, "offer", json!(["a", { "returns": ["x/y"] }])).code, Code::InvalidArgument);
    assert_eq!(refused(&bench, "offer", json!(["a", { "word": "x" }])).code, Code::InvalidArgument);
}
