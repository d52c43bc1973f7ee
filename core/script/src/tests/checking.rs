//! Mistakes are found before a run, each with its place.

use super::fixture::Fixture;
use crate::check::{self, Diagnostic};

fn check(source: &str) -> Vec<Diagnostic> {
    let fixture = Fixture::new();
    let find = |name: &str| match name {
        "lib/tools" => Some("fn twice(n) { n * 2 }".to_owned()),
        "lib/needy" => Some(NEEDY.to_owned()),
        "lib/outer" => Some("import \"lib/needy\" as needy;\nfn far() { needy::near(1) }".to_owned()),
        _ => None,
    };
    check::source(&fixture.sandbox, "test/script", source, &find).diagnostics
}

const NEEDY: &str = "fn harmless() { t::echo(1) }\nfn near(n) {\n  inner(n)\n}\n\nprivate fn inner(n) {\n  let x = secret(\"x\"); t::make(n)\n}";

/// `code@line:column`, in order.
fn places(source: &str) -> Vec<String> {
    check(source).iter().map(|found| format!("{}@{}:{}", found.code, found.line, found.column)).collect()
}

const HEADER: &str = "const WORKFLOW = #{ name: \"test/script\", title: \"Test\", permissions: [\"t.write:*\"] };\n";

fn body(text: &str) -> Vec<String> {
    places(&format!("{HEADER}fn run(input) {{\n{text}\n}}\n"))
}

#[test]
fn a_good_file_has_nothing() {
    let source = format!(
        "{HEADER}import \"lib/tools\" as tools;\nconst A = 3;\n/// Doubles.\nfn helper(x) {{ x + global::A }}\n\
         fn run(input) {{\n  let m = t::make(\"a\"); let n = helper(1); let k = 4.helper2();\n  [1].map(|x| x + n);\n  log(\"info\", `${{m.name}}`);\n  tools::twice(n).to_string()\n}}\nfn helper2() {{ this + 1 }}\n"
    );
    assert_eq!(check(&source), []);
}

#[test]
fn three_mistakes_of_three_kinds_are_all_found() {
    let source = format!(
        "{HEADER}fn first() {{\n  let a = ;\n}}\n\nfn second() {{\n  t::ehco(1);\n  undefined_thing + 1\n}}\n\nfn third() {{\n  if true {{\n    1\n}}\n\nfn run(input) {{\n  sleep();\n}}\n"
    );
    let found = places(&source);
    assert_eq!(
        found,
        ["syntax@3:11", "unknown_function@7:6", "undefined_variable@8:3", "syntax@14:1", "wrong_arguments@17:3"]
    );
}

#[test]
fn calls_are_checked() {
    assert_eq!(body("t::echo()"), ["wrong_arguments@3:4"]);
    assert_eq!(body("t::echo(1, 2)"), ["wrong_arguments@3:4"]);
    assert_eq!(body("nothing_here(1)"), ["unknown_function@3:1"]);
    assert_eq!(body("let a = [1]; a.pussh(1)"), ["unknown_function@3:16"]);
    assert_eq!(body("net::create(1)"), ["unknown_module@3:1"]);
    assert_eq!(body("eval(\"1\")"), ["eval@3:1"]);
    assert_eq!(body("secret(\"x\")"), ["undeclared_permission@3:1"]);
    assert_eq!(body("import \"lib/other\" as o; o::x()"), ["unknown_module@3:1"]);
    assert_eq!(body("import \"lib/tools\" as o; o::twcie(1)"), ["unknown_function@3:29"]);
    assert_eq!(body("let fs = []; for h in [1, 2] { fs.push(|| log(h)); } parallel(fs)"), ["loop_capture@3:47"]);
    assert_eq!(body("for h in [1, 2] { [1].map(|x| x + h); }"), Vec::<String>::new());
}

#[test]
fn suggestions_name_what_was_meant() {
    let found = check(&format!("{HEADER}fn run(input) {{ t::ehco(1); slepe(\"1s\"); inputt }}"));
    let help: Vec<&str> = found.iter().map(|found| found.help.as_deref().unwrap_or("")).collect();
    assert_eq!(help, ["Did you mean `t::echo`?", "Did you mean `sleep`?", "Did you mean `input`?"]);
}

#[test]
fn the_top_level_and_the_header_are_checked() {
    assert_eq!(places("fn run(input) {}"), ["header@1:1"]);
    assert_eq!(places(&format!("{HEADER}let x = 1;\nfn run(input) {{}}")), ["top_level@2:1"]);
    assert_eq!(places(HEADER), ["no_run@1:1"]);
    assert_eq!(places(&format!("{HEADER}fn run() {{}}")), ["no_run@2:4"]);
    assert_eq!(places(&format!("{HEADER}fn sleep(x) {{}}\nfn run(input) {{}}")), ["shadows@2:4"]);
    assert_eq!(places(&format!("{HEADER}import \"lib/tools\" as t;\nfn run(input) {{}}")), ["shadows@2:1"]);
    let wrong_key = "const WORKFLOW = #{\n  name: \"test/script\",\n  titel: \"Test\" };\nfn run(input) {}";
    assert_eq!(places(wrong_key), ["header@3:3"]);
    let wrong_name = "const WORKFLOW = #{ title: \"Test\",\n  name: \"other\" };\nfn run(input) {}";
    assert_eq!(places(wrong_name), ["header@2:3"]);
    let wrong_schema = "const WORKFLOW = #{ name: \"test/script\", title: \"T\",\n  inputs: #{ type: \"object\", properties: #{ a: #{ type: \"x\" } } } };\nfn run(input) {}";
    assert_eq!(places(wrong_schema), ["header@2:3"]);
}

#[test]
fn diagnostics_show_the_place() {
    let source = format!("{HEADER}fn run(input) {{\n    t::ehco(1);\n}}\n");
    let text = check::render(&check(&source)[0], &source);
    assert_eq!(
        text,
        "error[unknown_function]: there is no function `t::ehco`\n --> test/script.rhai:3:8\n  |\n3 |     t::ehco(1);\n  |        ^^^^\n  = help: Did you mean `t::echo`?\n"
    );
}

#[test]
fn a_syntax_error_hides_nothing_else() {
    // In one function: an undefined variable, an unknown function, a wrong count, a missing grant; then a missing brace.
    let mistakes = "  let a = undefined_thing;\n  t::ehco(1);\n  t::echo();\n  secret(\"x\");\n";
    let expected =
        ["undefined_variable@3:11", "unknown_function@4:6", "wrong_arguments@5:6", "undeclared_permission@6:3"];
    let broken = [
        ("  if true {\n    a + 1\n}\n", "syntax@9:1"),
        ("  let b = ;\n  b + a\n}\n", "syntax@7:11"),
        ("  let m = #{ a: 1\n  let c = 2;\n  c\n}\n", "syntax@8:3"),
        ("  a + \"open\n}\n", "syntax@7:7"),
    ];
    for (tail, syntax) in broken {
        let mut found = places(&format!("{HEADER}fn run(input) {{\n{mistakes}{tail}\nfn after() {{ 1 }}\n"));
        let at = found.iter().position(|place| place.starts_with("syntax@"));
        assert_eq!(at.map(|at| found.remove(at)).as_deref(), Some(syntax), "{tail}: {found:?}");
        assert_eq!(found, expected, "{tail}");
    }
    // What comes after is found too, and two mistakes of the same kind.
    let found =
        places(&format!("{HEADER}fn run(input) {{\n  let a = ;\n  let b = 1 +;\n  t::ehco(a + b + nothing);\n}}\n"));
    assert_eq!(found, ["syntax@3:11", "syntax@4:14", "unknown_function@5:6", "undefined_variable@5:19"]);
}

#[test]
fn grants_that_an_imported_function_needs_are_named() {
    let source = format!(
        "{HEADER}import \"lib/outer\" as outer;\nimport \"lib/needy\" as needy;\nfn run(input) {{\n  needy::harmless();\n  outer::far();\n}}\n"
    );
    let found = check(&source);
    assert_eq!(places(&source), ["undeclared_permission@6:10"]);
    let (message, help) = (&found[0].message, found[0].help.as_deref().unwrap_or_default());
    assert!(message.contains("`outer::far` calls `secret` (lib/needy.rhai:7)"), "{message}");
    assert!(help.contains("secret.use"), "{help}");
}

#[test]
fn a_header_may_stand_behind_imports() {
    let source = format!("import \"lib/tools\" as tools;\n{HEADER}fn run(input) {{ tools::twice(1) }}\n");
    assert_eq!(check(&source), []);
    let header = crate::header::of_source("test/script", &source).unwrap();
    assert_eq!(header.permissions, ["t.write:*"]);
}
