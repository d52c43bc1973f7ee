//! Every function of the standard package with extreme arguments: none panics, hangs or takes memory without end.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::fixture::{Fixture, on_stack};
use crate::meter;

/// Calls of one function at most; combinations beyond are skipped evenly.
const CALLS_EACH: usize = 24;

fn values(kind: &str) -> &'static [&'static str] {
    match kind.trim_start_matches("&mut ").trim_start_matches('&') {
        "INT" | "i64" | "int" => &["0", "1", "-1", "63", "64", "1000", "imax", "imin", "(imax - 1)"],
        "FLOAT" | "f64" | "float" => &["0.0", "-1.5", "nan", "inf", "(-inf)", "1e300", "1e-300"],
        "String" | "str" | "ImmutableString" | "string" => &["\"\"", "\"a\"", "\"äöü€😀\"", "big"],
        "char" => &["'a'", "'😀'"],
        "bool" => &["true", "false"],
        "Array" | "array" => &["[]", "[3, \"a\", (), [1]]", "bigarr"],
        "Map" | "map" => &["#{}", "#{ a: 1, b: [2] }"],
        "Blob" | "blob" => &["blob()", "blob(5, 7)", "blob(9000, 1)"],
        "FnPtr" | "Fn" => &["Fn(\"back\")", "|x| x", "|x, y| x", "|| 1", "|x| throw 1"],
        "Dynamic" | "?" => &["1", "()", "\"x\"", "[1]", "imin"],
        "ExclusiveRange" | "range" | "Range<INT>" => &["(0..2)", "(imin..imax)", "(5..1)", "(-3..2)"],
        "InclusiveRange" | "RangeInclusive<INT>" | "range=" => &["(0..=2)", "(imin..=imax)", "(5..=1)", "(-3..=2)"],
        "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "u64" | "i128" | "u128" | "f32" | "usize" => &[],
        _ => &["1", "()"],
    }
}

fn expression(name: &str, args: &[&str]) -> Option<String> {
    let rest = || args.get(1..).unwrap_or_default().join(", ");
    let word = name.starts_with(|letter: char| letter.is_alphabetic());
    match (name, args.len()) {
        ("index$get$", _) => Some(format!("x[{}]", args.get(1)?)),
        ("index$set$", _) => Some(format!("x[{}] = {}", args.get(1)?, args.get(2)?)),
        (name, _) if name.starts_with("get$") => Some(format!("x.{}", &name[4..])),
        (name, _) if name.starts_with("set$") => Some(format!("x.{} = {}", &name[4..], args.get(1)?)),
        (name, 0) if word => Some(format!("{name}()")),
        (name, _) if word => Some(format!("x.{name}({})", rest())),
        (name, 2) => Some(format!("x {name} {}", args[1])),
        _ => None,
    }
}

/// The source with the values that it uses: making the large ones takes most of the time.
fn prelude(source: &str) -> String {
    let values = [
        ("back", "fn back(x) { x }"),
        ("imax", "let imax = 9223372036854775807;"),
        ("imin", "let imin = -9223372036854775807 - 1;"),
        ("nan", "let nan = 0.0 / 0.0;"),
        ("inf", "let inf = 1.0 / 0.0;"),
        ("bigarr", "let bigarr = []; bigarr.pad(9000, 1);"),
        ("big", "let big = \"x\"; big.pad(100000, 'y');"),
    ];
    let used = values.iter().filter(|(name, _)| source.contains(name)).map(|(_, text)| *text);
    used.chain([source]).collect::<Vec<_>>().join(" ")
}

#[test]
fn no_standard_function_takes_the_process_down() {
    let fixture = Fixture::new();
    let engine = fixture.sandbox.shell.engine();
    let metadata: Value = serde_json::from_str(&engine.gen_fn_metadata_to_json(true).unwrap()).unwrap();
    let mut calls = 0;
    let mut faults = Vec::new();
    on_stack(|| {
        for function in metadata["functions"].as_array().unwrap() {
            let name = function["name"].as_str().unwrap();
            let kinds = function["params"].as_array().map(|params| {
                params.iter().map(|param| values(param["type"].as_str().unwrap_or("?"))).collect::<Vec<_>>()
            });
            let kinds = kinds.unwrap_or_default();
            let total: usize = kinds.iter().map(|kind| kind.len()).product();
            let stride = (total / CALLS_EACH).max(1);
            for round in (0..total).step_by(stride) {
                let mut index = round;
                let args: Vec<&str> = kinds
                    .iter()
                    .map(|kind| {
                        let value = kind[index % kind.len()];
                        index /= kind.len();
                        value
                    })
                    .collect();
                let Some(expression) = expression(name, &args) else { continue };
                let first = args.first().unwrap_or(&"()");
                let source = prelude(&format!("let x = {first}; {expression}"));
                let started = Instant::now();
                meter::start();
                let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    engine.eval::<rhai::Dynamic>(&source).map(drop)
                }));
                calls += 1;
                if ended.is_err() || started.elapsed() > Duration::from_secs(30) {
                    faults.push(format!("{name}: x = {first}; {expression}: {:?}", started.elapsed()));
                    break;
                }
            }
        }
    });
    println!("{calls} calls of standard functions");
    assert!(calls > 2_000, "the functions weren't found: {calls}");
    assert!(faults.is_empty(), "{faults:#?}");
}
