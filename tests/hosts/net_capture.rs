//! Captures of real packets: a ping between two namespaces is in the file.

use std::{
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
    sync::Arc,
};

use serde_json::json;
use windlass_hosts::{net, owner::Always};
use windlass_model::Code;
use windlass_tests::skip;

use super::net::Lab;

const PACKET: u32 = 6;

/// The packets in a pcapng file, each with its direction.
fn packets(file: &[u8]) -> Vec<Vec<u8>> {
    let (mut found, mut rest) = (Vec::new(), file);
    while !rest.is_empty() {
        let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
        let length = word(4) as usize;
        assert_eq!(word(length - 4) as usize, length, "a block is broken");
        if word(0) == PACKET {
            found.push(rest[28..28 + word(20) as usize].to_vec());
        }
        rest = &rest[length..];
    }
    found
}

/// The type of an ICMP message in an IPv4 packet in an Ethernet frame.
fn icmp(frame: &[u8]) -> Option<u8> {
    (frame.get(12..14)? == [8, 0] && *frame.get(23)? == 1).then(|| frame.get(34).copied()).flatten()
}

#[test]
fn a_ping_is_in_the_file() {
    if Command::new("ping").arg("-V").stdout(Stdio::null()).status().is_err() {
        return skip("there is no `ping`");
    }
    let Some(first) = Lab::real() else { return };
    drop(first);
    let folder = tempfile::tempdir().unwrap();
    let config = net::Config { captures: folder.path().to_string_lossy().into_owned(), ..net::Config::default() };
    let lab = Lab::over(net::configured(net::kernel(), Arc::new(Always("platform")), &config));
    lab.two_nodes();
    lab.ok("wait_link", json!(["r1:eth0", "up", "60s"]));
    let mut ping = Command::new("ip")
        .args(["netns", "exec", &lab.namespace("r1"), "ping", "-i", "0.1", "-w", "30", "10.0.0.2"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let asked = |at: &str, name: &str| json!([at, { "path": name, "seconds": 2, "bytes": 4_096 }]);
    let inside = lab.call("capture", asked("r2:eth0", "ping.pcapng"));
    let outside = lab.call("capture", asked("r2:eth0@host", "host.pcapng"));
    ping.kill().unwrap();
    ping.wait().unwrap();
    for answer in [inside, outside] {
        let answer = answer.unwrap();
        let path = answer["path"].as_str().unwrap();
        let file = std::fs::read(path).unwrap();
        assert!(file.len() as u64 == answer["bytes"] && file.len() <= 4_096, "{answer}");
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        let seen = packets(&file);
        assert_eq!(seen.len() as u64, answer["packets"]);
        // Requests and answers.
        for kind in [8, 0] {
            assert!(seen.iter().any(|frame| icmp(frame) == Some(kind)), "no ICMP {kind} in {} packets", seen.len());
        }
    }
    for (at, path, code) in [
        ("r9:eth0", "a.pcapng", Code::NotFound),
        ("r1:eth9", "a.pcapng", Code::NotFound),
        ("r1:eth0", "../a.pcapng", Code::InvalidArgument),
        ("r1:eth0", "/etc/a", Code::InvalidArgument),
    ] {
        assert_eq!(
            lab.call("capture", json!([at, { "path": path, "seconds": 1 }])).unwrap_err().code,
            code,
            "{at} {path}"
        );
    }
    let nowhere = Lab::over(net::module(net::kernel(), Arc::new(Always("platform"))));
    nowhere.ok("create_bridge", json!(["lan1"]));
    let problem = nowhere.call("capture", json!(["lan1", { "path": "a", "seconds": 1 }])).unwrap_err();
    assert_eq!(problem.code, Code::Configuration);
}
