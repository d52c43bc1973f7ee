//! `windlass dev` with what it brings along: a Sovereign from the examples, joined from another process, seen by `delv`; and
//! a PowerDNS that ends with its server, whatever becomes of that.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use nix::sys::signal::Signal;
use serde_json::Value;
use windlass_tests::{Process, free_port, has_program, skip, wait_for, wait_until, windlass_binary};

const SOON: Duration = Duration::from_secs(60);

/// A development server in a folder of its own, with the repository's workflows.
struct Dev {
    folder: tempfile::TempDir,
    process: Option<Process>,
    said: Value,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn example(name: &str) -> String {
    root().join(format!("workflows/provision/examples/{name}.json")).display().to_string()
}

impl Dev {
    fn new() -> Option<Self> {
        for program in ["pdns_server", "sqlite3", "dig", "delv", "nsupdate"] {
            if !has_program(program) {
                skip(&format!("no `{program}` (Debian: pdns-server, pdns-backend-sqlite3, sqlite3, bind9-dnsutils)"));
                return None;
            }
        }
        let mut dev = Self { folder: tempfile::tempdir().unwrap(), process: None, said: Value::Null };
        dev.start(&[]);
        Some(dev)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(windlass_binary());
        let root = root();
        command.current_dir(self.folder.path()).arg("--data").arg(self.data());
        command.arg("--workflows").arg(root.join("workflows")).env("WINDLASS_PLUGINS", root.join("plugins"));
        for name in ["WINDLASS_SERVER", "WINDLASS_TOKEN", "WINDLASS_DATA", "WINDLASS_CONFIG"] {
            command.env_remove(name);
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn start(&mut self, flags: &[&str]) {
        let mut command = self.command();
        command.args(["--json", "dev", "--listen", "127.0.0.1:0"]).args(flags);
        let process = Process::start(&mut command).unwrap();
        self.said = wait_for("the server to listen", SOON, || {
            let output = process.output();
            let begin = output.find("{\n")?;
            let end = output[begin..].find("\n}")? + begin + 2;
            serde_json::from_str(&output[begin..end]).ok()
        });
        self.process = Some(process);
    }

    /// What a command prints, and whether it went well.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.command().args(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        (output.status.success(), text)
    }

    fn well(&self, arguments: &[&str]) -> String {
        let (well, text) = self.run(arguments);
        assert!(well, "{arguments:?}: {text}\n{}", self.process.as_ref().map(Process::output).unwrap_or_default());
        text
    }

    fn port(&self) -> String {
        let address = self.said["playground"]["dns"].as_str().unwrap_or_else(|| panic!("{}", self.said));
        address.rsplit(':').next().unwrap().to_owned()
    }

    fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program).args(["@127.0.0.1", "-p", &self.port()]).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &*String::from_utf8_lossy(&output.stderr)
    }

    /// What `delv` says of a name below a zone whose key is trusted.
    fn delv(&self, zone: &str, name: &str) -> String {
        let key = self.ask("dig", &["+short", "DNSKEY", zone]);
        let parts: Vec<&str> = key.trim().splitn(4, ' ').collect();
        let [flags, protocol, algorithm, key] = parts[..] else { panic!("{key}") };
        let anchor = format!("trust-anchors {{ {zone}. static-key {flags} {protocol} {algorithm} \"{key}\"; }};\n");
        let file = self.folder.path().join("anchor");
        fs::write(&file, anchor).unwrap();
        self.ask("delv", &["-a", &file.display().to_string(), &format!("+root={zone}"), name, "A"])
    }

    fn name_server(&self) -> u32 {
        fs::read_to_string(self.data().join("playground/pdns.pid")).unwrap().trim().parse().unwrap()
    }
}

fn is_there(pid: u32) -> bool {
    // One that has ended and that nobody has waited for has no command line any more.
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[test]
fn a_sovereign_comes_to_be_in_a_fresh_clone_and_its_domain_is_secure() {
    let Some(dev) = Dev::new() else { return };
    let text = |key: &str| dev.said[key].as_str().unwrap().to_owned();
    let (url, token) = (text("url"), text("token"));

    let at_server = ["--server", &url, "--token", &token];
    let input = example("pool");
    let plan =
        dev.well(&[&["run", "provision/sovereign", "--input", &input, "--rehearse"][..], &at_server[..]].concat());
    assert!(plan.contains("6 servers and a load balancer: 50.33 EUR a month"), "{plan}");
    assert!(plan.contains("ends as succeeded"), "{plan}");
    let here = dev.well(&["run", "provision/sovereign", "--input", &input, "--rehearse"]);
    assert!(here.contains("50.33 EUR a month") && here.contains("ends as succeeded"), "{here}");
    assert!(dev.delv("example.net", "console.acme.example.net").contains("ncache"), "a rehearsal makes nothing");

    let made = dev.well(&["run", "provision/sovereign", "--input", &input]);
    assert!(made.contains("another process") && made.contains("\"secure\": true"), "{made}");
    let seen = dev.delv("example.net", "console.acme.example.net");
    assert!(seen.contains("; fully validated") && seen.contains("198.18.0."), "{seen}");

    // Another one, launched through the API's own client.
    let another = [
        &["run", "provision/sovereign", "--input", &input, "--set", "name=two", "--set", "label=two"][..],
        &["--set", "ssh_public_key=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE4PazCGsCqMoAVGpGzCWDPyuQyCDHy4uuhdFIrZ6p5E"][..],
        &at_server[..],
    ];
    dev.well(&another.concat());
    assert!(dev.delv("example.net", "api.two.example.net").contains("; fully validated"));
}

#[test]
fn customers_own_domains_move_by_hand_and_by_their_registrar() {
    let Some(dev) = Dev::new() else { return };
    let (url, token) = (dev.said["url"].as_str().unwrap(), dev.said["token"].as_str().unwrap());
    let input = example("byo-manual");
    let launch = ["run", "provision/sovereign", "--input", &input, "--detach", "--server", url, "--token", token];
    let run = dev.well(&launch).trim().to_owned();
    wait_until("the owner to be told", SOON, || {
        dev.run(&["runs", "logs", &run]).1.contains("name servers for shop.example.org")
    });
    let update = dev.folder.path().join("update");
    let servers =
        ["ns1", "ns2"].map(|name| format!("update add shop.example.org 60 NS {name}.example.net.\n")).concat();
    fs::write(&update, format!("server 127.0.0.1 {}\nzone example.org\n{servers}send\n", dev.port())).unwrap();
    assert!(Command::new("nsupdate").arg(&update).status().unwrap().success());
    // Of the pool's zone nobody may change anything so.
    let theirs = fs::read_to_string(&update).unwrap().replace("example.org", "example.net");
    fs::write(&update, theirs).unwrap();
    assert!(!Command::new("nsupdate").arg(&update).status().unwrap().success());

    let by_registrar = dev.well(&["run", "provision/sovereign", "--input", &example("byo-api")]);
    assert!(by_registrar.contains("\"domain\": \"porkbun.example.org\""), "{by_registrar}");
    assert!(by_registrar.contains("\"secure\": true"), "{by_registrar}");
    assert!(dev.delv("example.org", "console.porkbun.example.org").contains("; fully validated"));
    let servers = dev.ask("dig", &["+norec", "+noall", "+authority", "+answer", "porkbun.example.org", "NS"]);
    assert!(servers.contains("ns1.example.net.") && servers.contains("ns2.example.net."), "{servers}");
    let followed = dev.well(&["run", "--resume", &run]);
    assert!(followed.contains("\"domain\": \"shop.example.org\""), "{followed}");
}

#[test]
fn its_name_server_ends_with_it_and_its_zones_stay() {
    let Some(mut dev) = Dev::new() else { return };
    let key = dev.ask("dig", &["+short", "DNSKEY", "example.net"]);
    let first = dev.name_server();
    assert!(is_there(first));
    dev.process.take().unwrap().kill();
    wait_until("the name server to end", SOON, || !is_there(first));

    // One that the kernel didn't end.
    let config = format!("--config-dir={}", dev.data().canonicalize().unwrap().join("playground").display());
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap());
    let ports = ["local", "webserver"].map(|of| format!("--{of}-port={}", free_port()));
    let mut left_over = Process::start(Command::new("pdns_server").arg(config).args(ports).env("PATH", path)).unwrap();
    fs::write(dev.data().join("playground/pdns.pid"), left_over.id().to_string()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(left_over.is_running(), "{}", left_over.output());
    dev.start(&[]);
    assert!(!left_over.is_running());
    assert_eq!(dev.ask("dig", &["+short", "DNSKEY", "example.net"]), key);

    let second = dev.name_server();
    let mut process = dev.process.take().unwrap();
    process.signal(Signal::SIGINT);
    process.wait(SOON);
    assert!(!is_there(second));
    assert!(!dev.data().join("playground/pdns.pid").exists());
}

#[test]
fn what_is_configured_isnt_replaced_and_bare_starts_nothing() {
    let Some(mut dev) = Dev::new() else { return };
    dev.process.take().unwrap().terminate(SOON);
    dev.start(&["--bare"]);
    assert_eq!(dev.said["playground"], Value::Null);
    assert!(!dev.data().join("playground/pdns.pid").exists());
    dev.process.take().unwrap().terminate(SOON);
    fs::write(dev.folder.path().join("windlass.toml"), "[hosts.hetzner.projects.main]\nsecret = \"mine\"\n").unwrap();
    dev.start(&[]);
    assert_eq!(dev.said["playground"]["hetzner"], Value::Null);
    assert!(dev.said["playground"]["dns"].is_string());
    dev.process.take().unwrap().terminate(SOON);
    let pool = "[hosts.pool.domains.\"pool.test\"]\n[hosts.dns.servers.main]\nurl = \"http://127.0.0.1:1\"\napi_key = \"env:X\"\nnameservers = [\"ns1.pool.test\"]\n";
    fs::write(dev.folder.path().join("windlass.toml"), pool).unwrap();
    dev.start(&[]);
    assert!(dev.said["playground"]["hetzner"].is_string());
    assert_eq!(dev.said["playground"]["dns"], Value::Null);
    let (_, said) = dev.run(&["run", "provision/sovereign", "--input", &example("pool")]);
    assert!(said.contains("no names are given out under `example.net`"), "{said}");
}

#[test]
fn what_it_approves_for_its_simulators_is_approved_nowhere_else() {
    let Some(mut dev) = Dev::new() else { return };
    let (url, token) = (dev.said["url"].as_str().unwrap(), dev.said["token"].as_str().unwrap());
    let there = dev.well(&["plugin", "show", "porkbun", "--server", url, "--token", token]);
    assert!(there.contains("is approved for platform"), "{there}");
    dev.process.take().unwrap().terminate(SOON);
    let here = dev.well(&["plugin", "show", "porkbun"]);
    assert!(here.contains("isn't approved for platform") && here.contains("may reach"), "{here}");
    // Somebody who has looked at it may approve it, and then it is approved for good.
    dev.well(&["plugin", "approve", "porkbun", "--yes"]);
    assert!(dev.well(&["plugin", "show", "porkbun"]).contains("porkbun is approved for platform"));
}
