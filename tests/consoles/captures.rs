//! Packets of a lab's links: over HTTP, from the command line, and as a run's artifact.

use std::{
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use windlass_tests::{ApiServer, can_make_namespaces, has_program, skip, sweep::sweep, windlass_binary};

/// A server with a lab of two nodes, of which one pings the other.
struct House {
    server: ApiServer,
    ping: Child,
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.ping.kill();
        let _ = self.ping.wait();
        match std::thread::panicking() {
            // The server may be the reason.
            true => sweep(&self.server, "platform", "demo"),
            false => drop(done(&self.server, "lab/destroy", &json!({ "lab": "demo" }))),
        }
    }
}

fn done(server: &ApiServer, workflow: &str, input: &Value) -> (String, Value) {
    let run = server.launch(workflow, input);
    let record = server.ended(&run);
    assert_eq!(record["state"], "succeeded", "{record:#}");
    (run, record["output"].clone())
}

fn house() -> Option<House> {
    if let Err(reason) = can_make_namespaces() {
        skip(&reason);
        return None;
    }
    if !has_program("ping") {
        skip("there is no `ping`");
        return None;
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows");
    let source = |name: &str| std::fs::read_to_string(folder.join(format!("{name}.rhai"))).unwrap();
    let names = ["lab/deploy", "lab/destroy", "lab/capture", "lib/labs"];
    let sources: Vec<(&str, String)> = names.into_iter().map(|name| (name, source(name))).collect();
    let sources: Vec<(&str, &str)> = sources.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let server = ApiServer::start_with(&sources, &[], "");
    let end = |at: &str, address: &str| json!({ "at": at, "addresses": [address] });
    let document = json!({
        "name": "demo",
        "nodes": [{ "name": "h1" }, { "name": "h2" }],
        "links": [{ "endpoints": [end("h1:eth0", "10.71.0.1/24"), end("h2:eth0", "10.71.0.2/24")] }],
    });
    done(&server, "lab/deploy", &document);
    let list = Command::new("ip").args(["netns", "list"]).output().unwrap();
    let instance = std::fs::read_to_string("/etc/windlass/instance_id")
        .or_else(|_| std::fs::read_to_string(server.data().join("instance_id")));
    let names = windlass_hosts::lab_names::LabNames::new(instance.expect("an instance id").trim(), "demo");
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let own = |name: &&str| name.starts_with(&names.node_prefix()) && name.ends_with("-h1");
    let namespace = list.lines().filter_map(|line| line.split(' ').next()).find(own).expect("the node's namespace");
    let mut ping = Command::new("ip");
    ping.args(["netns", "exec", namespace, "ping", "-i", "0.05", "-w", "300", "10.71.0.2"]).stdout(Stdio::null());
    Some(House { server, ping: ping.spawn().unwrap() })
}

/// Frames of a pcapng file, whose blocks have to be whole; and whether it ends as one does.
fn frames(file: &[u8]) -> Vec<Vec<u8>> {
    let (mut found, mut kinds, mut rest) = (Vec::new(), Vec::new(), file);
    while !rest.is_empty() {
        let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
        let length = word(4) as usize;
        assert_eq!(word(length - 4) as usize, length, "a block is broken");
        kinds.push(word(0));
        if word(0) == 6 {
            found.push(rest[28..28 + word(20) as usize].to_vec());
        }
        rest = &rest[length..];
    }
    assert_eq!((kinds[..2].to_vec(), kinds.last()), (vec![0x0a0d_0d0a, 1], Some(&5)), "heading, interface, statistics");
    found
}

/// How many requests and how many answers there are, from the one to the other.
fn pings(frames: &[Vec<u8>]) -> (usize, usize) {
    let of = |kind: u8, from: u8, to: u8| {
        let fits = |frame: &&Vec<u8>| {
            frame[12..14] == [8, 0]
                && frame[23] == 1
                && frame[34] == kind
                && frame[26..34] == [10, 71, 0, from, 10, 71, 0, to]
        };
        frames.iter().filter(fits).count()
    };
    (of(8, 1, 2), of(0, 2, 1))
}

impl House {
    fn http(&self, query: &str) -> (u16, Vec<u8>) {
        let client = reqwest::blocking::Client::new();
        let url = format!("{}/api/v1/labs/demo/capture?{query}", self.server.url);
        let answer = client.get(url).bearer_auth(&self.server.token).send().unwrap();
        let (status, kind) = (answer.status().as_u16(), answer.headers().get("content-type").cloned());
        if status == 200 {
            assert_eq!(kind.unwrap(), "application/vnd.tcpdump.pcap");
        }
        (status, answer.bytes().unwrap().to_vec())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(windlass_binary());
        command.args(["capture", "demo"]).args(arguments).env("WINDLASS_SERVER", &self.server.url);
        command.env("WINDLASS_TOKEN", &self.server.token).current_dir(self.server.workflows()).stdin(Stdio::null());
        command
    }

    fn capture(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

#[test]
fn packets_are_streamed_until_a_bound_is_reached() {
    let Some(house) = house() else { return };
    let begun = Instant::now();
    let (status, file) = house.http("at=h2:eth0&seconds=2");
    let took = begun.elapsed();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&file));
    assert!((Duration::from_millis(1_900)..Duration::from_secs(50)).contains(&took), "{took:?}");
    let (asked, answered) = pings(&frames(&file));
    assert!(asked >= 5 && answered >= 5, "{asked} requests, {answered} answers");
    // A bound in bytes comes first here.
    let begun = Instant::now();
    let (status, file) = house.http("at=h1:eth0&seconds=60&bytes=4096");
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&file));
    assert!(file.len() <= 4_096 && begun.elapsed() < Duration::from_secs(55), "{} {:?}", file.len(), begun.elapsed());
    assert!(pings(&frames(&file)).0 >= 5);
    let (status, file) = house.http("at=h2:eth0&seconds=1&snaplen=38");
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&file));
    assert!(frames(&file).iter().all(|frame| frame.len() <= 38) && pings(&frames(&file)).0 > 0);
    for (query, status) in [
        ("at=h9:eth0", 404),
        ("at=h2:eth9", 404),
        ("at=", 404),
        ("at=h2:eth0&seconds=0", 400),
        ("at=h2:eth0&bytes=99999999999", 400),
        ("at=h2:eth0&filter=icmp", 400),
    ] {
        assert_eq!(house.http(query).0, status, "{query}");
    }
}

#[test]
fn the_command_line_writes_them_to_a_file_or_to_whoever_reads() {
    let Some(house) = house() else { return };
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("ping.pcapng").display().to_string();
    let written = house.capture(&["h1:eth0", "-w", &target, "--seconds", "1"]);
    assert!(written.status.success() && written.stdout.is_empty(), "{written:?}");
    let file = std::fs::read(&target).unwrap();
    assert!(pings(&frames(&file)).1 > 0);
    if has_program("tcpdump") {
        let read = Command::new("tcpdump").args(["-n", "-r", &target, "icmp"]).output().unwrap();
        let text = String::from_utf8_lossy(&read.stdout).into_owned();
        assert!(text.contains("10.71.0.1 > 10.71.0.2: ICMP echo request"), "{text}");
    }
    let piped = house.capture(&["h1:eth0", "--seconds", "1"]);
    assert!(piped.status.success() && pings(&frames(&piped.stdout)).0 > 0, "{piped:?}");
    // Whoever reads sees packets at once, and may go at any time: that is no failure.
    let mut child = house.command(&["h1:eth0", "--seconds", "60"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut head = [0; 200];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut head).unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}");
    // What is refused leaves no file.
    let target = folder.path().join("none.pcapng").display().to_string();
    let refused = house.capture(&["h9:eth0", "-w", &target]);
    assert!(!refused.status.success() && !std::path::Path::new(&target).exists(), "{refused:?}");
}

#[test]
fn a_run_keeps_them_as_an_artifact_and_tells_of_them() {
    let Some(house) = house() else { return };
    let (run, output) = done(&house.server, "lab/capture", &json!({ "lab": "demo", "at": "h2:eth0", "packets": 10 }));
    assert_eq!((&output["packets"], &output["dropped"]), (&json!(10), &json!(0)), "{output}");
    assert!(output["protocols"]["icmp"].as_u64().unwrap() >= 7, "{output}");
    let url = |name: &str| format!("{}/api/v1/runs/{run}/artifacts/{name}", house.server.url);
    let client = reqwest::blocking::Client::new();
    let get = |name: &str| {
        let answer = client.get(url(name)).bearer_auth(&house.server.token).send().unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{name}");
        answer.bytes().unwrap().to_vec()
    };
    let file = get("capture.pcapng");
    let seen = frames(&file);
    assert_eq!((seen.len(), file.len() as u64), (10, output["bytes"].as_u64().unwrap()));
    assert!(pings(&seen).0 >= 3);
    let text = String::from_utf8(get("packets.txt")).unwrap();
    assert!(
        text.starts_with("10 packets at h2:eth0") && text.contains("icmp 10.71.0.1 > 10.71.0.2 echo request"),
        "{text}"
    );
}
