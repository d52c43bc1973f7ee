//! Mistakes are found before a run, each with its place.

use super::fixture::Fixture;
use crate::check::{self, Diagnostic};

fn check(source: &str) -> Vec<Diagnostic> {
    let fixture = Fixture::new();
    let find = |name: &str| (name == "lib/tools").then(|| "fn twice(n) { n * 2 }".to_owned());
    check::source(&fixture.sandbox, "test/script", source, &find).diagnostics
}

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
