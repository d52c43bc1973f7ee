//! Workflows on disk: confined, pinned with what they import, checked.

use std::{fs, path::Path};

use windlass_model::{
    Code,
    journal::{Ending, Runner, Workflows},
};

use super::fixture::{Fixture, on_stack};
use crate::{Library, testing};

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(format!("{name}.rhai"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn workflow(name: &str, rest: &str) -> String {
    format!("const WORKFLOW = #{{ name: \"{name}\", title: \"T\", permissions: [\"*:*\"] }};\n{rest}")
}

#[test]
fn a_workflow_is_pinned_with_its_imports() {
    let (fixture, folder) = (Fixture::new(), tempfile::tempdir().unwrap());
    let root = folder.path().join("workflows");
    write(&root, "lab/a", &workflow("lab/a", "import \"lib/one\" as one;\nfn run(input) { one::add(input.n) }"));
    write(
        &root,
        "lib/one",
        "import \"lib/two\" as two;\nconst K = 100;\nfn add(n) { two::twice(n) + global::K + t::effect() }",
    );
    write(&root, "lib/two", "fn twice(n) { n * 2 }");
    write(&root, "lab/a.test", "fn test_x() {}");
    let library = Library::new(vec![root.clone()], fixture.sandbox.clone());
    assert_eq!(library.list(), ["lab/a"]);
    let pinned = library.pin("lab/a").unwrap();
    assert_eq!(pinned.bundle.files.keys().map(String::as_str).collect::<Vec<_>>(), ["lab/a", "lib/one", "lib/two"]);
    assert_eq!(pinned.digest, library.pin("lab/a").unwrap().digest);
    assert_eq!(library.header(&pinned.bundle).unwrap().title, "T");
    write(&root, "lib/two", "fn twice(n) { n * 3 }");
    assert_ne!(pinned.digest, library.pin("lab/a").unwrap().digest, "an import's change is a change");
    let mut job = testing::job_of((*pinned.bundle).clone());
    job.input = "{\"n\":5}".into();
    for _ in 0..2 {
        let ending = on_stack(|| fixture.sandbox.evaluate(&job, fixture.journal.clone()));
        assert_eq!(ending, Ending::Returned("111".into()), "the pinned text runs");
    }
}

#[test]
fn nothing_outside_the_root_is_read() {
    let (fixture, folder) = (Fixture::new(), tempfile::tempdir().unwrap());
    let root = folder.path().join("workflows");
    let outside = folder.path().join("outside.rhai");
    fs::write(&outside, "fn x() { 666 }").unwrap();
    fs::create_dir_all(root.join("lib")).unwrap();
    std::os::unix::fs::symlink(&outside, root.join("lib/link.rhai")).unwrap();
    std::os::unix::fs::symlink(folder.path(), root.join("lib/folder")).unwrap();
    let library = Library::new(vec![root.clone()], fixture.sandbox.clone());
    for import in
        ["../outside", "/etc/passwd", "lib/link", "lib/folder/outside", "lib/../../outside", "lib\\\\x", "", "."]
    {
        write(&root, "lab/a", &workflow("lab/a", &format!("import \"{import}\" as o;\nfn run(input) {{ o::x() }}")));
        let problem = library.pin("lab/a").unwrap_err();
        assert_eq!(problem.code, Code::WorkflowInvalid, "{import}: {problem}");
    }
    for name in ["../outside", "lib/link", "/etc/passwd", "lab/nothing"] {
        assert!(library.pin(name).is_err(), "{name}");
    }
    write(&root, "lab/a", &workflow("lab/a", "const N = \"lib/one\";\nimport N as o;\nfn run(input) { 1 }"));
    assert!(library.pin("lab/a").unwrap_err().message.contains("literal"));
    write(&root, "lab/a", &workflow("lab/a", "import \"lib/c1\" as c;\nfn run(input) { 1 }"));
    write(&root, "lib/c1", "import \"lib/c2\" as c;");
    write(&root, "lib/c2", "import \"lib/c1\" as c;");
    assert!(library.pin("lab/a").unwrap_err().message.contains("circle"));
    write(&root, "lab/big", &" ".repeat(200 << 10));
    assert_eq!(library.pin("lab/big").unwrap_err().code, Code::LimitExceeded);
    assert!(library.pin("lab/aa").unwrap_err().help.unwrap().contains("`lab/a`"));
}

#[test]
fn what_has_mistakes_can_not_be_launched() {
    let (fixture, folder) = (Fixture::new(), tempfile::tempdir().unwrap());
    write(folder.path(), "lab/a", &workflow("lab/a", "fn run(input) {\n  t::ehco(1)\n}"));
    let library = Library::new(vec![folder.path().to_owned()], fixture.sandbox.clone());
    let problem = library.pin("lab/a").unwrap_err();
    assert_eq!(problem.code, Code::WorkflowInvalid);
    assert!(problem.message.contains("lab/a.rhai:3:6: there is no function `t::ehco`"), "{problem}");
    assert_eq!(library.check("lab/a").unwrap().len(), 1);
}

#[test]
fn a_library_can_not_use_the_host_at_its_top_level() {
    let (fixture, folder) = (Fixture::new(), tempfile::tempdir().unwrap());
    write(folder.path(), "lab/a", &workflow("lab/a", "import \"lib/one\" as one;\nfn run(input) { 1 }"));
    write(folder.path(), "lib/one", "const K = t::effect();");
    let bundle = Library::new(vec![folder.path().to_owned()], fixture.sandbox.clone()).bundle("lab/a").unwrap();
    let ending = on_stack(|| fixture.sandbox.evaluate(&testing::job_of(bundle), fixture.journal.clone()));
    let Ending::Failed(problem) = ending else { panic!("{ending:?}") };
    assert!(problem.message.contains("can't be used here"), "{problem}");
    assert_eq!(fixture.effects(), 0);
}

#[test]
fn a_header_is_computed_within_bounds() {
    let (fixture, folder) = (Fixture::new(), tempfile::tempdir().unwrap());
    let library = Library::new(vec![folder.path().to_owned()], fixture.sandbox.clone());
    let good = "const N = \"b\";\nconst WORKFLOW = #{ name: \"lab/a\", title: \"A \" + N };\nfn run(input) { 1 }";
    write(folder.path(), "lab/a", good);
    assert_eq!(on_stack(|| library.pin("lab/a")).unwrap().workflow.title, "A b");
    for hostile in ["loop {}", "let a = [1]; loop { a = [a, a] }", "let a = []; loop { a.push(`${a.len()}`) }"] {
        write(
            folder.path(),
            "lab/a",
            &format!(
                "const N = {{ {hostile} }};\nconst WORKFLOW = #{{ name: \"lab/a\", title: N }};\nfn run(input) {{ 1 }}"
            ),
        );
        assert_eq!(on_stack(|| library.pin("lab/a")).unwrap_err().code, Code::WorkflowInvalid, "{hostile}");
    }
}
