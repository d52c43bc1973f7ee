//! What somebody else does to a lab is found: asked for, waited for, and told by the patrol over all labs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use windlass_hosts::net::{self, Finding, Found, Patrol};

use super::{
    net::{Lab, ip},
    net_live::inside,
};

fn names(found: &Value) -> Vec<&str> {
    found.as_array().unwrap().iter().map(|one| one["at"].as_str().unwrap()).collect()
}

#[test]
fn a_lab_is_compared_with_what_is_declared() {
    let Some(lab) = Lab::real() else { return };
    lab.two_nodes();
    let declared = json!([[{ "a": { "at": "r1:eth0", "addresses": ["10.0.0.1/24"] }, "b": "lan1" }, { "a": "r2:eth0", "b": "lan1" }]]);
    let found = lab.ok("discover", declared.clone());
    assert_eq!(found, json!({ "discovered": [], "missing": [], "changed": [] }));
    assert_eq!(lab.ok("discover", json!([])), found);
    let (r1, bridge) = (lab.namespace("r1"), lab.ok("links", json!([]))[0]["interface"].as_str().unwrap().to_owned());
    ip(&["-n", &r1, "link", "add", "x0", "type", "veth", "peer", "name", "x1"]);
    ip(&["-n", &r1, "link", "set", "eth0", "mtu", "1300"]);
    ip(&["-n", &r1, "addr", "del", "10.0.0.1/24", "dev", "eth0"]);
    ip(&["-n", &lab.namespace("r2"), "link", "del", "eth0"]);
    let stranger = format!("wts{}", std::process::id() % 100_000);
    ip(&["link", "add", &stranger, "type", "veth", "peer", "name", &format!("{stranger}p")]);
    ip(&["link", "set", &stranger, "master", &bridge]);
    let found = lab.ok("discover", declared);
    ip(&["link", "del", &stranger]);
    assert_eq!(names(&found["discovered"]), ["r1:x0", "r1:x1", &stranger], "{found:#}");
    assert_eq!((names(&found["missing"]), names(&found["changed"])), (vec!["r2:eth0"], vec!["r1:eth0"]));
    assert!(found["changed"][0]["changes"]["addresses"].is_object());
}

#[test]
fn a_change_wakes_who_waits_for_one() {
    let Some(lab) = Lab::real() else { return };
    lab.two_nodes();
    lab.ok("wait_link", json!(["r1:eth0", "up", "60s"]));
    let space = lab.namespace("r1");
    let by_hand = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        ip(&["-n", &space, "link", "add", "x0", "type", "bridge"]);
    });
    let found = lab.ok("wait_change", json!(["60s"]));
    by_hand.join().unwrap();
    assert_eq!(names(&found["discovered"]), ["r1:x0"], "{found:#}");
    assert!(found["waited_ms"].as_u64().unwrap() < 30_000);
    assert_eq!(lab.ok("wait_change", json!(["50ms"]))["discovered"], json!([]));
}

/// A patrol on a thread of its own; what it tells of this lab, with when it did.
fn patrol(lab: &Lab) -> (mpsc::Receiver<(Instant, Found)>, impl Drop) {
    struct End(Arc<AtomicBool>, Option<std::thread::JoinHandle<()>>);
    impl Drop for End {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
            let _ = self.1.take().unwrap().join();
        }
    }
    let (tell, told) = mpsc::channel();
    let end = Arc::new(AtomicBool::new(false));
    let (ended, name) = (end.clone(), lab.name.clone());
    let thread = std::thread::spawn(move || {
        let kernel = net::kernel();
        let mut patrol = Patrol::new(&*kernel, "test-instance", Duration::from_secs(30)).unwrap();
        let walked = |id: &windlass_hosts::lab_id::LabId, found| {
            if id.name == name {
                let _ = tell.send((Instant::now(), found));
            }
        };
        patrol.run(&ended, walked).unwrap();
    });
    (told, End(end, Some(thread)))
}

/// Half of forty changes are told within 50 ms; where others use the machine meanwhile, it is measured again.
fn told_soon(place: &str, mut change: impl FnMut(i32) -> Duration) {
    let medians = (0..10).map(|_| {
        let mut took: Vec<Duration> = (0..40).map(&mut change).collect();
        took.sort();
        println!("from a change {place} to its being told: median {:?}, most {:?}", took[20], took[39]);
        took[20]
    });
    let mut seen = Vec::new();
    let is_soon = medians.inspect(|median| seen.push(*median)).any(|median| median < Duration::from_millis(50));
    assert!(is_soon, "changes {place} are told late: {seen:?}");
}

#[test]
fn the_patrol_tells_what_somebody_else_did_and_soon() {
    let Some(lab) = Lab::real() else { return };
    lab.two_nodes();
    lab.ok("connect", json!(["r1:p0", "r2:p0"]));
    let bridge = lab.ok("links", json!([]))[0]["interface"].as_str().unwrap().to_owned();
    let (told, _end) = patrol(&lab);
    let next = |what: &str| told.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("nothing of {what}"));
    // It has begun once it tells something.
    let set_mtu = |name: &str, mtu: i32| {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        // SAFETY: all-zero bytes are a valid `ifreq`, and the call reads one.
        unsafe {
            let mut request: libc::ifreq = std::mem::zeroed();
            name.bytes().zip(&mut request.ifr_name).for_each(|(byte, to)| *to = byte as libc::c_char);
            request.ifr_ifru.ifru_mtu = mtu;
            let fd = std::os::fd::AsRawFd::as_raw_fd(&socket);
            assert_eq!(libc::ioctl(fd, libc::SIOCSIFMTU as _, &raw mut request), 0);
        }
        Instant::now()
    };
    let began = Instant::now();
    let mut mtu = 1_200;
    while told.try_recv().is_err() {
        assert!(began.elapsed() < Duration::from_secs(60), "the patrol doesn't begin");
        mtu += 1;
        set_mtu(&bridge, mtu);
        std::thread::sleep(Duration::from_millis(50));
    }
    while told.recv_timeout(Duration::from_millis(500)).is_ok() {}
    told_soon("on the host", |round| {
        let at = set_mtu(&bridge, 1_400 + round % 2);
        let (seen, found) = next("the bridge");
        assert_eq!((found.finding, found.at.as_str()), (Finding::Changed, "lan1"), "{found:?}");
        seen.saturating_duration_since(at)
    });
    told_soon("in a namespace", |round| {
        let at = inside(&lab, "r1", move || set_mtu("eth0", 1_400 + round % 2)).join().unwrap();
        let (seen, found) = next("r1:eth0");
        assert_eq!((found.finding, found.at.as_str()), (Finding::Changed, "r1:eth0"), "{found:?}");
        seen.saturating_duration_since(at)
    });
    // What a run does is wanted.
    lab.ok("set_link", json!(["r2:eth0", { "mtu": 1300 }]));
    lab.ok("create_namespace", json!(["r3"]));
    lab.ok("connect", json!(["r3:eth0", "lan1"]));
    lab.ok("disconnect", json!(["r2:eth0"]));
    assert!(told.recv_timeout(Duration::from_millis(700)).is_err());
    // A link between two nodes is told once, and one in a namespace that came later, too.
    ip(&["-n", &lab.namespace("r1"), "link", "del", "p0"]);
    let (_, found) = next("p0");
    assert_eq!(found.finding, Finding::Missing);
    assert!(["r1:p0", "r2:p0"].contains(&found.at.as_str()), "{found:?}");
    ip(&["-n", &lab.namespace("r3"), "link", "add", "x0", "type", "bridge"]);
    let (_, found) = next("x0");
    assert_eq!((found.finding, found.at.as_str()), (Finding::Discovered, "r3:x0"));
    assert!(told.recv_timeout(Duration::from_millis(300)).is_err());
}
