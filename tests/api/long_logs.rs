//! A log of 100,000 lines on the real server: any part of it is found, no answer grows with it, and reading it costs the
//! server no more than it should.

use serde_json::{Value, json};
use windlass_tests::ApiServer;

const LINES: u64 = 100_000;
/// What all of the reading below may add to the server's memory. 53 to 65 MiB were measured, by how its threads share the answers.
const GROWTH: u64 = 96 << 20;

const TALKS: &str = r#"
const WORKFLOW = #{ name: "t/talks", title: "talks a lot", permissions: [] };
fn run(input) {
    for n in 1..100001 {
        if n % 25000 == 0 { log("error", `needle ${n}`); } else { log(`straw ${n}`); }
    }
    1
}
"#;

fn numbers(page: &Value) -> Vec<u64> {
    page["lines"].as_array().unwrap().iter().map(|line| line["line"].as_u64().unwrap()).collect()
}

/// Lines that an answer finds from here on, page after page, with the number of answers that it took.
fn found(server: &ApiServer, path: &str, query: &str) -> (Vec<u64>, usize) {
    let (mut all, mut answers, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = server.get(&format!("{path}?{query}{cursor}")).expect(200).json();
        answers += 1;
        all.extend(numbers(&page));
        let Some(next) = page["next"].as_str() else { return (all, answers) };
        cursor = format!("&cursor={next}");
    }
}

/// The most memory that the server ever had.
fn peak(server: &mut ApiServer) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process().id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[test]
fn any_part_of_a_long_log_is_found() {
    let mut server = ApiServer::start(&[("t/talks", TALKS)]);
    let run = server.launch("t/talks", &json!({}));
    assert_eq!(server.ended(&run)["state"], "succeeded");
    let path = format!("/api/v1/runs/{run}/logs");
    let get = |query: &str| server.get(&format!("{path}?{query}")).expect(200).json();
    // What it takes to read at all is there before memory is looked at.
    get("lines=1");
    let before = peak(&mut server);
    let get = |query: &str| server.get(&format!("{path}?{query}")).expect(200).json();

    // Ranges from anywhere, the end, and beyond it.
    for from in [1, 50_000, 99_999, 12_345] {
        let page = get(&format!("from={from}&lines=2"));
        assert_eq!(numbers(&page), [from, from + 1]);
        assert_eq!(page["lines"][0]["message"].as_str().unwrap().split(' ').nth(1), Some(from.to_string().as_str()));
    }
    assert_eq!(numbers(&get("tail=3")), [99_998, 99_999, 100_000]);
    assert_eq!(numbers(&get("from=100001")), [0; 0]);
    // However much is asked for, an answer has its bound.
    for query in ["lines=100000", "tail=100000"] {
        assert_eq!(numbers(&get(query)).len(), 5_000, "{query}");
    }
    // Each answer searches a part; together they find all, once.
    let needles = [25_000, 50_000, 75_000, 100_000];
    for query in ["q=NEEDLE", "level=error", "regex=%5Eneedle%20%5Cd%2B%24"] {
        let (lines, answers) = found(&server, &path, query);
        assert_eq!(lines, needles, "{query}");
        assert!((5..=10).contains(&answers), "{query}: {answers} answers");
    }
    let (lines, answers) = found(&server, &path, "lines=5000");
    assert_eq!(lines, (1..=LINES).collect::<Vec<_>>());
    assert!(answers <= 22, "{answers}");
    let text = server.get(&format!("/api/v1/runs/{run}/logs.txt")).expect(200).text;
    assert_eq!(text.lines().count() as u64, LINES);
    assert!(text.lines().last().unwrap().ends_with("error needle 100000"), "{:?}", text.lines().last());
    let grown = peak(&mut server).saturating_sub(before);
    assert!(grown <= GROWTH, "{grown} bytes more for reading");
}
