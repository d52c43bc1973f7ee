//! The interface as the real server gives it to browsers: the page for every address, files that are kept, the policy, and
//! that the API's own addresses stay what they are.

use windlass_tests::{ApiServer, skip};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");

#[test]
fn a_browser_gets_the_page_and_its_files_and_a_program_gets_problems() {
    let server = ApiServer::start(&[]);
    let get = |path: &str, headers: &[(&str, &str)]| server.raw("GET", path, "", headers, None);

    let index = get("/", &[BROWSER]);
    for name in ["content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy"] {
        assert!(index.header(name).is_some(), "{name}");
    }
    assert_eq!(index.header("content-type"), Some("text/html; charset=utf-8"));
    // What isn't the interface's is answered as ever, to browsers, too.
    for path in ["/api/v1/nothing", "/api/v1", "/api"] {
        let answer = get(path, &[BROWSER]).expect(404);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
    }
    for path in ["/livez", "/api/v1/version"] {
        get(path, &[BROWSER]).expect(200);
    }
    get("/runs/01m7", &[("accept", "application/json")]).expect(404);
    assert_eq!(
        server.raw("POST", "/runs", "", &[BROWSER], None).header("content-type"),
        Some("application/problem+json")
    );

    if index.status == 404 {
        assert!(index.text.contains("make build"), "{}", index.text);
        return skip("the interface isn't built: `make ui`, then build again");
    }
    assert_eq!((index.status, index.header("cache-control")), (200, Some("no-cache")));
    let policy = index.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe") && !index.text.contains("<script>"), "{policy}");

    // The page is the same at every address, and isn't sent again to who has it.
    let tag = index.header("etag").unwrap();
    for path in ["/runs/01m7", "/workflows/lab/two-routers", "/index.html", "/no/such/page"] {
        assert_eq!(get(path, &[BROWSER]).expect(200).header("etag"), Some(tag), "{path}");
    }
    assert_eq!(get("/", &[BROWSER, ("if-none-match", tag)]).expect(304).text, "");
    // Without compression: the client takes that off, and its length with it.
    let head = server.raw("HEAD", "/", "", &[BROWSER, ("accept-encoding", "identity")], None).expect(200);
    assert_eq!(head.header("content-length"), Some(index.text.len().to_string().as_str()));
    assert_eq!(head.text, "");

    // Its files have names that change with them, and are kept for ever; in each form that browsers take.
    let from = index.text.find("/assets/").expect("the page names its files");
    let script = index.text[from..].split('"').next().unwrap();
    for (accepted, form) in [("gzip, deflate, br", "-br\""), ("gzip", "-gzip\""), ("identity", "\"")] {
        // The client takes gzip off, and the header with it: the tag tells which form it was.
        let file = get(script, &[("accept-encoding", accepted)]).expect(200);
        let tag = file.header("etag").unwrap();
        assert!(tag.ends_with(form) && tag.matches('-').count() == form.matches('-').count(), "{accepted}: {tag}");
        assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(file.header("vary"), Some("Accept-Encoding"));
    }
    // A file of a build that is gone isn't a page: a browser would take it for a script.
    get("/assets/index-gone0000.js", &[BROWSER]).expect(404);
    // Neither are what builds keep for themselves.
    get("/.vite/manifest.json", &[]).expect(404);
}
