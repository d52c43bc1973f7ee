//! Clients that mean harm, or have mistakes.

use serde_json::json;
use windlass_tests::console::Console;

use super::house::{Labs, shell};

#[test]
fn what_means_nothing_ends_it_and_what_is_out_of_range_is_refused() {
    let Some(mut labs) = Labs::start("") else { return };
    labs.lab("platform", "demo");
    let path = shell("demo", "r1", "");
    for nonsense in
        ["", "{", "[]", r#"{"resize":{"cols":-1,"rows":1}}"#, r#"{"resize":{"cols":99999,"rows":1}}"#, r#"{"x":1}"#]
    {
        let mut console = labs.console(&path);
        console.says(nonsense);
        assert_eq!(console.ends(), 4400, "{nonsense}: {:?}", console.end);
    }
    let mut console = labs.console(&path);
    for (cols, rows) in [(0, 24), (80, 0), (1001, 24), (65_535, 65_535)] {
        console.says(&json!({ "resize": { "cols": cols, "rows": rows } }).to_string());
        console.hears(|told| told["error"]["code"] == "invalid_input");
        console.told.clear();
    }
    console.asks("echo alive-$((6*7))", "alive-42");
    drop(console);
    // Larger than a message may be, and larger than a connection takes.
    for size in [65 << 10, 300 << 10, 5 << 20] {
        let mut console = labs.console(&path);
        console.types(&"x".repeat(size));
        let code = console.ends();
        // What is far too large isn't read to its end: the other end may see a connection that broke.
        assert!(code == 1009 || (size > 256 << 10 && code == 0), "{size}: {:?}", console.end);
    }
    let bearer = format!("Bearer {}", labs.server.token);
    for query in ["&cols=0", "&cols=70000", "&rows=-1", "&kind=door", "&mode=own", "&what=1", "&user=root"] {
        let refused = Console::refused(&labs.server, &shell("demo", "r1", query), &[("authorization", &bearer)]);
        assert_eq!(refused.status, 400, "{query}: {}", refused.text);
    }
    for path in [
        "demo/nodes/..%2f..%2fetc/console",
        "%2e%2e/nodes/r1/console",
        "demo/nodes/r1%00/console",
        "x/nodes/r1/console",
    ] {
        let refused = Console::refused(&labs.server, path, &[("authorization", &bearer)]);
        assert!(matches!(refused.status, 400 | 404), "{path}: {} {}", refused.status, refused.text);
    }
    // After all that it still serves.
    let mut console = labs.console(&path);
    console.asks("echo fine-$((7*7))", "fine-49");
}
