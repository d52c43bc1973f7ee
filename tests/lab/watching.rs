//! What somebody does to a lab by hand stands in a server's events: at once, and after a restart.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use windlass_tests::{ApiServer, can_make_namespaces, skip, sse::Follower, wait_until};

use super::{deploying::small, ip, owners::sources};

const SOON: Duration = Duration::from_secs(1);

/// A server with a lab that was deployed; it is destroyed when the test ends.
struct Watched {
    server: ApiServer,
    name: &'static str,
}

impl Watched {
    fn new(name: &'static str, settings: &str) -> Option<Self> {
        if let Err(reason) = can_make_namespaces() {
            skip(&reason);
            return None;
        }
        let sources = sources();
        let sources: Vec<(&str, &str)> = sources.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let watched = Self { server: ApiServer::start_with(&sources, &[], settings), name };
        let deployed = watched.outcome("lab/deploy", &small(name));
        assert_eq!(deployed["state"], "succeeded", "{deployed:#}");
        Some(watched)
    }

    fn outcome(&self, workflow: &str, input: &Value) -> Value {
        self.server.ended(&self.server.launch(workflow, input))
    }

    fn namespace(&self, node: &str) -> String {
        let list = ip(&["netns", "list"]);
        let ours = self.mark("lo").rsplit_once(':').map(|(prefix, _)| prefix.to_owned()).unwrap();
        let mut named =
            list.lines().filter_map(|line| line.split(' ').next()).filter(|name| name.ends_with(&format!("-{node}")));
        let is_ours = |name: &&str| ip(&["-n", name, "link", "show", "dev", "lo"]).contains(&ours);
        named.find(is_ours).unwrap_or_else(|| panic!("{node} isn't there: {list}")).to_owned()
    }

    /// What marks of this lab begin with, and a name behind it.
    fn mark(&self, name: &str) -> String {
        let instance = std::fs::read_to_string("/etc/windlass/instance_id")
            .or_else(|_| std::fs::read_to_string(self.server.data().join("instance_id")))
            .unwrap();
        format!("windlass:{}:{}:{name}", windlass_hosts::lab_mark::short_instance(instance.trim()), self.name)
    }

    fn events(&self, query: &str) -> Follower {
        let path = format!("/api/v1/events?kinds=lab.*{query}");
        Follower::open(self.server.address(), &path, &self.server.token, None).unwrap()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !std::thread::panicking() || self.server.process().is_running() {
            self.outcome("lab/destroy", &json!({ "lab": self.name }));
        }
    }
}

/// The next event: its kind, and what it is about.
fn next(events: &mut Follower) -> (String, Value) {
    let frame = events.next_event().unwrap().expect("the stream goes on");
    let event: Value = serde_json::from_str(&frame.data).unwrap();
    (event["kind"].as_str().unwrap().to_owned(), event["data"].clone())
}

#[test]
fn what_somebody_does_by_hand_is_told_within_a_second() {
    // Everything is looked at far too seldom for what is told here.
    let Some(lab) = Watched::new("t-watch", "[labs]\ndiscovery_every = \"300s\"\n") else { return };
    let (h1, r1) = (lab.namespace("h1"), lab.namespace("r1"));
    // The watch takes what a run has left for what should be a moment after the run's end.
    told_of_mtu(lab.events(""), &["-n", &h1, "link", "set", "eth0"]);
    let mut events = lab.events("");
    let mut told = |by_hand: &[&str], kind: &str, at: &str, field: &str| {
        ip(by_hand);
        let done = Instant::now();
        // Setting a link down takes its IPv6 addresses, which may be a change of its own.
        let data = loop {
            let (told, data) = next(&mut events);
            if (told.as_str(), data["at"].as_str()) == (kind, Some(at))
                && (field.is_empty() || data["changes"][field].is_object())
            {
                break data;
            }
        };
        assert_eq!((&data["lab"], &data["organisation"]), (&json!("t-watch"), &json!("platform")), "{data:#}");
        done.elapsed()
    };
    // Where others use the machine meanwhile, it is done again.
    let soon = |what: &str, change: &mut dyn FnMut(usize) -> Duration| {
        let mut took = Vec::new();
        let is_soon = (0..20).map(change).inspect(|one| took.push(*one)).any(|one| one < SOON);
        assert!(is_soon, "{what} is told after {took:?}");
    };
    soon("a size", &mut |round| {
        let mtu = (1_300 + round).to_string();
        told(&["-n", &r1, "link", "set", "eth0", "mtu", &mtu], "lab.changed_link", "r1:eth0", "mtu")
    });
    soon("a link that is down", &mut |round| {
        let state = ["down", "up"][round % 2];
        told(&["-n", &r1, "link", "set", "eth0", state], "lab.changed_link", "r1:eth0", "up")
    });
    soon("a new link", &mut |round| {
        let name = format!("x{round}");
        let add = ["-n", &r1, "link", "add", &name, "type", "bridge"];
        told(&add, "lab.discovered_link", &format!("r1:{name}"), "")
    });
    let took = told(&["-n", &h1, "link", "del", "eth0"], "lab.missing_link", "h1:eth0", "");
    assert!(took < Duration::from_secs(60), "a link that is gone is told after {took:?}");
}

#[test]
fn what_went_while_the_server_was_down_is_told_at_its_start() {
    let Some(mut lab) = Watched::new("t-down", "") else { return };
    let (h1, r1) = (lab.namespace("h1"), lab.namespace("r1"));
    lab.server.kill();
    ip(&["-n", &r1, "link", "del", "eth1"]);
    ip(&["-n", &r1, "address", "del", "10.0.0.1/24", "dev", "eth0"]);
    ip(&["-n", &h1, "link", "add", "x0", "type", "veth", "peer", "name", "x1"]);
    lab.server.restart();
    let mut events = lab.events("&after=first");
    let told: BTreeSet<(String, String)> = (0..4)
        .map(|_| {
            let (kind, data) = next(&mut events);
            (kind, data["at"].as_str().unwrap().to_owned())
        })
        .collect();
    let expected = [("changed", "r1:eth0"), ("discovered", "h1:x0"), ("discovered", "h1:x1"), ("missing", "h2:eth0")];
    let expected = expected.map(|(kind, at)| (format!("lab.{kind}_link"), at.to_owned()));
    assert_eq!(told, BTreeSet::from(expected));
    // Put right, nothing is told at the next start.
    ip(&["-n", &h1, "link", "del", "x0"]);
    assert_eq!(lab.outcome("lab/deploy", &small("t-down"))["state"], "succeeded");
    lab.server.kill_and_restart();
    let events = lab.events("");
    let (kind, data) = told_of_mtu(events, &["-n", &h1, "link", "set", "eth0"]);
    assert_eq!((kind.as_str(), &data["at"]), ("lab.changed_link", &json!("h1:eth0")), "{data:#}");
}

/// Changes a link until that is told: what was done before the watch began isn't.
fn told_of_mtu(mut events: Follower, link: &[&str]) -> (String, Value) {
    let heard = std::thread::spawn(move || next(&mut events));
    let mut mtu = 1_300;
    wait_until("a change to be told", Duration::from_secs(60), || {
        mtu += 1;
        ip(&[link, &["mtu", &mtu.to_string()]].concat());
        std::thread::sleep(Duration::from_millis(200));
        heard.is_finished()
    });
    heard.join().unwrap()
}

#[test]
fn a_server_takes_another_cadence_while_it_runs() {
    let Some(mut lab) = Watched::new("t-cadence", "[labs]\ndiscovery_every = \"300s\"\n") else { return };
    let settings = lab.server.workflows().with_file_name("windlass.toml");
    let told = |lab: &mut Watched, text: &str| {
        std::fs::write(&settings, text).unwrap();
        lab.server.process().signal(Signal::SIGHUP);
    };
    // One that can't be used says where, and changes nothing.
    told(&mut lab, "[labs]\ndiscovery_every = \"4s\"\n");
    lab.server.process().wait_for_line("stays as it was", Duration::from_secs(60));
    let output = lab.server.process().output();
    assert!(output.contains("discovery_every") && output.contains("from `5s` to `300s`"), "{output}");
    // A lab that nothing of this process has made is found by looking at everything only.
    let bridge = format!("wtc{}", std::process::id());
    let alias = lab.mark("lan1:01other/1").replace("t-cadence", "t-byhand");
    ip(&["link", "add", &bridge, "type", "bridge"]);
    ip(&["link", "set", &bridge, "alias", &alias]);
    let events = lab.events("");
    told(&mut lab, "[labs]\ndiscovery_every = \"5s\"\n[engine]\nworkers = 7\n");
    lab.server.process().wait_for_line("engine.workers", Duration::from_secs(60));
    let began = Instant::now();
    let (kind, data) = told_of_mtu(events, &["link", "set", &bridge]);
    ip(&["link", "del", &bridge]);
    assert!(began.elapsed() < Duration::from_secs(60), "after {:?}", began.elapsed());
    assert_eq!((kind.as_str(), &data["lab"]), ("lab.changed_link", &json!("t-byhand")), "{data:#}");
}
