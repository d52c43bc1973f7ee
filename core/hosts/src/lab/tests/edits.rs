//! What an edit takes out of a document, and what a deployment left behind that didn't end well.

use serde_json::{Value, json};

use super::{
    document,
    plans::{LAB, compared, differences, there},
    value,
};
use crate::lab::document::Impairment;

/// The calls of a plan, as words.
fn calls(plan: &Value, list: &str) -> Vec<String> {
    let what = |call: &Value| call.get("address").or(call.get("changes")).or(call.pointer("/route/to")).cloned();
    let at = |call: &Value| call.get("at").or(call.get("node")).cloned().unwrap_or_default();
    let all = plan[list].as_array().unwrap();
    let words =
        |call: &Value| format!("{} {} {}", call["op"], at(call), what(call).unwrap_or_default()).replace('"', "");
    all.iter().map(words).collect()
}

#[test]
fn what_goes_with_an_address_is_given_again() {
    // The only one of an interface: the kernel takes the routes over it along.
    let plan =
        compared(&LAB.replace("'a:eth1', addresses: [10.1.0.1/24]", "'a:eth1', addresses: [10.1.0.7/24]"), &there());
    assert_eq!(differences(&plan), ["add address a:eth1 10.1.0.7/24", "remove address a:eth1 10.1.0.1/24"]);
    assert_eq!(calls(&plan, "loosen"), ["remove_address a:eth1 10.1.0.1/24"]);
    assert_eq!(calls(&plan, "settle"), ["add_address a:eth1 10.1.0.7/24", "add_route a 10.9.0.0/16"]);

    // The first of several in a network: the others go with it. One of another network or family doesn't.
    let mut actual = there();
    let many = json!(["10.1.0.1/24", "10.1.0.5/24", "10.1.0.3/24", "10.1.0.4/16", "10.2.0.1/24", "fd00::1/64"]);
    actual["net"]["namespaces"][0]["interfaces"][1]["addresses"] = many;
    let edited = LAB.replace(
        "'a:eth1', addresses: [10.1.0.1/24]",
        "'a:eth1', addresses: [10.1.0.5/24, 10.1.0.4/16, 10.2.0.1/24, 'fd00::1/64']",
    );
    let plan = compared(&edited, &actual);
    assert_eq!(calls(&plan, "loosen"), ["remove_address a:eth1 10.1.0.1/24", "remove_address a:eth1 10.1.0.3/24"]);
    assert_eq!(calls(&plan, "settle"), ["add_address a:eth1 10.1.0.5/24", "add_route a 10.9.0.0/16"]);

    // So it is at a network.
    let with = |addresses: &str| LAB.replace("{ name: lan }", &format!("{{ name: lan, addresses: [{addresses}] }}"));
    let mut actual = there();
    actual["net"]["links"][0]["addresses"] = json!(["10.0.0.8/24", "10.0.0.9/24"]);
    actual["kept"] = value(&document(&with("10.0.0.8/24, 10.0.0.9/24")));
    let plan = compared(&with("10.0.0.9/24"), &actual);
    assert_eq!(calls(&plan, "loosen"), ["remove_address lan 10.0.0.8/24"]);
    assert_eq!(calls(&plan, "settle"), ["add_address lan 10.0.0.9/24"]);
}

/// `LAB` with more of everything that is changed live.
fn more() -> String {
    LAB.replace("{ name: lan }", "{ name: lan, mtu: 1400, ageing_time_s: 7, addresses: [10.0.0.9/24] }")
        .replace("{ name: a, routes: [", "{ name: a, forwarding: true, routes: [{ to: 10.8.0.0/16, via: 10.1.0.2 }, ")
        .replace("{ endpoints: [{ at: 'a:eth1'", "{ mtu: 9000, endpoints: [{ at: 'a:eth1'")
}

/// The kernel with what `more` asks for.
fn left() -> Value {
    let mut actual = there();
    let net = &mut actual["net"];
    net["links"][0]["addresses"] = json!(["10.0.0.9/24"]);
    net["links"][0]["mtu"] = 1400.into();
    net["links"][0]["settings"]["ageing_time_s"] = 7.into();
    net["namespaces"][0]["forwarding"]["ipv4"] = true.into();
    let route = json!({ "to": "10.8.0.0/16", "via": "10.1.0.2", "dev": "eth1", "metric": 0 });
    net["namespaces"][0]["routes"].as_array_mut().unwrap().push(route);
    net["namespaces"][0]["interfaces"][1]["mtu"] = 9000.into();
    net["namespaces"][1]["interfaces"][0]["mtu"] = 9000.into();
    actual
}

const BACK: [&str; 5] = [
    "change link a:eth1 – b:eth0",
    "change network lan",
    "remove address lan 10.0.0.9/24",
    "remove route a to 10.8.0.0/16",
    "change node a",
];

#[test]
fn what_a_failed_deployment_has_left_is_taken_back() {
    let mut actual = there();
    actual["kept"] = value(&document(LAB));
    let tried = compared(&more(), &actual)["tried"].clone();
    let mut actual = left();
    actual["kept"] = value(&document(LAB));
    assert_eq!(differences(&compared(LAB, &actual)), Vec::<String>::new(), "nobody knows whose it is");
    actual["tried"] = tried.clone();
    let plan = compared(LAB, &actual);
    assert_eq!(differences(&plan), BACK);
    assert!(calls(&plan, "settle").contains(&"set_link lan {ageing_time_s:300,mtu:1500}".to_owned()), "{plan:#}");

    // It is as long known as no deployment ends well, whatever is tried next.
    let next = compared(&LAB.replace(", forwarding: true", ""), &actual)["tried"].clone();
    actual["tried"] = next;
    assert_eq!(differences(&compared(LAB, &actual)), BACK);
    actual["net"] = there()["net"].clone();
    let plan = compared(LAB, &actual);
    assert_eq!((&plan["same"], &plan["tried"]), (&json!(true), &Value::Null));

    // One that can't be read is no obstacle.
    actual["tried"] = json!([1]);
    assert_eq!(compared(LAB, &actual)["same"], true);
    // Only what can be left behind is kept of it.
    assert_eq!(
        tried["nodes"][0].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["forwarding", "kind", "name", "routes"]
    );
}

#[test]
fn what_was_tried_grows_by_what_differs_only() {
    let mut actual = there();
    actual["kept"] = value(&document(LAB));
    let mut tried = Value::Null;
    for number in 0..5 {
        let edited = LAB
            .replace("10.0.0.1/24", &format!("10.0.0.{}/24", 10 + number))
            .replace("forwarding: true", &format!("sysctls: {{ net.ipv4.k{number}: 1 }}"));
        actual["tried"] = tried;
        tried = compared(&edited, &actual)["tried"].clone();
    }
    assert_eq!(tried["links"].as_array().unwrap().len(), 2);
    assert_eq!(tried["links"][0]["endpoints"][0]["addresses"].as_array().unwrap().len(), 5);
    assert_eq!(tried["nodes"][1]["sysctls"].as_object().unwrap().len(), 5);
}

/// What differs where `from` is there as it says, and `to` is wanted.
fn edited(from: &str, to: &str, actual: &Value) -> Value {
    let mut actual = actual.clone();
    actual["kept"] = value(&document(from));
    assert_eq!(differences(&compared(from, &actual)), Vec::<String>::new());
    compared(to, &actual)
}

#[test]
fn a_setting_that_is_taken_out_of_a_network_goes_back_to_the_default() {
    let set = "{ name: lan, mtu: 1400, stp: true, ageing_time_s: 7, group_fwd_mask: 8, vlan_filtering: true }";
    let mut actual = there();
    actual["net"]["links"][0]["mtu"] = 1400.into();
    actual["net"]["links"][0]["settings"] =
        json!({ "stp": true, "ageing_time_s": 7, "group_fwd_mask": 8, "vlan_filtering": true });
    let set = LAB.replace("{ name: lan }", set);
    let plan = edited(&set, LAB, &actual);
    assert_eq!(
        plan["settle"][0]["changes"],
        json!({ "mtu": 1500, "stp": false, "ageing_time_s": 300, "group_fwd_mask": 0, "vlan_filtering": false })
    );
    // A bridge takes what all of its ports can.
    let narrow = |lab: &str| lab.replace("{ endpoints: [{ at: 'a:eth0'", "{ mtu: 1300, endpoints: [{ at: 'a:eth0'");
    actual["net"]["namespaces"][0]["interfaces"][0]["mtu"] = 1300.into();
    actual["net"]["links"][1]["mtu"] = 1300.into();
    let plan = edited(&narrow(&set), &narrow(LAB), &actual);
    assert_eq!(plan["settle"][0]["changes"]["mtu"], 1300);
}

#[test]
fn a_vxlan_without_its_mtu_is_made_anew() {
    let with = |mtu: &str| {
        LAB.replace(
            "{ name: lan }",
            &format!("{{ name: lan, {mtu}kind: vxlan, vxlan: {{ id: 7, remote: 192.0.2.9 }} }}"),
        )
    };
    let mut actual = there();
    actual["net"]["links"][0]["mtu"] = 1400.into();
    let vxlan = json!({ "at": "lan.vxlan", "kind": "vxlan", "up": true, "mtu": 1400, "bridge": "lan",
        "vxlan": { "id": 7, "remote": "192.0.2.9", "local": null, "device": null, "port": 4789 } });
    actual["net"]["links"].as_array_mut().unwrap().push(vxlan);
    let plan = edited(&with("mtu: 1400, "), &with(""), &actual);
    assert_eq!(differences(&plan), ["change network lan", "replace vxlan lan.vxlan"]);
    assert_eq!(plan["base"]["vxlans"].as_array().unwrap().len(), 1);
    // Made anew, it isn't made anew again.
    actual["net"]["links"][2]["mtu"] = 1500.into();
    actual["kept"] = value(&document(&with("mtu: 1400, ")));
    assert_eq!(differences(&compared(&with(""), &actual)), ["change network lan"]);
}

#[test]
fn an_end_without_its_hardware_address_is_laid_anew() {
    for (end, link, remnants) in
        [("a:eth1", "a:eth1 – b:eth0", 2), ("b:eth0", "a:eth1 – b:eth0", 2), ("a:eth0", "a:eth0 – lan", 1)]
    {
        let with = LAB.replace(&format!("at: '{end}'"), &format!("at: '{end}', mac: '02:00:00:00:00:01'"));
        let plan = edited(&with, LAB, &there());
        assert_eq!(differences(&plan), [format!("replace link {link}")], "{end}");
        assert_eq!(plan["remove"]["links"].as_array().unwrap().len(), remnants, "{end}");
        assert_eq!(plan["base"]["links"].as_array().unwrap().len(), 1, "{end}");
    }
}

#[test]
fn a_namespace_without_a_kernel_setting_is_made_anew() {
    let with = |sysctls: &str| {
        LAB.replace("{ name: b, ", &format!("{{ name: b, startup: [['true']], sysctls: {{ {sysctls} }}, "))
    };
    let both = with("net.ipv4.ip_default_ttl: '63', net.ipv4.ip_no_pmtu_disc: '1'");
    let plan = edited(&both, &with("net.ipv4.ip_default_ttl: '63'"), &there());
    assert_eq!(differences(&plan), ["replace namespace b", "replace link a:eth1 – b:eth0"]);
    assert_eq!((&plan["remove"]["namespaces"], &plan["base"]["namespaces"]), (&json!(["b"]), &json!(["b"])));
    assert_eq!(plan["base"]["forwarding"], json!(["b"]));
    assert_eq!(plan["sysctls"].as_array().unwrap().len(), 1);
    assert_eq!(plan["startup"].as_array().unwrap().len(), 1);
    assert_eq!(calls(&plan, "settle"), ["add_route a 10.9.0.0/16"]);
    // A value that differs is set.
    let plan = edited(&both, &both.replace("'63'", "'62'"), &there());
    assert_eq!(differences(&plan), ["change node b"]);
    // In the plan that follows in the same deployment, it is there already.
    let mut actual = there();
    actual["kept"] = value(&document(&both));
    actual["fresh"] = json!(["b"]);
    assert_eq!(differences(&compared(LAB, &actual)), Vec::<String>::new());
}

#[test]
fn a_node_with_another_startup_is_made_anew() {
    let with = |startup: &str| LAB.replace("{ name: b, ", &format!("{{ name: b, startup: [{startup}], "));
    for (from, to, commands) in [
        (with("['true']"), with("['false']"), json!([["false"]])),
        (LAB.to_owned(), with("['true']"), json!([["true"]])),
        (with("['true']"), LAB.to_owned(), json!([])),
    ] {
        let plan = edited(&from, &to, &there());
        assert_eq!(differences(&plan), ["replace namespace b", "replace link a:eth1 – b:eth0"]);
        assert_eq!((&plan["remove"]["namespaces"], &plan["base"]["namespaces"]), (&json!(["b"]), &json!(["b"])));
        let run: Vec<_> = plan["startup"].as_array().unwrap().iter().map(|call| call["argv"].clone()).collect();
        assert_eq!(json!(run), commands);
        // In the plan that follows in the same deployment, it is made already.
        let mut actual = there();
        actual["kept"] = value(&document(&from));
        actual["fresh"] = json!(["b"]);
        assert_eq!(compared(&to, &actual)["same"], true);
    }
    // Nobody knows what it came up with: it is left alone.
    assert_eq!(compared(&with("['true']"), &there())["same"], true);
}

#[test]
fn a_container_with_another_startup_is_made_anew() {
    const BOX: &str = "{ name: demo, nodes: [{ name: c, kind: container, image: busybox, startup: [['true']] }] }";
    let digest = &compared(BOX, &json!({}))["containers"][0]["digest"];
    let other = BOX.replace("'true'", "'false'");
    let there = |status: &str| {
        json!({ "net": { "namespaces": [{ "name": "c", "namespace": "nve1d1-c" }] }, "kept": value(&document(BOX)),
            "docker": [{ "name": "c", "status": status, "digest": digest }] })
    };
    for status in ["running", "exited"] {
        let plan = compared(&other, &there(status));
        assert_eq!(differences(&plan), ["replace container c"], "{status}");
        assert_eq!((&plan["remove_containers"], &plan["start_containers"]), (&json!(["c"]), &json!(["c"])));
        assert_eq!((&plan["revive"], &plan["startup"][0]["argv"]), (&json!([]), &json!(["false"])));
    }
    assert_eq!(compared(BOX, &there("running"))["same"], true);
    // Nothing has run in it yet.
    assert_eq!(differences(&compared(&other, &there("created"))), ["start container c"]);
}

#[test]
fn little_is_not_nothing() {
    let loss = |loss_percent: f64| Impairment { loss_percent, ..Impairment::default() };
    let delay = |delay_ms: f64| Impairment { delay_ms, ..Impairment::default() };
    let rate = |rate_kbit: u64| Impairment { rate_kbit, ..Impairment::default() };
    for little in [loss(0.005), delay(0.009), loss(0.000_1), rate(1)] {
        let none = Impairment::default();
        assert!(!little.is_about(&none) && !none.is_about(&little), "{little:?}");
        assert!(little.is_about(&little), "{little:?}");
    }
    assert!(!loss(0.002).is_about(&loss(0.008)));
    // What the kernel makes of it is still the same.
    assert!(delay(5.0).is_about(&delay(5.000_4)) && loss(1.0 / 3.0).is_about(&loss(0.333_4)));
}

#[test]
fn a_networks_packet_length_is_set_after_its_ports() {
    // The kernel has it already, from a port that goes now, and would let it go along.
    let narrow = LAB.replace("{ endpoints: [{ at: 'a:eth0'", "{ mtu: 1300, endpoints: [{ at: 'a:eth0'");
    let mut actual = there();
    actual["net"]["links"][0]["mtu"] = 1300.into();
    actual["net"]["links"][1]["mtu"] = 1300.into();
    actual["net"]["namespaces"][0]["interfaces"][0]["mtu"] = 1300.into();
    actual["kept"] = value(&document(&narrow));
    let to = LAB.replace("{ name: lan }", "{ name: lan, mtu: 1300 }");
    let to = to.replace("  - { endpoints: [{ at: 'a:eth0', addresses: [10.0.0.1/24] }, lan] }\n", "");
    let plan = compared(&to, &actual);
    assert_eq!(differences(&plan), ["remove link a:eth0"]);
    assert_eq!(calls(&plan, "settle"), ["set_link lan {mtu:1300}"]);
    // One that was set once follows nobody.
    let without = to.replace(", mtu: 1300", "");
    assert_eq!(calls(&compared(&without, &actual), "settle"), ["set_link lan {mtu:1500}"]);
    // Where nothing differs, nothing is set.
    let plan = compared(&narrow, &actual);
    assert_eq!((&plan["same"], &plan["settle"]), (&json!(true), &json!([])));
}

#[test]
fn forwarding_gives_way_to_kernel_settings_that_say_it_too() {
    let settings = |lab: &str| lab.replace("forwarding: true", "forwarding: true, sysctls: { net.ipv4.ip_forward: 0 }");
    let mut actual = there();
    actual["net"]["namespaces"][1]["forwarding"]["ipv4"] = false.into();
    actual["kept"] = value(&document(&settings(LAB)));
    let plan = compared(&settings(LAB), &actual);
    assert_eq!(plan["same"], true, "each deployment would undo what the one before did: {plan:#}");
    // What is left of it is that of the other family, and the setting holds after it.
    let plan = compared(&settings(LAB).replace("forwarding: true, ", ""), &actual);
    assert_eq!(differences(&plan), ["change node b"]);
    assert_eq!(plan["settle"], json!([{ "op": "forwarding", "node": "b", "on": false }]));
    assert_eq!(plan["sysctls"], json!([{ "node": "b", "key": "net.ipv4.ip_forward", "value": "0" }]));
}
