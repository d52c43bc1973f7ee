//! A server without rights, on a machine of the test's own: its namespaces are those of one thread.

#[path = "../../../../tests/harness/skip/loud.rs"]
mod loud;

use std::{path::Path, process::Command};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};
use windlass_hosts::lab_names::LabNames;

use super::*;

const INSTANCE: &str = "captures";

/// What one is told who asks for the capture of a lab.
fn told(lab: &str) -> Problem {
    let ask = CaptureAsk {
        organisation: "platform".into(),
        lab: lab.into(),
        at: "app:eth0".into(),
        seconds: None,
        bytes: None,
        snaplen: None,
    };
    LabCaptures(INSTANCE.into()).open(ask).map(drop).unwrap_err()
}

/// This thread may do nothing on the machine any more.
fn give_up_rights() {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    let (header, none) = (Header { version: VERSION_3, pid: 0 }, [[0_u32; 3]; 2]);
    // SAFETY: version 3 takes one header and two sets of three words, and changes nothing but this thread's rights.
    let done = unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) };
    assert_eq!(done, 0, "the rights stay");
}

#[test]
fn what_cant_be_entered_is_nobodys_and_it_is_said_what_the_server_lacks() {
    let on_a_machine = || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)?;
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        let id = LabId::new("platform", "demo");
        let names = LabNames::candidates(INSTANCE, &id.key).next().unwrap();
        let space = names.namespace(1, "app").unwrap();
        assert!(Command::new("ip").args(["netns", "add", &space]).status().unwrap().success());
        assert!(Path::new("/run/netns").join(&space).exists());
        // With rights it is seen to be nobody's.
        let seen = told("demo");
        assert_eq!((seen.code, seen.help), (Code::NotFound, None));

        give_up_rights();
        let [there, not_there] = ["demo", "other"].map(told);
        assert_eq!((there.code, not_there.code), (Code::NotFound, Code::NotFound), "{there:?}");
        // Whether it is there isn't told by the help either.
        assert_eq!(there.help, not_there.help);
        let help = there.help.unwrap();
        assert!(help.contains("CAP_NET_ADMIN and CAP_SYS_ADMIN") && help.contains("CapabilityBoundingSet"), "{help}");
        // A step of a run is told the same as a fault of the machine, not of the system.
        let limits = Limits::new(None, None, None).unwrap();
        let refused = Recording::open(&*net::kernel(), id, INSTANCE, "app:eth0", limits).map(drop).unwrap_err();
        assert_eq!(refused.code, Code::Unsupported);
        assert!(refused.message.contains("reading the mark") && refused.help.is_some(), "{refused:?}");
        Ok(())
    };
    let done: nix::Result<()> = std::thread::scope(|scope| scope.spawn(on_a_machine).join()).unwrap();
    if let Err(errno) = done {
        loud::skip(&format!("no network of its own: {errno}"));
    }
}
