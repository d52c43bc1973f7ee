//! Servers of nodes as the lab's document says where they are, and who logs in.

use std::{path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use windlass_hosts::{lab_id::LabId, lab_names::LabNames};
use windlass_sim::{
    Clock, Faults,
    guacd::{Config, Guacd},
};
use windlass_tests::{
    ApiServer, Process,
    console::Console,
    guest::{APPEND, Guest, PROMPT},
    skip,
    tunnel::Tunnel,
};

use super::house::{Labs, shell};

const KEEP: &str = "const WORKFLOW = #{ name: \"lab/keep\", title: \"Keep\", permissions: [\"kv.write:lab/*\"] };\n\
                    fn run(input) { kv_set(\"lab/demo\", input); }\n";

fn done(server: &ApiServer, workflow: &str, input: &Value) -> Value {
    let run = server.launch(workflow, input);
    let record = server.ended(&run);
    assert_eq!(record["state"], "succeeded", "{record:#}");
    record["output"].clone()
}

/// A key pair in a folder; its public half.
fn key(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "a comment", "-f"]).arg(&path).status();
    assert!(made.unwrap().success());
    std::fs::read_to_string(path.with_extension("pub")).unwrap().trim().to_owned()
}

/// An SSH server in a namespace, until it is dropped.
fn sshd(folder: &Path, namespace: &str, listen: &str) -> Process {
    std::fs::create_dir_all("/run/sshd").unwrap();
    let at = |name: &str| folder.join(name).display().to_string();
    let config = format!(
        "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nPidFile none\n\
         ListenAddress {listen}\nPrintMotd no\n",
        at("host"),
        at("user.pub")
    );
    std::fs::write(at("config"), config).unwrap();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, "/usr/sbin/sshd", "-D", "-e", "-f", &at("config")]);
    let mut server = Process::start(&mut command).unwrap();
    server.wait_for_line("Server listening", Duration::from_secs(60));
    server
}

#[test]
fn a_document_says_where_ssh_is_who_logs_in_and_which_key_it_has() {
    if !Path::new("/usr/sbin/sshd").exists() || !Path::new("/usr/bin/ssh-keygen").exists() {
        return skip("no sshd here: .ci/setup installs openssh-server");
    }
    let guacd = Guacd::start(([127, 0, 0, 1], 0).into(), Config::default(), Faults::new(Clock::system())).unwrap();
    let Some(mut labs) =
        Labs::with(&format!("[hosts.guacamole]\nguacd = \"{}\"\n", guacd.address()), &[("lab/keep", KEEP)])
    else {
        return;
    };
    labs.lab("platform", "demo");
    let folder = tempfile::tempdir().unwrap();
    let [host, _, other] = ["host", "user", "other"].map(|name| key(folder.path(), name));
    let _server = sshd(folder.path(), &labs.namespace("r1"), "127.0.0.1:2222");
    let private = std::fs::read_to_string(folder.path().join("user")).unwrap();
    let kept =
        labs.server.put("/api/v1/secrets/lab/key", &json!({ "value": private, "to": ["ssh://platform/demo/*"] }));
    assert!(kept.status < 300, "{kept:?}");
    // Without a document it isn't known that this port is for people.
    assert_eq!(labs.kinds("r1"), json!(["shell"]));
    let document = |ssh: Value| json!({ "name": "demo", "nodes": [{ "name": "r1", "kind": "namespace", "consoles": { "ssh": ssh } }] });
    let said = |key: &str| json!({ "port": 2222, "user": "root", "secret": "lab/key", "host_key": key });
    done(&labs.server, "lab/keep", &document(said(&other)));
    assert_eq!(labs.kinds("r1"), json!(["shell", "ssh", "guac"]));
    let bearer = format!("Bearer {}", labs.server.token);
    let refused = |path: &str| Console::refused(&labs.server, path, &[("authorization", &bearer)]);
    let path = "demo/nodes/r1/console?kind=ssh";
    let wrong = refused(path);
    assert!(wrong.status == 409 && wrong.text.contains("its lab's document gives"), "{wrong:?}");
    done(&labs.server, "lab/keep", &document(said(&host)));
    let mut console = labs.console(path);
    console.asks("echo over-$((6*7))", "over-42");
    console.types("exit 4\n");
    assert_eq!(console.ends(), 1000);
    assert_eq!(console.told.last(), Some(&json!({ "exit": 4 })));
    // By way of guacd: it is told who logs in, by what, and which key is the node's.
    let mut tunnel = Tunnel::open(&labs.server, "demo/nodes/r1/console?kind=guac", &labs.server.token);
    tunnel.until("guacd asks", |next| next[0] == "sync");
    let seen = guacd.sessions().pop().unwrap();
    assert_eq!((seen.protocol.as_str(), seen.parameters["username"].as_str()), ("ssh", "root"));
    assert_eq!((seen.parameters["private-key"].as_str(), seen.parameters.get("password")), ("given", None));
    let known: Vec<&str> = host.split(' ').take(2).collect();
    assert_eq!(seen.parameters["host-key"], format!("127.0.0.1 {}", known.join(" ")));
    // A secret that isn't for this node, and none.
    labs.server.put("/api/v1/secrets/lab/key", &json!({ "value": private, "to": ["ssh://acme/demo/*"] }));
    assert_eq!(refused(path).status, 403);
    assert_eq!(refused("demo/nodes/r1/console?kind=guac&name=other").status, 403);
    done(&labs.server, "lab/keep", &document(json!({ "port": 2222 })));
    assert_eq!(refused(path).status, 400);
    // A node that is said to be elsewhere is reached from where the document says, and from nowhere else.
    let elsewhere = json!({ "address": "127.0.0.1", "port": 2222, "via": "r1", "user": "root", "secret": "lab/key" });
    labs.server.put("/api/v1/secrets/lab/key", &json!({ "value": private, "to": ["ssh://platform/demo/*"] }));
    let of =
        |node: &str, ssh: Value| json!({ "name": "demo", "nodes": [{ "name": node, "consoles": { "ssh": ssh } }] });
    done(&labs.server, "lab/keep", &of("r2", elsewhere));
    let mut console = labs.console("demo/nodes/r2/console?kind=ssh");
    console.asks("echo via-$((6*7))", "via-42");
    drop(console);
    done(
        &labs.server,
        "lab/keep",
        &of("r2", json!({ "address": "127.0.0.1", "port": 2222, "via": "r9", "user": "root", "secret": "lab/key" })),
    );
    assert_eq!(refused("demo/nodes/r2/console?kind=ssh&name=own").status, 404);
}

#[test]
fn two_labs_whose_hashes_are_alike_have_a_console_each() {
    let Some(mut labs) = Labs::start("") else { return };
    // What an instance is called is known once something has asked.
    labs.lab("platform", "demo");
    let own = std::fs::read_to_string(labs.server.data().join("instance_id"));
    let instance =
        std::fs::read_to_string("/etc/windlass/instance_id").or(own).expect("an instance id").trim().to_owned();
    let mut seen = std::collections::HashMap::new();
    let (first, second) = (0..)
        .find_map(|number| {
            let name = format!("l{number}");
            let hash = LabNames::new(&instance, &LabId::new("platform", &name).key).hash().to_owned();
            seen.insert(hash, name.clone()).map(|other| (other, name))
        })
        .unwrap();
    let (first, second): (&'static str, &'static str) = (first.leak(), second.leak());
    labs.lab("platform", first);
    let before = labs.namespaces()[0].clone();
    labs.lab("platform", second);
    assert_ne!(before[..8], labs.namespaces()[0][..8], "they share their names");
    for lab in [first, second] {
        let mut console = labs.console(&shell(lab, "r1", ""));
        console.asks(
            &format!("ip link add {lab} type veth peer name x1; ls /sys/class/net | tr '\\n' ' '"),
            &format!("{lab} lo x1"),
        );
    }
}

#[test]
fn a_machine_is_reached_over_the_network_and_its_serial_line_by_two_at_once() {
    let guest = match Guest::get() {
        Ok(guest) => guest,
        Err(reason) => return skip(&reason),
    };
    let images = tempfile::tempdir().unwrap();
    for file in ["vmlinuz", "initrd.gz"] {
        std::fs::copy(guest.folder.join(file), images.path().join(file)).unwrap();
    }
    const SEND: &str = "const WORKFLOW = #{ name: \"lab/send\", title: \"Send\", permissions: [\"qemu.*:*\"] };\n\
        fn run(input) { qemu::send_serial(\"demo\", \"m1\", input.text); }\n";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows");
    let source = |name: &str| std::fs::read_to_string(folder.join(format!("{name}.rhai"))).unwrap();
    let sources = [
        ("lab/deploy", source("lab/deploy")),
        ("lab/destroy", source("lab/destroy")),
        ("lib/labs", source("lib/labs")),
        ("lab/send", SEND.into()),
    ];
    let sources: Vec<(&str, &str)> = sources.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let settings = format!(
        "[hosts.qemu]\nimages = [\"{}\"]\naccelerator = \"tcg\"\n[labs]\nconsoles_each = 8\n",
        images.path().display()
    );
    let Some(labs) = Labs::of(&settings, &sources) else { return };
    let end = |at: &str, address: &str| json!({ "at": at, "addresses": [address] });
    let document = json!({
        "name": "demo",
        "nodes": [
            { "name": "r1" },
            { "name": "m1", "kernel": "vmlinuz", "initrd": "initrd.gz", "append": format!("{APPEND} address=10.72.0.2/24"),
              "memory_mb": 256, "ready": { "serial": PROMPT, "within": "3m" },
              "consoles": { "telnet": { "address": "10.72.0.2", "via": "r1" } } },
        ],
        "links": [{ "endpoints": [end("r1:eth0", "10.72.0.1/24"), { "at": "m1:eth0" }] }],
    });
    done(&labs.server, "lab/deploy", &document);
    assert_eq!(labs.kinds("m1"), json!(["serial", "telnet"]));
    let mut serial = labs.console("demo/nodes/m1/console?kind=serial");
    serial.patience = Duration::from_secs(120);
    // It goes to the background before it listens: port 23 is 0017 in the kernel's table, and `0A` a socket that listens.
    serial.asks(
        "mkdir -p /dev/pts; mount -t devpts devpts /dev/pts; telnetd -l /bin/sh; \
         until grep -q ':0017 .* 0A ' /proc/net/tcp /proc/net/tcp6; do sleep 1; done; echo served-$((6*7))",
        "served-42",
    );
    let mut telnet = labs.console("demo/nodes/m1/console?kind=telnet&cols=99&rows=31");
    telnet.patience = Duration::from_secs(120);
    telnet.asks("echo far-$((6*7)); stty size", "31 99");
    assert!(telnet.text().contains("far-42"));
    drop(telnet);
    // A run types while people look, one of whom takes nothing of what comes.
    serial.asks(
        "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done & echo going-$((1+1))",
        "going-2",
    );
    let slow = labs.console("demo/nodes/m1/console?kind=serial&mode=watch");
    std::thread::sleep(Duration::from_secs(3));
    let begun = std::time::Instant::now();
    done(&labs.server, "lab/send", &json!({ "text": "\nkill $!; echo typed-$((5*5))\n" }));
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
    let begun = std::time::Instant::now();
    serial.shown.clear();
    while serial.read() && !serial.text().contains("typed-25") {
        assert!(begun.elapsed() < Duration::from_secs(60), "what the run typed isn't run: {}", serial.text());
        // Only the end matters.
        let keep = serial.shown.len().saturating_sub(256);
        serial.shown.drain(..keep);
    }
    drop(slow);
    if serial.end.is_some() {
        // It was too slow itself: another one sees what was done.
        serial = labs.console("demo/nodes/m1/console?kind=serial");
        serial.asks("echo still-$((2+2))", "still-4");
    }
    done(&labs.server, "lab/destroy", &json!({ "lab": "demo" }));
}
