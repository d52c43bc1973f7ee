//! Whose a container is: runs, organisations, other programs; what may not be asked for.

use serde_json::{Value, json};
use windlass_hosts::{docker, lab_id::LabId, net};
use windlass_model::Code;
use windlass_script::host::testing::TestCx;
use windlass_tests::{Docker, docker::IMAGE};

use super::{Lab, node};

#[test]
fn a_foreign_container_is_never_touched() {
    let Some(lab) = Lab::new() else { return };
    lab.create(&["r1"]);
    let name = lab.container("r1");
    lab.ok("destroy", json!([]));
    for name in [name.clone(), format!("{name}-pause")] {
        lab.docker.docker(&["run", "--detach", "--network", "none", "--name", &name, IMAGE, "sleep", "1000"]);
        let id = lab.docker.docker(&["inspect", "--format", "{{.Id}}", &name]);
        let problem = lab.call("create_node", json!([node("r1")])).unwrap_err();
        assert_eq!((problem.code, problem.no_effect), (Code::Conflict, true), "{problem:?}");
        assert!(problem.message.contains(&name), "{problem:?}");
        lab.ok("remove_node", json!(["r1"]));
        lab.ok("destroy", json!([]));
        lab.undo("create_node", &json!([node("r1")]));
        assert_eq!(
            lab.docker.docker(&["inspect", "--format", "{{.Id}} {{.State.Status}}", &name]),
            format!("{id} running")
        );
        assert_eq!(lab.containers(), std::slice::from_ref(&name), "nothing else is left");
        lab.docker.docker(&["rm", "--force", &name]);
    }
}

#[test]
fn what_another_run_made_is_a_conflict_and_an_undo_leaves_it() {
    let Some(mut lab) = Lab::new() else { return };
    lab.create(&["r1"]);
    let mut other = node("r1");
    other["env"] = json!({ "A": "1" });
    let problem = lab.call("create_node", json!([other])).unwrap_err();
    assert!(problem.code == Code::Conflict && problem.message.contains("isn't what is asked for"), "{problem:?}");
    lab.run = "01otherrun".into();
    let problem = lab.call("create_node", json!([node("r1")])).unwrap_err();
    assert_eq!((problem.code, &problem.data["run"]), (Code::Conflict, &json!("01testrun")));
    lab.undo("create_node", &json!([node("r1")]));
    assert_eq!(lab.containers().len(), 2, "the undo of another run's step");
    assert_eq!(lab.status("r1")["run"], "01testrun");
    lab.ok("remove_node", json!(["r1"]));
    assert!(lab.containers().is_empty(), "a script may");
}

#[test]
fn two_organisations_may_have_labs_of_one_name() {
    let Some(docker) = Docker::shared() else { return };
    let name = format!("wdorg{}", std::process::id());
    let ours = Lab::of(docker.clone(), &name, "platform", docker::Config::default());
    let theirs = Lab::of(docker, &name, "acme", docker::Config::default());
    ours.create(&["r1"]);
    theirs.create(&["r1", "r2"]);
    let count = |lab: &Lab| lab.ok("nodes", json!([])).as_array().unwrap().len();
    assert_eq!((count(&ours), count(&theirs)), (1, 2));
    let namespaces = [ours.status("r1")["namespace"].clone(), theirs.status("r1")["namespace"].clone()];
    assert_ne!(namespaces[0], namespaces[1]);
    assert_eq!(theirs.ok("destroy", json!([]))["nodes"], 2);
    assert_eq!(ours.ok("exec", json!(["r1", ["echo", "here"]]))["stdout"], "here\n");
}

#[test]
fn this_machines_own_namespace_is_refused() {
    if let Err(reason) = windlass_tests::can_make_namespaces() {
        windlass_tests::skip(&reason);
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let cx = TestCx::new(&[]).on(&runtime);
    let lab = LabId::new("platform", "wdown");
    let spaces = net::spaces(net::kernel());
    let own = std::fs::File::open("/proc/self/ns/net").unwrap();
    let problem = spaces.adopt(&cx, &lab, "r1", "01testrun/1", std::os::fd::AsFd::as_fd(&own)).unwrap_err();
    assert!(problem.code == Code::Conflict && problem.message.contains("own"), "{problem:?}");
    let no_namespace = std::fs::File::open("/proc/self/status").unwrap();
    assert!(spaces.adopt(&cx, &lab, "r1", "01testrun/1", std::os::fd::AsFd::as_fd(&no_namespace)).is_err());
    assert!(spaces.adopted(&cx, &lab).unwrap().is_empty());
}

#[test]
fn what_the_configuration_does_not_allow_is_refused_before_anything_happens() {
    let Some(docker) = Docker::shared() else { return };
    let config = docker::Config { images: vec!["windlass-test/*".into()], ..docker::Config::default() };
    let lab = Lab::of(docker, &format!("wdcfg{}", std::process::id()), "platform", config);
    let with = |key: &str, value: Value| {
        let mut node = node("r1");
        node[key] = value;
        node
    };
    for (node, code, word) in [
        (with("image", json!("frr:9")), Code::PermissionDenied, "frr:9"),
        (with("capabilities", json!(["SYS_ADMIN"])), Code::PermissionDenied, "SYS_ADMIN"),
        (with("mounts", json!([{ "folder": "etc", "path": "/mnt/x" }])), Code::PermissionDenied, "etc"),
        (with("privileged", json!(true)), Code::InvalidArgument, "privileged"),
        (with("cpus", json!(99.0)), Code::LimitExceeded, "processors"),
        (with("memory_mb", json!(1_000_000)), Code::LimitExceeded, "memory"),
        (with("pids", json!(0)), Code::LimitExceeded, "processes"),
        (with("sysctls", json!({ "kernel.core_pattern": "|x" })), Code::InvalidArgument, "core_pattern"),
        (with("labels", json!({ "windlass.lab": "other" })), Code::InvalidArgument, "windlass.lab"),
        (with("files", json!([{ "path": "/etc/../x", "content": "" }])), Code::InvalidArgument, "/etc/../x"),
        (with("name", json!("../r1")), Code::InvalidArgument, "../r1"),
        (with("image", json!("a b")), Code::InvalidArgument, "a b"),
        (with("restart", json!("sometimes")), Code::InvalidArgument, "sometimes"),
    ] {
        let problem = lab.call("create_node", json!([node])).unwrap_err();
        assert!(problem.code == code && problem.no_effect && problem.message.contains(word), "{node}: {problem:?}");
    }
    assert!(lab.containers().is_empty());
}
