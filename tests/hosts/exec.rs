//! `exec` from scripts: grants, results, failures that a script can catch, network namespaces.

use serde_json::json;
use windlass_hosts::HostConfig;
use windlass_model::Code;
use windlass_tests::{has_program, is_root, skip};

use super::{Shop, modules_of};

fn shop() -> Shop {
    let config = json!({ "exec": { "programs": ["sh", "cat", "ip"] } });
    Shop::real(&serde_json::from_value::<HostConfig>(config).expect("a configuration"))
}

#[test]
fn a_program_runs_when_its_name_is_granted() {
    let shop = shop();
    let result = shop
        .result(&["exec.run:cat"], r#"exec::run(["cat"], #{ stdin: input.to_json() + "!", timeout: "5s" }).stdout"#);
    assert_eq!(result.expect("it is granted"), "{}!");
    let problem = shop.result(&["exec.run:cat"], r#"exec::run(["sh", "-c", "true"])"#).unwrap_err();
    assert_eq!(problem.code, Code::PermissionDenied);
    assert!(problem.message.contains("exec.run:sh"), "{}", problem.message);
    let problem = shop.result(&["exec.run:*"], r#"exec::run(["id"])"#).unwrap_err();
    assert_eq!(problem.code, Code::PermissionDenied, "granted, and not declared");
}

#[test]
fn a_script_can_go_on_after_a_failure() {
    let body = r#"
        let seen = ();
        try { exec::run(["sh", "-c", "echo no >&2; exit 4"]); }
        catch (error) { seen = #{ code: error.code, exit: error.data.code, said: error.data.stderr }; }
        seen
    "#;
    let result = shop().result(&["exec.run:sh"], body).expect("it is caught");
    assert_eq!(result, json!({ "code": "command_failed", "exit": 4, "said": "no" }));
}

#[test]
fn a_rehearsal_runs_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mark = folder.path().join("mark");
    let body = format!(r#"exec::run(["sh", "-c", "touch {}"]).code"#, mark.display());
    let config = serde_json::from_value(json!({ "exec": { "programs": ["sh"] } })).expect("a configuration");
    assert_eq!(Shop::rehearsal(&config).result(&["exec.run:sh"], &body).expect("it is assumed"), 0);
    assert!(!mark.exists());
    assert_eq!(Shop::real(&config).result(&["exec.run:sh"], &body).expect("it runs"), 0);
    assert!(mark.exists());
}

#[test]
fn a_program_runs_inside_a_namespace() {
    if !is_root() || !has_program("ip") {
        return skip("needs root and ip");
    }
    let name = format!("wlhb-{}", std::process::id());
    let body = format!(
        r#"
        exec::apply(["ip", "netns", "add", "{name}"]);
        let inside = exec::probe(["ip", "-o", "link"], #{{ namespace: "{name}" }}).stdout;
        let outside = exec::probe(["cat", "/proc/self/net/dev"]).stdout;
        exec::apply(["ip", "netns", "delete", "{name}"]);
        #{{ lines: inside.split("\n").len(), lo: inside.contains("lo:"), differs: inside != outside }}
        "#
    );
    let result = shop().result(&["exec.run:ip", "exec.run:cat"], &body).expect("namespaces can be made");
    assert_eq!(result["lo"], true);
    let before = std::fs::read_link("/proc/self/ns/net").expect("a namespace");
    let after = std::fs::read_link("/proc/thread-self/ns/net").expect("a namespace");
    assert_eq!(before, after, "only the child went there");
    assert!(!std::path::Path::new("/run/netns").join(name).exists());
}

const INSIDE: &[&str] = &["exec.run:sh", "exec.run:ip", "exec.run:ping", "net.write:*", "net.read:*"];

/// The last lines of `script`, run by a shell in a node of a lab of this organisation that is made for it.
fn said_inside(config: &HostConfig, script: &str) -> Vec<String> {
    let lab = format!("jail{}", std::process::id());
    let body = format!(
        r#"
        let made = net::create_namespaces("{lab}", ["r1"]);
        let inside = #{{ namespace: made[0].namespace, any_code: true }};
        let said = exec::run(["sh", "-c", {}], inside);
        net::destroy("{lab}");
        said.stdout + said.stderr
        "#,
        json!(script)
    );
    let result = Shop::of(modules_of(config, "platform"), false).result(INSIDE, &body).expect("it runs");
    result.as_str().expect("text").lines().map(str::to_owned).collect()
}

#[test]
fn a_program_in_a_node_has_the_network_and_nothing_of_the_machine() {
    if !is_root() || !has_program("ip") || !has_program("ping") {
        return skip("needs root, ip and ping");
    }
    let data = tempfile::tempdir_in("/var").expect("a folder");
    std::fs::set_permissions(data.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("its mode");
    std::fs::write(data.path().join("open"), "seen").expect("a file");
    let mut config: HostConfig =
        serde_json::from_value(json!({ "exec": { "programs": ["sh", "ip", "ping"] } })).expect("a configuration");
    config.exec.hidden = vec![data.path().to_owned()];
    let script = format!(
        "id -u; grep CapEff /proc/self/status; \
         cat /etc/shadow >/dev/null 2>&1 || echo no-shadow; \
         touch /etc/x /var/x 2>/dev/null || echo no-writing; touch /tmp/x && echo scratch; \
         echo run-$(ls -A /run | wc -l); echo pts-$(ls /dev/pts | tr '\\n' ' '); echo data-$(ls -A {} | wc -l); \
         echo dev-$(ls /dev | tr '\\n' ' '); echo processes-$(ls -d /proc/[0-9]* | wc -l)-$$; \
         ip link set lo up && ip -j addr show lo | grep -o '\"ifname\":\"lo\"'; \
         ping -c 1 -W 1 127.0.0.1 >/dev/null && echo pinged; \
         echo 1 > /proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward; \
         echo x 2>/dev/null > /proc/sys/kernel/core_pattern || echo no-core-pattern; echo end",
        data.path().display()
    );
    let said = said_inside(&config, &script);
    let has = |wanted: &str| assert!(said.iter().any(|line| line == wanted), "{wanted}: {said:#?}");
    // A user of the organisation's own, from the range of the configuration.
    let inmate = u64::from(config.exec.uid_first)..u64::from(config.exec.uid_first) + u64::from(config.exec.uid_count);
    assert!(said[0].parse().is_ok_and(|uid: u64| inmate.contains(&uid)), "{inmate:?}: {said:#?}");
    for wanted in ["CapEff:\t0000000000003400", "no-shadow", "no-writing", "scratch", "run-0", "pts-ptmx", "data-0"] {
        has(wanted);
    }
    has("dev-fd full null ptmx pts random shm stderr stdin stdout tty urandom zero");
    has("\"ifname\":\"lo\"");
    for wanted in ["pinged", "1", "no-core-pattern", "end"] {
        has(wanted);
    }
    assert!(said.iter().any(|line| line.starts_with("processes-") && line.ends_with("-1")), "{said:#?}");
}

/// The kernel holds a jail's CAP_NET_ADMIN against the machine's user namespace: with it, a link's end leads to the namespace where its
/// other end is, and to everything there.
#[test]
fn programs_rule_networks_if_their_organisation_is_trusted() {
    if !is_root() || !has_program("ip") || !has_program("ping") {
        return skip("needs root, ip and ping");
    }
    let script = "grep CapEff /proc/self/status; ping -c 1 -W 5 10.99.7.2 >/dev/null && echo pinged; \
                  there=$(ip -o link show eth0 | sed 's/.*link-netnsid \\([0-9]*\\).*/\\1/'); \
                  ip link add link if$(cat /sys/class/net/eth0/iflink) link-netnsid $there name x0 type macvlan \
                  && echo reached-there; \
                  ip link set eth0 mtu 1400 && echo changed-here; echo 0 2>/dev/null > /proc/sys/net/ipv4/ip_forward && echo set; \
                  true";
    for (organisation, trusted, rules) in [
        ("acme", json!([]), false),
        ("acme", json!(["beta"]), false),
        ("acme", json!(["acme"]), true),
        ("acme", json!(["*"]), true),
        ("platform", json!([]), true),
    ] {
        let config = json!({ "exec": { "programs": ["sh"] }, "docker": { "trusted": trusted } });
        let config: HostConfig = serde_json::from_value(config).expect("a configuration");
        let lab = format!("rule{}", std::process::id());
        let body = format!(
            r#"
            let made = net::create_namespaces("{lab}", ["r1", "r2"]);
            net::connect("{lab}", #{{ at: "r1:eth0", addresses: ["10.99.7.1/24"] }}, #{{ at: "r2:eth0", addresses: ["10.99.7.2/24"] }});
            let said = exec::run(["sh", "-c", {}], #{{ namespace: made[0].namespace, any_code: true }});
            net::destroy("{lab}");
            said
            "#,
            json!(script)
        );
        let said = Shop::of(modules_of(&config, organisation), false).result(INSIDE, &body).expect("it runs");
        let lines: Vec<&str> = said["stdout"].as_str().expect("text").lines().collect();
        let expected: &[&str] = match rules {
            true => &["CapEff:\t0000000000003400", "pinged", "reached-there", "changed-here", "set"],
            false => &["CapEff:\t0000000000000400", "pinged"],
        };
        assert_eq!(lines, expected, "{organisation} {trusted}: {said:#}");
        let refused = said["stderr"].as_str().expect("text").matches("Operation not permitted").count();
        assert_eq!(refused, if rules { 0 } else { 2 }, "{said:#}");
    }
}

#[test]
fn a_namespace_is_for_runs_of_its_organisation() {
    if !is_root() || !has_program("ip") {
        return skip("needs root and ip");
    }
    let config: HostConfig =
        serde_json::from_value(json!({ "exec": { "programs": ["ip"] } })).expect("a configuration");
    let (lab, other) = (format!("whose{}", std::process::id()), format!("wlhc-{}", std::process::id()));
    let acme = Shop::of(modules_of(&config, "acme"), false);
    let beta = Shop::of(modules_of(&config, "beta"), false);
    let platform = Shop::of(modules_of(&config, "platform"), false);
    let made = acme.result(INSIDE, &format!(r#"net::create_namespaces("{lab}", ["r1"])[0].namespace"#));
    let namespace = made.expect("it is made").as_str().expect("a name").to_owned();
    let look = |shop: &Shop, name: &str| {
        let body = format!(r#"exec::probe(["ip", "link"], #{{ namespace: "{name}" }}).code"#);
        shop.result(INSIDE, &body).map_err(|problem| problem.code)
    };
    platform.result(INSIDE, &format!(r#"exec::apply(["ip", "netns", "add", "{other}"]).code"#)).expect("it is made");
    let seen = (look(&acme, &namespace), look(&beta, &namespace), look(&platform, &namespace));
    let others = (look(&acme, &other), look(&platform, &other));
    platform.result(INSIDE, &format!(r#"exec::apply(["ip", "netns", "delete", "{other}"]).code"#)).expect("it goes");
    acme.result(INSIDE, &format!(r#"net::destroy("{lab}")"#)).expect("it goes");
    assert_eq!(seen, (Ok(json!(0)), Err(Code::NotFound), Err(Code::NotFound)));
    assert_eq!(others, (Err(Code::PermissionDenied), Ok(json!(0))));
}
