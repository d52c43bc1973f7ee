//! Sources that try to take the compiler down: by nesting, by length.

/// Whole function bodies, made by repetition; each fits into one source file.
pub fn bodies() -> Vec<(&'static str, String)> {
    let nested = |open: &str, middle: &str, close: &str, times: usize| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    vec![
        ("parentheses", nested("(", "1", ")", 20_000)),
        ("arrays", nested("[", "1", "]", 20_000)),
        ("maps", nested("#{a:", "1", "}", 10_000)),
        ("blocks", nested("{", "1", "}", 20_000)),
        ("ifs", nested("if true {", "1", "}", 8_000)),
        ("else ifs", format!("if false {{}} {}", "else if false {} ".repeat(6_000))),
        ("sums", format!("let a = 1; a{}", "+a".repeat(30_000))),
        ("properties", format!("let a = #{{}}; a{}", ".a".repeat(30_000))),
        ("safe properties", format!("let a = #{{}}; a{}", "?.a".repeat(20_000))),
        ("indexes", format!("let a = []; a{}", "[0]".repeat(20_000))),
        ("closures", format!("{}1", "|x| ".repeat(20_000))),
        ("ands", format!("let a = true; a{}", "&&a".repeat(20_000))),
        ("defaults", format!("let a = (); a{}", "??a".repeat(20_000))),
        ("powers", format!("let a = 1; a{}", "**a".repeat(20_000))),
        ("nots", format!("{}true", "!".repeat(60_000))),
        ("minuses", format!("let a = 1; {}a", "-".repeat(60_000))),
        ("calls", format!("let f = 1; f{}", "()".repeat(30_000))),
        ("loops", nested("do {", "1", "} while false;", 4_000)),
        ("interpolations", nested("`${", "1", "}`", 10_000)),
        ("namespaces", format!("{}x", "a::".repeat(20_000))),
        ("switches", nested("switch 1 { _ => ", "1", "}", 5_000)),
        ("returns", "return ".repeat(10_000)),
        ("throws", "throw ".repeat(10_000)),
        ("tries", nested("try {", "1", "} catch {}", 5_000)),
        ("long array", format!("[{}]", "1,".repeat(50_000))),
        ("long text", format!("let a = \"{}\"; loop {{}}", "x".repeat(100_000))),
        ("many statements", "{}".repeat(50_000)),
        ("long name", format!("let {} = 1; loop {{}}", "x".repeat(100_000))),
        ("long number", "1".repeat(100_000)),
        ("unclosed text", format!("\"{}", "x".repeat(50_000))),
        ("unclosed comment", "/*".repeat(30_000)),
        ("many functions", (0..3_000).map(|n| format!("}} fn f{n}() {{\n")).collect()),
    ]
}
