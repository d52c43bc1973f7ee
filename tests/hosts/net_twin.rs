//! The twin in memory beside the kernel: the same calls, the same answers and refusals.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_hosts::{net, owner::Always};
use windlass_script::host::{Args, HostModule, testing::TestCx};
use windlass_tests::{can_make_namespaces, skip};

#[test]
fn the_twin_answers_as_the_kernel_does() {
    if let Err(reason) = can_make_namespaces() {
        skip(&reason);
        return;
    }
    let organisations = Arc::new(Always("platform"));
    let real = net::module(net::kernel(), organisations.clone());
    let twin = net::module(net::rehearsal(), organisations);
    for (number, sequence) in sequences().into_iter().enumerate() {
        let lab = format!("wtwin{}-{number}", std::process::id());
        let mut differences = Vec::new();
        for (step, (name, rest)) in sequence.iter().enumerate() {
            let (on_kernel, on_twin) = (answer(&real, &lab, name, rest), answer(&twin, &lab, name, rest));
            if on_kernel != on_twin {
                differences.push(format!("{number}.{step} {name} {rest}\n  kernel {on_kernel}\n  twin   {on_twin}"));
            }
        }
        answer(&real, &lab, "destroy", &json!([]));
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}

fn sequences() -> Vec<Vec<(&'static str, Value)>> {
    let base = || {
        vec![
            ("create_namespaces", json!([["r1", "r2"]])),
            ("create_bridges", json!([["lan1", "lan2"]])),
            ("connect", json!([{ "at": "r1:eth0", "addresses": ["10.0.0.1/24", "fd00::1/64"] }, "lan1"])),
            ("connect", json!(["r2:eth0", "lan1", { "mtu": 1400 }])),
            ("connect", json!(["r1:p0", "r2:p0"])),
            ("wait_link", json!(["r1:eth0", "up", "2s"])),
            ("wait_link", json!(["lan1", "up", "5s"])),
        ]
    };
    let after_base = |calls: Vec<(&'static str, Value)>| {
        base().into_iter().chain(calls).chain([("links", json!([])), ("describe", json!([]))]).collect()
    };
    vec![
        after_base(vec![]),
        // What is there already, and what isn't.
        after_base(vec![
            ("create_namespace", json!(["r1"])),
            ("connect", json!(["r1:eth0", "lan1"])),
            ("connect", json!(["r1:eth0", "r2:eth9"])),
            ("connect", json!(["r1:p0", "r2:p0"])),
            ("connect", json!(["r3:eth0", "lan1"])),
            ("connect", json!(["r1:eth3", "lan3"])),
            ("create_bridge", json!(["lan1"])),
            ("counters", json!(["r1:eth9"])),
            ("set_link", json!(["r1:eth9", { "up": true }])),
            ("disconnect", json!(["r1:p0"])),
            ("disconnect", json!(["r1:p0"])),
            ("wait_link", json!(["r2:p0", "gone", "2s"])),
        ]),
        // Addresses and routes.
        after_base(vec![
            ("add_address", json!(["r2:eth0", "10.0.0.2/24"])),
            ("add_address", json!(["r2:eth0", "10.0.0.2/24"])),
            ("add_address", json!(["r2:eth9", "10.0.0.2/24"])),
            ("add_route", json!(["r2", { "to": "default", "via": "10.0.0.1" }])),
            ("add_route", json!(["r2", { "to": "default", "via": "10.0.0.1" }])),
            ("add_route", json!(["r2", { "to": "default", "via": "10.0.0.9" }])),
            ("add_route", json!(["r2", { "to": "default", "via": "10.0.0.9", "metric": 7 }])),
            ("add_route", json!(["r2", { "to": "10.5.0.0/16", "via": "10.4.0.1" }])),
            ("add_route", json!(["r2", { "to": "10.5.0.0/16", "dev": "eth9" }])),
            ("add_route", json!(["r2", { "to": "fd05::/64", "via": "fd00::9" }])),
            ("add_address", json!(["r2:eth0", "fd00::2/64"])),
            ("add_route", json!(["r2", { "to": "fd05::/64", "via": "fd00::9" }])),
            ("remove_route", json!(["r2", { "to": "10.5.0.0/16", "via": "10.4.0.1" }])),
            ("set_link", json!(["r2:eth0", { "up": false }])),
            ("add_route", json!(["r2", { "to": "10.5.0.0/16", "dev": "eth0" }])),
            ("add_route", json!(["r2", { "to": "10.5.0.0/16", "via": "10.0.0.1" }])),
            ("set_link", json!(["r2:eth0", { "up": true }])),
            ("remove_address", json!(["r1:eth0", "10.0.0.1/24"])),
            ("remove_address", json!(["r1:eth0", "10.0.0.1/24"])),
        ]),
        // Settings that can't be.
        after_base(vec![
            ("connect", json!(["r1:eth4", "lan1", { "mtu": 3 }])),
            ("connect", json!(["r1:eth4", "lan1", { "mtu": 70000 }])),
            ("set_link", json!(["r1:eth0", { "mtu": 3 }])),
            ("set_link", json!(["lan1", { "mtu": 1300, "stp": true, "ageing_time_s": 5 }])),
            ("set_link", json!(["r1:eth0@host", { "bridge": "lan2" }])),
            ("set_link", json!(["r1:eth0@host", { "bridge": null }])),
            ("set_link", json!(["r1:eth0", { "stp": true }])),
            ("wait_link", json!(["lan1", "up", "5s"])),
        ]),
        // Down and gone.
        after_base(vec![
            ("set_link", json!(["r1:eth0@host", { "up": false }])),
            ("wait_link", json!(["r1:eth0", "down", "2s"])),
            ("set_link", json!(["r1:eth0@host", { "up": true }])),
            ("wait_link", json!(["r1:eth0", "up", "2s"])),
            ("enable_forwarding", json!(["r1"])),
            ("delete_namespace", json!(["r2"])),
            ("delete_bridge", json!(["lan1"])),
            ("wait_link", json!(["r1:p0", "gone", "2s"])),
        ]),
    ]
}

/// The result without what can't be the same, or the code of the refusal.
fn answer(module: &HostModule, lab: &str, name: &str, rest: &Value) -> String {
    let op = module.ops.iter().find(|op| op.name == name).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut args = vec![Value::from(lab)];
    args.extend(rest.as_array().unwrap().iter().cloned());
    match (op.run)(&TestCx::new(&[]).on(&runtime), &Args::new(op.params, args)) {
        Ok(mut value) => {
            strip(&mut value);
            value.to_string()
        }
        Err(problem) => format!("{} no_effect={} {}", problem.code, problem.no_effect, problem.data),
    }
}

/// Drawn addresses, times, and the order of interfaces made at the same time differ; so does how soon the kernel says
/// that a link is up, which `wait_link` is there for.
fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("mac");
            map.remove("waited_ms");
            map.remove("operstate");
            map.remove("carrier");
            map.values_mut().for_each(strip);
        }
        Value::Array(items) => {
            items.iter_mut().for_each(strip);
            items.sort_by_key(Value::to_string);
        }
        _ => {}
    }
}
