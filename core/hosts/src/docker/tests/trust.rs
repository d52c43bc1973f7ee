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
    let trusting = || Config { trusted: vec!["acme".into()], ..Config::default() };
    for (key, value, word) in [
        ("capabilities", json!(["NET_ADMIN"]), "NET_ADMIN"),
        ("capabilities", json!(["CAP_NET_RAW"]), "NET_RAW"),
        ("ports", json!([{ "host": 20_080, "node": 80 }]), "ports"),
        ("management", json!(true), "management"),
    ] {
        for (organisation, config, allowed) in [
            ("other", trusting(), false),
            ("acme", Config::default(), false),
            ("acme", trusting(), true),
            (PLATFORM, Config::default(), true),
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
