//! Plugins' scripts, with a caller that answers from a table.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use zeroize::Zeroizing;

use super::{Ask, Call, Credential, Failed, HttpAsk, Program, Refusal, Values, call};

/// What the call did, and what it asked for.
struct Ran {
    result: Result<Value, Problem>,
    asked: Vec<HttpAsk>,
    logged: Vec<String>,
}

fn run(source: &str) -> Ran {
    run_with(source, &mut |_| Ok(json!({ "status": 200, "text": "", "headers": {}, "json": null })))
}

fn run_with(source: &str, answer: &mut dyn FnMut(&HttpAsk) -> super::Reply) -> Ran {
    let program = Arc::new(Program::new("registrars/x", source, &["validate".into()]).unwrap());
    let credentials =
        BTreeMap::from([("user".to_owned(), Credential::Plain("bob".into())), ("key".to_owned(), Credential::Secret)]);
    let request = json!({ "domain": "example.net" });
    let limits = Call {
        function: "validate",
        request: &request,
        credentials: &credentials,
        operations: 1_000_000,
        time: Duration::from_secs(20),
    };
    let (mut asked, mut logged) = (Vec::new(), Vec::new());
    let result = call(&program, &limits, &|| false, &mut |ask| match ask {
        Ask::Http(ask) => {
            let reply = answer(&ask);
            asked.push(*ask);
            reply
        }
        Ask::Wait(_) => Ok(Value::Null),
        Ask::Log(line) => {
            logged.push(line);
            Ok(Value::Null)
        }
    });
    Ran { result, asked, logged }
}

fn body(text: &str) -> String {
    format!("fn validate(request) {{\n{text}\n}}\n")
}

struct Known;

impl Values for Known {
    fn field(&self, name: &str) -> Result<Zeroizing<String>, Problem> {
        Ok(Zeroizing::new(format!("<{name}>")))
    }
    fn step(&self, _: &[u8]) -> Result<u64, Problem> {
        Ok(1)
    }
    fn seen(&self, _: &str) {}
}

#[test]
fn a_call_computes_asks_and_returns() {
    let ran = run(&body(
        r#"let key = request.credentials.key;
           let answer = http::post("https://api.example.net/v1/x", #{
               headers: #{ authorization: "sso-key " + request.credentials.user + ":" + key },
               json: #{ keys: [key], n: 1 },
           });
           log(`${answer.status}`);
           #{ ok: answer.status == 200, split: domain::split("www.münchen.example.co.uk") }"#,
    ));
    let result = ran.result.unwrap();
    assert_eq!(result, json!({ "ok": true, "split": { "sld": "www.xn--mnchen-3ya.example", "tld": "co.uk" } }));
    assert_eq!(ran.logged, ["200"]);
    let ask = &ran.asked[0];
    assert_eq!((ask.method, ask.url.as_str()), ("POST", "https://api.example.net/v1/x"));
    assert_eq!(*ask.headers["authorization"].value(&Known).unwrap(), "sso-key bob:<key>");
    assert_eq!(ask.json.as_ref().unwrap().value(&Known).unwrap(), json!({ "keys": ["<key>"], "n": 1 }));
}

#[test]
fn signatures_are_those_of_the_official_client() {
    // Computed by the provider's own client, for secret `ASecret`, consumer `CKey` and the time 1700000000.
    struct Ovh;
    impl Values for Ovh {
        fn field(&self, _: &str) -> Result<Zeroizing<String>, Problem> {
            Ok(Zeroizing::new("ASecret".into()))
        }
        fn step(&self, _: &[u8]) -> Result<u64, Problem> {
            Ok(0)
        }
        fn seen(&self, _: &str) {}
    }
    let ran = run(&body(
        r#"let body = json::text(#{ nameServers: [#{ host: "ns1.example.net" }] });
           let url = "https://eu.api.ovh.com/1.0/domain/example.com/nameServers/update";
           let sign = |method, url, body| "$1$" + sha1([request.credentials.key, "+", "CKey", "+", method, "+", url, "+", body, "+", 1700000000]);
           http::post(url, #{ body: body, headers: #{ s: sign.call("POST", url, body) } });
           http::get(url, #{ headers: #{ s: sign.call("GET", "https://eu.api.ovh.com/1.0/domain", "") } });"#,
    ));
    ran.result.unwrap();
    let signed: Vec<String> = ran.asked.iter().map(|ask| ask.headers["s"].value(&Ovh).unwrap().to_string()).collect();
    let known = ["$1$49be5c9475b20989056f7de1b978e326880d80f6", "$1$b4f503200d8e1e736ed2c2f75226e5bf27adde8b"];
    assert_eq!(signed, known);
}

#[test]
fn a_credential_stays_opaque() {
    for attempt in [
        "`${key}`",
        "key.to_string()",
        "\"\" + [key]",
        "key == \"a\"",
        "\"a\" == key",
        "key == key",
        "key < \"b\"",
        "key.len",
        "key.len()",
        "key[0]",
        "key.sub_string(0, 1)",
        "key.contains(\"a\")",
        "key.starts_with(\"a\")",
        "#{}[key]",
        "#{ a: key }.to_json()",
        "json::text(#{ a: key })",
        "json::text(key)",
        "form::text(#{ a: key })",
        "log(key)",
        "throw key",
        "throw #{ kind: \"rejected\", reason: key }",
        "refuse(\"rejected\", key)",
        "parse_int(key)",
        "key.hash()",
        "return key",
        "return #{ a: [key] }",
        "[\"a\", key].contains(\"a\") && [key].index_of(key) == 0",
        "let a = [key, \"x\"]; a.sort(); a",
        "switch key { \"a\" => 1, _ => throw \"no\" }",
        "http::get(\"https://api.example.net/\" + key)",
        "http::get(key)",
        "sha1([key]).len()",
        "base64(key) == \"x\"",
        "totp(key) == \"123456\"",
        "domain::ascii(key)",
        "xml::parse(key)",
        "json::parse(key)",
        "key in \"abc\"",
        "print(key); throw \"printed\"",
    ] {
        let source = body(&format!("let key = request.credentials.key;\n{attempt}"));
        // What the checker refuses already is as good.
        if Program::new("registrars/x", &source, &[]).is_err() {
            continue;
        }
        let ran = run(&source);
        // Interpolated, its type's name stands there.
        let name = |value: &Value| value.as_str().is_some_and(|text| text.trim_matches(['[', ']']) == "credential");
        let harmless = ran.result.as_ref().is_ok_and(name);
        assert!(ran.result.is_err() || harmless, "{attempt}: {:?}", ran.result);
        assert!(ran.asked.is_empty(), "{attempt}");
        assert!(ran.logged.iter().all(|line| !line.contains("key")), "{attempt}: {:?}", ran.logged);
    }
}

#[test]
fn refusals_keep_their_kind_and_mistakes_their_place() {
    let ran = run(&body("refuse(\"rate_limited\", \"slowly\", #{ retry_after: 7 })"));
    let problem = ran.result.unwrap_err();
    assert_eq!((Refusal::of(&problem), problem.data["retry_after"].as_i64()), (Some(Refusal::RateLimited), Some(7)));
    assert!(problem.retryable && problem.code == Code::Unavailable);
    let problem = run(&body("refuse(\"invalid_credentials\", \"key unknown\")")).result.unwrap_err();
    assert_eq!(problem.code, Code::RegistrarRefused);
    assert_eq!(problem.message, "registrars/x doesn't know these credentials: key unknown");
    let problem = run(&body("let x = 1;\nx.y.z")).result.unwrap_err();
    assert_eq!((problem.code, problem.site.unwrap().line), (Code::ScriptError, 3));
    let caught = run_with(&body("try { http::get(\"https://x.example/\") } catch (e) { return e.kind }"), &mut |_| {
        Err(Failed::Refused(Refusal::ProviderUnavailable, "503".into(), Value::Null))
    });
    assert_eq!(caught.result.unwrap(), "provider_unavailable");
    // All kinds are told apart in words.
    let words: std::collections::BTreeSet<String> =
        Refusal::ALL.iter().map(|kind| kind.problem("x", "", &Value::Null).message).collect();
    assert_eq!(words.len(), 10);
}

#[test]
fn nothing_goes_on_after_the_end() {
    let swallowed = "try { [1].map(|x| http::get(\"https://x.example/\")) } catch {}\n1";
    let denied = || Failed::Ended(Box::new(Problem::new(Code::PermissionDenied, "no")));
    let ran = run_with(&body(swallowed), &mut |_| Err(denied()));
    assert_eq!(ran.result.unwrap_err().code, Code::PermissionDenied);
    for endless in [
        "loop {}",
        "while true { try { loop {} } catch {} }",
        "let s = \"x\"; loop { s += s; }",
        "let a = []; loop { a.push(a.len()) }",
        "fn f(n) { f(n + 1) } f(0)",
    ] {
        let source =
            if endless.starts_with("fn") { format!("fn f(n) {{ f(n + 1) }}\n{}", body("f(0)")) } else { body(endless) };
        let begin = std::time::Instant::now();
        assert!(run(&source).result.is_err(), "{endless}");
        assert!(begin.elapsed() < Duration::from_secs(10), "{endless}");
    }
}

#[test]
fn a_script_is_checked_before_it_is_called() {
    for (source, told) in [
        ("fn validate(", "main.rhai:1"),
        ("fn validate(r) {\n    nope(1)\n}", "main.rhai:2:5: there is no function `nope`"),
        ("fn validate(r) { http::got(\"x\") }", "there is no function `http::got`"),
        ("fn validate(r) { exec::run([]) }", "Undefined module: exec"),
        ("fn validate(r) { http::get() }", "doesn't take 0 arguments"),
        ("import \"lib/lab\" as lab;\nfn validate(r) { 1 }", "main.rhai:1"),
        ("fn validate() { 1 }", "has no `fn validate(request)`"),
        ("fn validate(r) { eval(\"1\") }", "main.rhai:1"),
        ("fn validate(r) { secret(\"x\") }", "there is no function `secret`"),
        ("fn validate(r) { sleep(\"1s\", 2) }", "`sleep`"),
    ] {
        let problem = Program::new("registrars/x", source, &["validate".into()]).err().unwrap();
        assert!(problem.message.contains(told), "{source}: {}", problem.message);
    }
}

#[test]
fn formats_are_read() {
    let ran = run(&body(
        r#"let doc = xml::parse("<a s='ok' xmlns='u:x'><b n='1'>one</b><b n='2'/><c><b>deep</b></c></a>");
           [doc.attributes.s, xml::all(doc, "b").map(|b| b.attributes.n), xml::all(doc, "c/b")[0].text,
            form::text(#{ a: "x y&z", n: 5 }), form::parse("a=x+y%26z").a, json::text(#{ b: [1, ()], a: "ü" }),
            domain::unicode("xn--mnchen-3ya.example."), domain::ascii("MÜNCHEN.example."), sha1(["a", "b"])]"#,
    ));
    let expected = json!([
        "ok",
        ["1", "2"],
        "deep",
        "a=x%20y%26z&n=5",
        "x y&z",
        "{\"a\":\"ü\",\"b\":[1,null]}",
        "münchen.example",
        "xn--mnchen-3ya.example",
        "da23614e02469a0d7c7bd1bdab5c9c474b1904dc"
    ]);
    assert_eq!(ran.result.unwrap(), expected);
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbb\">]><a>&b;</a>";
    let problem = run(&body(&format!("xml::parse({bomb:?})"))).result.unwrap_err();
    assert_eq!(Refusal::of(&problem), Some(Refusal::ProviderUnavailable));
}
