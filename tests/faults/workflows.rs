//! What is launched: effects of each class, alone, in branches, between waits, under locks, in children, and undone.

use std::path::Path;

/// Kinds of runs, each a workflow `soak/<kind>`.
pub const KINDS: [&str; 6] = ["sequence", "branches", "waits", "undo", "child", "lock"];
/// Locks that runs ask for.
pub const LOCKS: u64 = 2;

/// Writes the workflows into a folder; the witness is at this address.
pub fn write(folder: &Path, witness: &str) {
    let bodies = [
        ("sequence", SEQUENCE),
        ("branches", BRANCHES),
        ("waits", WAITS),
        ("undo", UNDO),
        ("child", CHILD),
        ("lock", LOCK),
    ];
    std::fs::create_dir_all(folder.join("soak")).expect("a folder of workflows");
    for (kind, body) in bodies {
        let grants = ["get", "post", "put", "delete"].map(|verb| format!("\"http.{verb}:http://{witness}/*\""));
        let source = format!(
            "const WORKFLOW = #{{\n    name: \"soak/{kind}\",\n    title: \"Soak: {kind}\",\n    permissions: [{}, \
             \"run.launch:soak/sequence\"],\n    retention: \"30d\",\n}};\n\nconst AT = \"http://{witness}\";\n{HELPERS}\n{body}",
            grants.join(", ")
        );
        std::fs::write(folder.join("soak").join(format!("{kind}.rhai")), source).expect("a workflow");
    }
}

/// Whatever can be tried again is; the witness is there, but the way to it breaks.
const HELPERS: &str = r#"
const RETRY = #{ attempts: 100, delay: "100ms", max_delay: "400ms" };

// At most once. What can't be known is told as such, and the run goes on.
fn post(input, name) {
    // A `catch` has no value of its own.
    let said = "done";
    try {
        with_retry(global::RETRY, || http::post(global::AT + "/post/" + input.name + "/" + name, #{}, #{ expect: [200], timeout: "2s" }));
    } catch (error) {
        said = "failed";
    }
    said
}

// Done once by whoever knows the key.
fn keyed(input, name) {
    with_retry(global::RETRY, || http::post_keyed(global::AT + "/keyed/" + input.name + "/" + name, #{}, #{ expect: [200], timeout: "2s" }));
}

// The same however often.
fn put(input, name, value) {
    with_retry(global::RETRY, || http::put(global::AT + "/thing/" + input.name + "/" + name, #{ value: value }, #{ expect: [200], timeout: "2s" }));
}

fn discard(input, name) {
    with_retry(global::RETRY, || http::delete(global::AT + "/thing/" + input.name + "/" + name, #{ expect: [200], timeout: "2s" }));
}
"#;

const SEQUENCE: &str = r#"
fn run(input) {
    let id = uuid();
    let posts = [];
    for n in 0..input.steps {
        posts.push(post(input, "p" + n));
        put(input, "value", n);
        keyed(input, "k" + n);
    }
    put(input, "id", id);
    ensure(id != (), "a value of the script's own");
    #{ posts: posts, id: id, value: input.steps - 1 }
}
"#;

const BRANCHES: &str = r#"
fn run(input) {
    let posts = parallel_map([0, 1, 2, 3], |n| {
        let first = post(input, "p" + n + "a");
        put(input, "b" + n, 1);
        if n == 1 { sleep("300ms"); }
        keyed(input, "k" + n);
        put(input, "b" + n, 2);
        [first, post(input, "p" + n + "b")]
    });
    #{ posts: posts }
}
"#;

const WAITS: &str = r#"
fn run(input) {
    let posts = [post(input, "p0")];
    sleep("400ms");
    put(input, "value", 1);
    let first = wait_signal("go");
    posts.push(post(input, "p1"));
    put(input, "value", first.n);
    let second = wait_signal("go");
    put(input, "value", second.n);
    keyed(input, "k0");
    #{ posts: posts, value: second.n, order: [first.n, second.n] }
}
"#;

const UNDO: &str = r#"
fn run(input) {
    for n in 0..input.steps {
        let name = "u" + n;
        on_rollback("remove " + name, || discard(input, name));
        put(input, name, n);
        keyed(input, "k" + n);
    }
    sleep("200ms");
    fail("as planned");
}
"#;

const CHILD: &str = r#"
fn run(input) {
    put(input, "value", 1);
    let of_child = child("soak/sequence", #{ name: input.name + ".c", steps: input.steps });
    keyed(input, "k0");
    put(input, "value", 2);
    #{ posts: [], value: 2, child: of_child }
}
"#;

const LOCK: &str = r#"
fn run(input) {
    let lock = "soak-" + input.lock;
    for n in 0..2 {
        with_lock(lock, || {
            put(input, "enter." + lock + "." + n, 1);
            sleep(150);
            keyed(input, "k" + n);
            put(input, "leave." + lock + "." + n, 1);
        });
    }
    #{ posts: [], value: 0 }
}
"#;
