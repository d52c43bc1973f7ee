//! Logs over HTTP: every line keeps its number, whatever is searched for and wherever reading begins.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_model::RunId;
use windlass_tests::wait_until;

use super::house::House;

const LINES: i64 = 5_000;

fn logged(house: &House) -> RunId {
    let body = format!(
        "fn run(input) {{ for n in 0..{LINES} {{ if n % 1000 == 7 {{ log(\"warn\", `Odd line ${{n}}`, #{{ n: n }}); }} \
         else {{ log(`line ${{n}}`); }} }} parallel([|| log(\"in a branch\")]); 1 }}"
    );
    house.world.script("lab/talk", "", &body);
    let run: RunId = house.post("/runs", json!({ "workflow": "lab/talk" })).json(201)["id"].as_str().unwrap().into();
    house.world.end(&run);
    wait_until("the last line", Duration::from_secs(60), || {
        let tail = house.get(&format!("/runs/{run}/logs?tail=1")).json(200);
        tail["lines"][0]["message"] == "in a branch"
    });
    run
}

fn numbers(page: &Value) -> Vec<i64> {
    page["lines"].as_array().unwrap().iter().map(|line| line["line"].as_i64().unwrap()).collect()
}

#[test]
fn lines_keep_their_numbers() {
    let house = House::open();
    let run = logged(&house);
    let get = |query: &str| house.get(&format!("/runs/{run}/logs?{query}")).json(200);

    let first = get("lines=3");
    assert_eq!(numbers(&first), [1, 2, 3]);
    assert_eq!(first["lines"][2]["message"], "line 2");
    let next = get(&format!("lines=2&cursor={}", first["next"].as_str().unwrap()));
    assert_eq!(numbers(&next), [4, 5]);
    // From the middle, twice: counted, and remembered.
    for _ in 0..2 {
        let middle = get("from=4001&lines=2");
        assert_eq!(numbers(&middle), [4001, 4002]);
        assert_eq!(middle["lines"][0]["message"], "line 4000");
    }
    let tail = get("tail=2");
    assert_eq!(numbers(&tail), [LINES, LINES + 1]);
    assert_eq!(numbers(&get("tail=2&level=warn")), [3008, 4008]);

    // All of it, page by page: every number once.
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(&format!("lines=700{cursor}"));
        all.extend(numbers(&page));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(all, (1..=LINES + 1).collect::<Vec<_>>());
    assert_eq!(numbers(&get(&format!("from={}", LINES + 100))), [0; 0]);
}

#[test]
fn lines_are_searched_here_and_not_in_the_browser() {
    let house = House::open();
    let run = logged(&house);
    let get = |query: &str| house.get(&format!("/runs/{run}/logs?{query}")).json(200);
    let warned = [8, 1008, 2008, 3008, 4008];
    assert_eq!(numbers(&get("q=ODD%20LINE")), warned);
    assert_eq!(numbers(&get("level=warn")), warned);
    assert_eq!(numbers(&get("regex=%5EOdd%20.*1007")), [1008]);
    // Fields are searched, too.
    assert_eq!(numbers(&get("q=n%3D2007")), [2008]);
    assert_eq!(numbers(&get(&format!("step={}", 0))), [LINES + 1]);
    assert_eq!(numbers(&get("since=2100-01-01T00:00:00Z")), [0; 0]);
    assert_eq!(numbers(&get("q=line&from=2001&lines=1")), [2001]);
    for (query, named) in [
        ("regex=(", "regex"),
        ("regex=%5Cw%7B9999%7D%7B9999%7D", "regex"),
        ("level=loud", "level"),
        ("cursor=x", "cursor"),
    ] {
        let problem = house.get(&format!("/runs/{run}/logs?{query}")).json(400);
        assert_eq!(problem["data"]["parameter"], named, "{query}");
    }
    let text = house.get(&format!("/runs/{run}/logs.txt?level=warn"));
    assert_eq!((text.status, text.header("content-type")), (200, "text/plain; charset=utf-8"));
    assert!(text.header("content-security-policy").contains("sandbox"));
    let text = String::from_utf8(text.body).unwrap();
    assert_eq!(text.lines().count(), 5);
    assert!(text.lines().next().unwrap().ends_with("warn  Odd line 7  n=7"), "{text}");
}

#[test]
fn a_forged_cursor_changes_nothing_for_others() {
    let house = House::open();
    let run = logged(&house);
    house.get(&format!("/runs/{run}/logs?lines=5000&cursor=10-999999")).json(200);
    let page = house.get(&format!("/runs/{run}/logs?from=4900&lines=1")).json(200);
    assert_eq!(page["lines"][0]["message"], "line 4899");
}

#[test]
fn an_artifact_is_a_download_and_never_a_page() {
    let house = House::open();
    house.world.script_granted(
        "lab/keep",
        &["artifact.write:*"],
        "fn run(input) { artifact(\"report.html\", \"<script>alert(1)</script>\", \"text/html\"); 1 }",
    );
    let run: RunId = house.post("/runs", json!({ "workflow": "lab/keep" })).json(201)["id"].as_str().unwrap().into();
    house.world.end(&run);
    let list = house.get(&format!("/runs/{run}/artifacts")).json(200);
    assert_eq!(list[0]["name"], "report.html", "{}", house.world.story(&run));
    let file = house.get(&format!("/runs/{run}/artifacts/report.html"));
    assert_eq!(file.body, b"<script>alert(1)</script>");
    assert_eq!(file.header("content-type"), "text/html");
    assert!(file.header("content-disposition").starts_with("attachment"));
    assert!(file.header("content-security-policy").starts_with("sandbox"));
    assert_eq!(house.get(&format!("/runs/{run}/artifacts/other")).code(404), "not_found");
}
