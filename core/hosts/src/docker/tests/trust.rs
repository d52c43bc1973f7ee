//! What is refused to organisations that the configuration doesn't trust, and what no script may name.

use super::*;

/// A module of an organisation over this engine.
fn bench_of(twin: &Arc<Twin>, organisation: &'static str, config: Config) -> Bench {
    let backend = Box::new(Interrupted { twin: twin.clone(), left: Mutex::new(usize::MAX) });
    let (spaces, organisations) = (net::spaces(net::rehearsal()), Arc::new(Always(organisation)));
    Bench::new(ops::module(Machine { backend, spaces, organisations, config }), GRANTS)
}

fn with(key: &str, value: Value) -> Value {
    let mut node = json!({ "name": "r1", "image": "frr:9" });
    node[key] = value;
    json!(["t", node])
}

#[test]
fn what_reaches_beyond_a_node_is_for_the_trusted() {
    let twin = Arc::new(Twin::default());
    let folder = tempfile::tempdir().unwrap();
    for organisation in ["acme", "other", PLATFORM] {
        std::fs::create_dir_all(folder.path().join(organisation).join("t")).unwrap();
    }
    let plain =
        || Config { mounts: [("a".to_owned(), Folder::Read(folder.path().into()))].into(), ..Config::default() };
    let trusting = || Config { trusted: vec!["acme".into()], ..plain() };
    for (key, value, word) in [
        ("capabilities", json!(["NET_ADMIN"]), "NET_ADMIN"),
        ("capabilities", json!(["CAP_NET_RAW"]), "NET_RAW"),
        ("ports", json!([{ "host": 20_080, "node": 80 }]), "ports"),
        ("management", json!(true), "management"),
        ("mounts", json!([{ "folder": "a", "path": "/mnt" }]), "mounts"),
    ] {
        for (organisation, config, allowed) in [
            ("other", trusting(), false),
            ("acme", plain(), false),
            ("acme", trusting(), true),
            (PLATFORM, plain(), true),
        ] {
            let bench = bench_of(&twin, organisation, config);
            let answer = bench.call("create_node", with(key, value.clone()));
            assert_eq!(answer.is_ok(), allowed, "{organisation} {key}: {answer:?}");
            if let Err(problem) = answer {
                assert!(problem.code == Code::PermissionDenied && problem.no_effect, "{problem:?}");
                assert!(problem.message.contains(word) && problem.message.contains("trusted"), "{problem:?}");
            }
            bench.call("destroy", json!(["t"])).unwrap();
        }
    }
    // What Docker gives everybody isn't refused; whoever isn't trusted goes without raw sockets.
    for (organisation, raw) in [("other", false), (PLATFORM, true)] {
        let bench = bench_of(&twin, organisation, Config::default());
        bench.call("create_node", with("capabilities", json!(["NET_BIND_SERVICE"]))).unwrap();
        let node = twin.made().into_iter().find(|new| !new.pause).unwrap();
        assert_eq!(node.without_raw, !raw, "{organisation}");
        bench.call("destroy", json!(["t"])).unwrap();
    }
}

#[test]
fn nothing_but_our_own_program_holds_namespaces() {
    let twin = Arc::new(Twin::default());
    let bench = bench_of(&twin, PLATFORM, Config::default());
    let run = |future: Answer<'_, ()>| futures_util::FutureExt::now_or_never(future).unwrap().unwrap();
    // Somebody has put another image under the name, by hand.
    run(twin.import(Archive::Bytes(b"evil".to_vec()), "windlass/pause:1", ("a", "b")));
    let evil = futures_util::FutureExt::now_or_never(twin.image("windlass/pause:1")).unwrap().unwrap().unwrap().id;
    bench.call("create_node", json!(["t", { "name": "r1", "image": "frr:9" }])).unwrap();
    let pause = twin.made().into_iter().find(|new| new.pause).unwrap();
    assert!(pause.image != evil && pause.image != "windlass/pause:1", "{}", pause.image);
    let id = pause.image.as_str();
    for name in
        ["windlass/pause:1", "docker.io/windlass/pause:1", "index.docker.io/windlass/other", "windlass/pause@sha256:00"]
    {
        for (op, args) in [
            ("pull", json!([name])),
            ("remove_image", json!([name])),
            ("import_image", json!(["/srv/x.tar", name])),
            ("commit", json!(["t", "r1", name])),
            ("create_node", json!(["t", { "name": "r2", "image": name }])),
        ] {
            let problem = bench.call(op, args).unwrap_err();
            assert!(
                problem.code == Code::PermissionDenied && problem.message.contains("own"),
                "{op} {name}: {problem:?}"
            );
        }
    }
    assert!(id.starts_with("rehearsal:windlass/pause:1"), "{id}");
    let other = Config { pause_image: "tiny".into(), ..Config::default() };
    assert!(other.reserves("docker.io/library/tiny:latest") && other.reserves("tiny") && !other.reserves("tiny:2"));
}

#[test]
fn an_image_is_replaced_by_those_who_made_it() {
    let twin = Arc::new(Twin::default());
    let bench = bench_of(&twin, "acme", Config::default());
    let node = json!(["t", { "name": "r1", "image": "frr:9" }]);
    bench.call("create_node", node.clone()).unwrap();
    // In the twin every image is there: nobody's.
    let commit = json!(["t", "r1", "frr:9"]);
    assert_eq!(bench.call("commit", commit.clone()).unwrap_err().code, Code::Conflict);
    bench_of(&twin, PLATFORM, Config::default()).call("remove_image", json!(["mine:1"])).unwrap();
    let commit = json!(["t", "r1", "mine:1"]);
    for turn in ["made", "replaced"] {
        bench.call("commit", commit.clone()).unwrap_or_else(|problem| panic!("{turn}: {problem:?}"));
    }
    let other = bench_of(&twin, "other", Config::default());
    other.call("create_node", node).unwrap();
    for (op, args) in [("commit", commit), ("pull", json!(["mine:1"])), ("remove_image", json!(["mine:1"]))] {
        let problem = other.call(op, args).unwrap_err();
        assert!(problem.code == Code::Conflict && problem.no_effect, "{op}: {problem:?}");
    }
    bench.call("remove_image", json!(["mine:1"])).unwrap();
}

#[test]
fn folders_are_read_and_ports_lie_in_a_range() {
    let base = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(base.path().join("platform/t")).unwrap();
    let folder = |writable| Folder::Told(ToldFolder { path: base.path().into(), writable });
    let mounts = [("read", Folder::Read(base.path().into())), ("told", folder(false)), ("write", folder(true))];
    let mounts = mounts.map(|(name, folder)| (name.to_owned(), folder)).into();
    let bench = bench_of(&Arc::new(Twin::default()), PLATFORM, Config { mounts, ..Config::default() });
    let mount = |name: &str, write: bool| json!([{ "folder": name, "path": "/mnt", "write": write }]);
    let port = |host: u32| json!([{ "host": host, "node": 80 }]);
    for (key, value, allowed) in [
        ("mounts", mount("read", false), true),
        ("mounts", mount("read", true), false),
        ("mounts", mount("told", true), false),
        ("mounts", mount("write", true), true),
        ("mounts", mount("none", false), false),
        ("ports", port(80), false),
        ("ports", port(19_999), false),
        ("ports", port(20_000), true),
        ("ports", port(29_999), true),
        ("ports", port(30_000), false),
    ] {
        let answer = bench.call("create_node", with(key, value.clone()));
        assert_eq!(answer.is_ok(), allowed, "{key} {value}: {answer:?}");
        bench.call("destroy", json!(["t"])).unwrap();
    }
    for (ports, fine) in [("1024-1024", true), ("80-90", false), ("30000-20000", false), ("20000", false)] {
        assert_eq!(Config { ports: ports.into(), ..Config::default() }.check().is_ok(), fine, "{ports}");
    }
}

#[test]
fn a_lab_is_given_its_own_part_of_a_folder() {
    let base = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(base.path().join("platform/t/inner")).unwrap();
    std::fs::create_dir_all(base.path().join("acme")).unwrap();
    std::os::unix::fs::symlink(base.path().join("platform/t"), base.path().join("acme/t")).unwrap();
    let mounts = || [("a".to_owned(), Folder::Read(base.path().into()))].into();
    let twin = Arc::new(Twin::default());
    let bench = |organisation| {
        bench_of(&twin, organisation, Config { mounts: mounts(), trusted: vec!["*".into()], ..Config::default() })
    };
    let node = with("mounts", json!([{ "folder": "a", "path": "/mnt" }]));
    bench(PLATFORM).call("create_node", node.clone()).unwrap();
    let given = twin.made().into_iter().find(|new| !new.pause).unwrap().mounts;
    assert_eq!(given, [(base.path().canonicalize().unwrap().join("platform/t"), "/mnt".to_owned(), false)]);
    bench(PLATFORM).call("destroy", json!(["t"])).unwrap();
    for (organisation, code) in [("acme", Code::PermissionDenied), ("rival", Code::NotFound)] {
        let problem = bench(organisation).call("create_node", node.clone()).unwrap_err();
        assert!(problem.code == code && problem.no_effect, "{organisation}: {problem:?}");
    }
}

#[test]
fn an_organisation_has_a_network_of_its_own_while_it_needs_one() {
    let twin = Arc::new(Twin::default());
    let bench = |organisation| bench_of(&twin, organisation, Config { trusted: vec!["*".into()], ..Config::default() });
    for organisation in ["acme", "rival"] {
        bench(organisation).call("create_node", with("management", json!(true))).unwrap();
    }
    let networks: Vec<Network> = twin.made().into_iter().filter(|new| new.pause).map(|new| new.network).collect();
    let [Network::Named(one), Network::Named(other)] = networks.as_slice() else { panic!("{networks:?}") };
    assert_ne!(one, other);
    let is_there = |name: &str| futures_util::FutureExt::now_or_never(twin.network(name)).unwrap().unwrap().is_some();
    assert!(is_there(one) && is_there(other));
    // With the last node that needs it, it goes; the other's stays.
    bench("acme").call("destroy", json!(["t"])).unwrap();
    assert_eq!([one, other].map(|name| is_there(name)).iter().filter(|there| **there).count(), 1);
    bench("rival").call("destroy", json!(["t"])).unwrap();
    assert!(!is_there(one) && !is_there(other));
    // A network of that name which somebody else has made is left alone.
    futures_util::FutureExt::now_or_never(twin.create_network(one, &[])).unwrap().unwrap();
    futures_util::FutureExt::now_or_never(twin.create_network(other, &[])).unwrap().unwrap();
    for organisation in ["acme", "rival"] {
        let problem = bench(organisation).call("create_node", with("management", json!(true))).unwrap_err();
        assert!(problem.code == Code::Conflict && problem.message.contains("network"), "{problem:?}");
        bench(organisation).call("destroy", json!(["t"])).unwrap();
    }
    assert!(is_there(one) && is_there(other));
}
