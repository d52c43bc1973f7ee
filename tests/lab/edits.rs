//! An edited lab is what its document says: nothing that was taken out of it stays, also after deployments that didn't end well.

use serde_json::{Value, json};
use windlass_tests::Docker;

use super::{Place, deploying::small, ip};

/// What the kernel shows of the lab that `small` describes, where nothing has been left behind.
struct Shown<'a> {
    place: &'a Place,
    lab: &'a str,
}

impl Shown<'_> {
    fn inside(&self, node: &str, arguments: &[&str]) -> String {
        let namespace = self.place.namespace(self.lab, node);
        ip(&[&["-n", &namespace], arguments].concat())
    }

    fn sysctl(&self, node: &str, path: &str) -> String {
        let namespace = self.place.namespace(self.lab, node);
        let text = ip(&["netns", "exec", &namespace, "cat", &format!("/proc/sys/{path}")]);
        text.trim().to_owned()
    }

    fn bridge(&self) -> String {
        let name = self.place.names(self.lab).bridge(1).unwrap();
        let shown = ["address", "link"].map(|what| ip(&["-d", "-o", what, "show", &name]));
        shown.concat()
    }
}

#[test]
fn another_address_leaves_routes_and_addresses_where_they_are() {
    let Some(mut place) = Place::new() else { return };
    let mut lab = small("t-number");
    lab["networks"][0]["addresses"] = json!(["10.201.0.1/24", "10.201.0.2/24"]);
    place.deploy(&lab);
    // The only address of h1, the first of the router's, and the first of the bridge's.
    lab["links"][0]["endpoints"][0]["addresses"] = json!(["10.0.0.11/24"]);
    lab["links"][1]["endpoints"][0]["addresses"] = json!(["10.0.0.1/24", "10.0.0.2/24", "fd00::1/64", "fd00::2/64"]);
    let done = place.deploy(&lab);
    assert_eq!(done["checks"][0]["holds"], true, "{done:#}");
    let shown = Shown { place: &place, lab: "t-number" };
    let routes = shown.inside("h1", &["route"]);
    assert!(routes.contains("10.9.0.0/24 via 10.0.0.1"), "{routes}");
    lab["links"][1]["endpoints"][0]["addresses"] = json!(["10.0.0.2/24", "fd00::2/64"]);
    lab["nodes"][0]["routes"][0]["via"] = "10.0.0.2".into();
    lab["networks"][0]["addresses"] = json!(["10.201.0.2/24"]);
    let done = place.deploy(&lab);
    assert_eq!(done["checks"][0]["holds"], true, "{done:#}");
    let shown = Shown { place: &place, lab: "t-number" };
    let addresses = shown.inside("r1", &["-o", "address", "show", "eth0"]);
    assert!(addresses.contains("10.0.0.2/24") && !addresses.contains("10.0.0.1/24"), "{addresses}");
    assert!(addresses.contains("fd00::2/64") && !addresses.contains("fd00::1/64"), "{addresses}");
    let bridge = shown.bridge();
    assert!(bridge.contains("10.201.0.2/24") && !bridge.contains("10.201.0.1/24"), "{bridge}");
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
}

/// `small` with more of everything that is changed live, and with a check that never holds. This machine has an address in a network of
/// the lab's own: tests run at once.
fn more(name: &str) -> Value {
    let mut lab = small(name);
    let number = match name {
        "t-left" => 202,
        "t-killed" => 203,
        _ => 204,
    };
    lab["networks"][0] =
        json!({ "name": "lan", "mtu": 1400, "ageing_time_s": 7, "addresses": [format!("10.{number}.0.1/24")] });
    lab["nodes"][0]["forwarding"] = true.into();
    lab["nodes"][0]["sysctls"] = json!({ "net.ipv4.ip_default_ttl": "63" });
    lab["nodes"][2]["routes"].as_array_mut().unwrap().push(json!({ "to": "10.8.0.0/24", "via": "10.9.0.1" }));
    lab["links"][2]["mtu"] = 9000.into();
    lab["checks"] = json!([{ "from": "h1", "ping": "192.0.2.1", "within": "1s" }]);
    lab
}

/// Looks whether nothing of `more` is there.
fn nothing_is_left(place: &Place, lab: &str) {
    let shown = Shown { place, lab };
    assert_eq!(shown.sysctl("h1", "net/ipv4/ip_forward"), "0");
    assert_eq!(shown.sysctl("h1", "net/ipv4/ip_default_ttl"), "64");
    let routes = shown.inside("h2", &["route"]);
    assert!(!routes.contains("10.8.0.0"), "{routes}");
    for (node, interface) in [("r1", "eth1"), ("h2", "eth0")] {
        let link = shown.inside(node, &["link", "show", interface]);
        assert!(link.contains("mtu 1500"), "{link}");
    }
    let bridge = shown.bridge();
    assert!(
        !bridge.contains(".0.1/24") && bridge.contains("mtu 1500") && bridge.contains("ageing_time 30000"),
        "{bridge}"
    );
}

#[test]
fn what_a_failed_deployment_has_changed_is_taken_back_by_the_next() {
    let Some(mut place) = Place::new() else { return };
    let lab = small("t-left");
    place.deploy(&lab);
    for _ in 0..2 {
        let failed = place.run("lab/deploy", &more("t-left"));
        assert_eq!(failed["state"], "rolled_back", "{failed:#}");
    }
    let verified = place.run("lab/verify", &json!({ "lab": "t-left" }));
    assert!(verified["problem"]["message"].as_str().unwrap_or_default().contains("differs"), "{verified:#}");
    let again = place.deploy(&lab);
    assert_eq!(again["changed"], true, "{again:#}");
    nothing_is_left(&place, "t-left");
    assert_eq!(stored(&place), json!(["lab/.ledger/platform/t-left", "lab/t-left"]));
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
    assert_eq!(place.run("lab/verify", &json!({ "lab": "t-left" }))["state"], "succeeded");
}

#[test]
fn what_a_killed_deployment_has_changed_is_taken_back_by_the_next() {
    let Some(mut place) = Place::new() else { return };
    let lab = small("t-killed");
    place.deploy(&lab);
    let path = place.folder.path().join("input.json");
    let mut killed = 0;
    for pass in [3, 6, 9, 12] {
        std::fs::write(&path, more("t-killed").to_string()).unwrap();
        let at = format!("effect.after:{pass}");
        let first = place.windlass(Some(&at), &["run", "lab/deploy", "--input", &path.to_string_lossy()]);
        killed += i32::from(
            !first.status.success() && std::os::unix::process::ExitStatusExt::signal(&first.status) == Some(9),
        );
        place.windlass(None, &["run", "--resume"]);
        assert_eq!(place.newest()["state"], "rolled_back", "{pass}");
        place.deploy(&lab);
        nothing_is_left(&place, "t-killed");
    }
    assert!(killed >= 2, "it was killed {killed} times only");
}

#[test]
fn a_live_change_that_fails_is_taken_back_by_the_next_deployment() {
    let Some(mut place) = Place::new() else { return };
    let lab = small("t-change");
    place.deploy(&lab);
    // The first of its settings is made; the other one kernels without netem refuse.
    let change = json!({ "lab": "t-change", "at": "h2:eth0", "mtu": 9000, "impairment": { "delay_ms": 5 } });
    let ended = place.run("lab/set-link", &change)["state"].clone();
    assert!(ended == "succeeded" || ended == "rolled_back", "{ended}");
    assert!(Shown { place: &place, lab: "t-change" }.inside("h2", &["link"]).contains("mtu 9000"));
    place.deploy(&lab);
    nothing_is_left(&place, "t-change");
}

/// What is kept of labs, by a workflow that tells it.
fn stored(place: &Place) -> Value {
    const KEYS: &str = "const WORKFLOW = #{ name: \"lab/keys\", title: \"Keys\", permissions: [\"kv.read:lab/*\"], rollback: \"none\" };\n\
                        fn run(input) { kv_list(\"lab/\") }\n";
    let folder = place.folder.path().join("workflows");
    std::fs::create_dir_all(folder.join("lab")).unwrap();
    std::fs::write(folder.join("lab/keys.rhai"), KEYS).unwrap();
    let mut command = std::process::Command::new(windlass_tests::windlass_binary());
    command.arg("--data").arg(place.data()).arg("--workflows").arg(&folder).args(["run", "lab/keys"]);
    let output = command.current_dir(place.folder.path()).output().unwrap();
    let newest = place.newest();
    assert_eq!(newest["workflow"], "lab/keys", "{}", String::from_utf8_lossy(&output.stderr));
    newest["output"].clone()
}

#[test]
fn a_first_deployment_that_fails_leaves_no_record() {
    let Some(place) = Place::new() else { return };
    assert_eq!(place.run("lab/deploy", &more("t-first"))["state"], "rolled_back");
    assert!(place.kernel("t-first").is_empty(), "{:?}", place.kernel("t-first"));
    assert_eq!(stored(&place), json!([]));
}

#[test]
fn what_a_document_sets_no_more_goes_back_to_the_kernels_default() {
    let Some(mut place) = Place::new() else { return };
    let mut lab = small("t-default");
    // A spanning tree takes its time before packets pass.
    lab["checks"] = json!([]);
    let mut set = lab.clone();
    set["networks"][0] =
        json!({ "name": "lan", "mtu": 1400, "stp": true, "ageing_time_s": 7, "group_fwd_mask": 0x4000 });
    set["nodes"][0]["sysctls"] = json!({ "net.ipv4.ip_default_ttl": "63" });
    place.deploy(&lab);
    let mac = |place: &Place| Shown { place, lab: "t-default" }.inside("h2", &["-o", "link", "show", "eth0"]);
    let plain = mac(&place);
    set["links"][2]["endpoints"][1]["mac"] = "02:00:00:00:00:aa".into();
    place.deploy(&set);
    assert!(mac(&place).contains("02:00:00:00:00:aa"), "{}", mac(&place));
    place.deploy(&lab);
    nothing_is_left(&place, "t-default");
    let bridge = Shown { place: &place, lab: "t-default" }.bridge();
    assert!(bridge.contains("stp_state 0") && bridge.contains("group_fwd_mask 0 "), "{bridge}");
    let address = |shown: &str| shown.split("link/ether ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    assert_eq!(address(&mac(&place)), address(&plain));
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
}

#[test]
fn a_networks_packet_length_stays_when_its_narrowest_port_goes() {
    let Some(mut place) = Place::new() else { return };
    let mut lab = small("t-narrow");
    lab["links"][0]["mtu"] = 1300.into();
    place.deploy(&lab);
    let length = |place: &Place| Shown { place, lab: "t-narrow" }.bridge();
    assert!(length(&place).contains("mtu 1300"), "{}", length(&place));
    lab["networks"][0]["mtu"] = 1300.into();
    lab["links"][0]["mtu"] = 1400.into();
    place.deploy(&lab);
    assert!(length(&place).contains("mtu 1300"), "{}", length(&place));
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
}

#[test]
fn containers_keep_their_routes_and_lose_what_a_failed_deployment_gave_them() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    let mut lab = super::containers::small("t-boxed");
    lab["nodes"][0]["routes"] = json!([{ "to": "10.9.0.0/24", "via": "10.1.0.2" }]);
    place.deploy(&lab);
    lab["links"][2]["endpoints"][0]["addresses"] = json!(["10.1.0.7/24"]);
    place.deploy(&lab);
    let routes = |place: &Place| Shown { place, lab: "t-boxed" }.inside("a", &["route"]);
    assert!(routes(&place).contains("10.9.0.0/24 via 10.1.0.2"), "{}", routes(&place));
    let mut more = lab.clone();
    more["nodes"][0]["routes"] = json!([{ "to": "10.8.0.0/24", "via": "10.1.0.2" }]);
    more["links"][2]["endpoints"][0]["addresses"] = json!(["10.1.0.7/24", "10.2.0.7/24"]);
    more["nodes"].as_array_mut().unwrap().push(json!({ "name": "c", "group": "boxes" }));
    more["checks"] = json!([{ "from": "n", "ping": "192.0.2.1", "within": "1s" }]);
    assert_eq!(place.run("lab/deploy", &more)["state"], "rolled_back");
    assert!(routes(&place).contains("10.8.0.0/24"), "an undo leaves what is on another run's link: {}", routes(&place));
    place.deploy(&lab);
    let shown = routes(&place);
    assert!(shown.contains("10.9.0.0/24") && !shown.contains("10.8.0.0") && !shown.contains("10.2.0."), "{shown}");
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
}

#[test]
fn another_startup_makes_its_node_anew_and_no_other() {
    let Some(mut place) = Place::new() else { return };
    let mut lab = small("t-startup");
    // Every kernel has that; its alias is the lab's mark.
    let marked = |length: &str| json!([["ip", "link", "set", "lo", "txqueuelen", length]]);
    lab["nodes"][0]["startup"] = marked("701");
    lab["nodes"][1]["startup"] = marked("703");
    place.deploy(&lab);
    let links = |place: &Place, node: &str| Shown { place, lab: "t-startup" }.inside(node, &["-o", "link"]);
    let (router, first) = (links(&place, "r1"), links(&place, "h1"));
    assert!(first.contains("qlen 701"), "{first}");
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
    // Others, and then none.
    lab["nodes"][0]["startup"] = marked("702");
    let done = place.deploy(&lab);
    assert_eq!((&done["counts"]["replace"], &done["checks"][0]["holds"]), (&json!(2), &json!(true)), "{done:#}");
    let second = links(&place, "h1");
    assert!(second.contains("qlen 702") && !second.contains("qlen 701"), "{second}");
    lab["nodes"][0].as_object_mut().unwrap().remove("startup");
    let done = place.deploy(&lab);
    assert_eq!(done["checks"][0]["holds"], true, "{done:#}");
    let third = links(&place, "h1");
    assert!(!third.contains("qlen 702") && !third.contains("qlen 701"), "{third}");
    assert_eq!(links(&place, "r1"), router);
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
}

#[test]
fn another_startup_makes_a_container_anew_with_its_links() {
    let Some(docker) = Docker::shared() else { return };
    let Some(mut place) = Place::with_docker(&docker, "") else { return };
    let mut lab = super::containers::small("t-restart");
    // A namespace of the same lab is edited, too: the plan within the deployment mustn't make it anew once more.
    let marked = |lab: &mut Value, name: &str, length: &str| {
        lab["nodes"][0]["startup"] = json!([["busybox", "mkdir", format!("/{name}")]]);
        lab["nodes"][2]["startup"] = json!([["ip", "link", "set", "lo", "txqueuelen", length]]);
    };
    marked(&mut lab, "one", "701");
    place.deploy(&lab);
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
    marked(&mut lab, "two", "702");
    let checks = lab["checks"].as_array_mut().unwrap();
    checks.push(json!({ "from": "a", "exec": ["busybox", "ls", "-d", "/two"], "within": "2s" }));
    checks.push(json!({ "from": "a", "exec": ["busybox", "ls", "-d", "/one"], "code": 1, "within": "2s" }));
    let done = place.deploy(&lab);
    let holds: Vec<_> = done["checks"].as_array().unwrap().iter().map(|check| &check["holds"]).collect();
    assert_eq!(json!(holds), json!([true, true, true, true]), "{done:#}");
    let links = Shown { place: &place, lab: "t-restart" }.inside("n", &["-o", "link"]);
    assert!(links.contains("qlen 702") && !links.contains("qlen 701"), "{links}");
    assert_eq!(place.deploy(&lab)["summary"], "nothing differs");
}
