//! What a lab must not do to this machine, on the real kernel: a thread of the test has a network and a /run of its own.

use std::{fs, sync::Arc, time::Duration};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
};
use serde_json::json;

use super::{
    super::{NetBackend, kernel, types::*},
    own,
};
use crate::testing::{Bench, skip};

/// Does the work on a machine of its own; not at all where nobody may make one.
fn on_a_machine(work: impl FnOnce() + Send) {
    let with_a_machine = || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)?;
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        work();
        Ok(())
    };
    let done: nix::Result<()> = std::thread::scope(|scope| scope.spawn(with_a_machine).join()).unwrap();
    if let Err(errno) = done {
        skip(&format!("no network of its own: {errno}"));
    }
}

/// Says in a namespace that it is a router, some times over three seconds; how often that was sent.
fn advertise(namespace: &str) -> usize {
    let handle = fs::File::open(format!("/run/netns/{namespace}")).unwrap();
    let tell = move || {
        setns(handle, CloneFlags::CLONE_NEWNET).unwrap();
        // Hop limit 64, for 1800 seconds, no options. The kernel sums it up.
        let message: [u8; 16] = [134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
        // SAFETY: all calls get values of the sizes that they are told; all-zero bytes are a valid `sockaddr_in6`.
        unsafe {
            let socket = libc::socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6);
            assert!(socket >= 0, "no raw socket");
            let hops: libc::c_int = 255;
            let size = size_of::<libc::c_int>() as libc::socklen_t;
            libc::setsockopt(socket, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS, (&raw const hops).cast(), size);
            let mut all: libc::sockaddr_in6 = std::mem::zeroed();
            all.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            all.sin6_addr.s6_addr = std::net::Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).octets();
            all.sin6_scope_id = libc::if_nametoindex(c"eth0".as_ptr());
            let sent = (0..30).filter(|_| {
                std::thread::sleep(Duration::from_millis(100));
                let size = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
                libc::sendto(socket, message.as_ptr().cast(), 16, 0, (&raw const all).cast(), size) == 16
            });
            let count = sent.count();
            libc::close(socket);
            count
        }
    };
    std::thread::scope(|scope| scope.spawn(tell).join()).unwrap()
}

#[test]
fn no_node_gives_this_machine_routes_or_addresses() {
    on_a_machine(|| {
        let stack: Arc<dyn NetBackend> = kernel();
        let bench = Bench::new(own(stack.clone()), &[]);
        let plan = json!({
            "namespaces": ["r1", "r2", "r3"], "bridges": ["lan", "gate"],
            "links": [
                { "a": "r1:eth0", "b": "lan" }, { "a": "r2:eth0", "b": {} }, { "a": "r3:eth0", "b": "gate" },
            ],
            "addresses": [{ "at": "gate", "address": "fd77::1/64" }],
        });
        bench.call("build", json!(["t", plan])).unwrap();
        let tap = bench.call("create_tap", json!(["t", "vm1:eth0", { "bridge": "lan" }]));
        let links = stack.links(&[Place::Host]).pop().unwrap().unwrap();
        let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).filter(|name| *name != "lo").collect();
        assert_eq!(names.len(), 5 + usize::from(tap.is_ok()), "{names:?} {tap:?}");
        let of_space = |node: &str| {
            let found = bench.call("list_namespaces", json!(["t"])).unwrap();
            let found = found.as_array().unwrap().iter().find(|space| space["name"] == node).unwrap().clone();
            found["namespace"].as_str().unwrap().to_owned()
        };
        // Where the machine forwards, its new namespaces would: only a node that is told to does.
        let described = bench.call("describe", json!(["t"])).unwrap();
        for space in described["namespaces"].as_array().unwrap() {
            assert_eq!(space["forwarding"], json!({ "ipv4": false, "ipv6": false }), "{space}");
        }
        for node in ["r1", "r2", "r3"] {
            assert!(advertise(&of_space(node)) > 3, "{node} told it");
        }
        assert_eq!(stack.routes(&Place::Host).unwrap(), []);
        let given = fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap();
        let given: Vec<&str> = given.lines().filter(|line| !line.ends_with(" lo")).collect();
        assert!(given.len() == 1 && given[0].starts_with("fd77"), "{given:?}");
        // What is asked for again, or set, stays so.
        bench.call("build", json!(["t", plan])).unwrap();
        let set = |name: &str| {
            let read = |setting| fs::read_to_string(format!("/proc/sys/net/ipv6/conf/{name}/{setting}")).unwrap();
            (read("disable_ipv6").trim() == "1", read("accept_ra").trim() == "0")
        };
        let open: Vec<&&str> = names.iter().filter(|name| !set(name).0).collect();
        assert!(open.len() == 1 && set(open[0]).1, "{open:?}");
        bench.call("destroy", json!(["t"])).unwrap();
    });
}

#[test]
fn a_device_with_an_address_of_any_scope_is_not_taken() {
    on_a_machine(|| {
        let stack: Arc<dyn NetBackend> = kernel();
        let bench = Bench::new(own(stack), &[]);
        let ip = |arguments: &[&str]| {
            let done = std::process::Command::new("ip").args(arguments).output().unwrap();
            assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        };
        ip(&["link", "add", "up0", "type", "veth", "peer", "name", "up1"]);
        ip(&["address", "add", "169.254.7.7/16", "dev", "up0", "scope", "link"]);
        bench.call("create_bridge", json!(["t", "lan"])).unwrap();
        let problem = bench.call("attach_device", json!(["t", "up0", "lan"])).unwrap_err();
        assert!(problem.message.contains("169.254.7.7/16"), "{problem:?}");
        ip(&["address", "flush", "dev", "up0"]);
        // Somebody takes it for a bridge of their own: it stays there, as it is.
        bench.call("attach_device", json!(["t", "up0", "lan"])).unwrap();
        ip(&["link", "add", "theirs", "type", "bridge"]);
        ip(&["link", "set", "up0", "master", "theirs"]);
        bench.call("destroy", json!(["t"])).unwrap();
        let shown = std::process::Command::new("ip").args(["link", "show", "up0"]).output().unwrap();
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.contains("master theirs") && shown.contains(",UP") && !shown.contains("windlass"), "{shown}");
    });
}
