//! QEMU's command line. Files have names of ours, relative to the folder that QEMU stands in; what scripts say stands in checked
//! words, or in arguments of their own.

use serde_json::json;

use super::{
    super::spec::MachineSpec,
    images::{Boot, Image},
};

/// The machine's own disk, over its image.
pub const DISK: &str = "disk.qcow2";
/// What cloud-init reads.
pub const SEED: &str = "seed.img";
/// The serial line.
pub const SERIAL: &str = "serial";
/// What the guest said on it.
pub const SERIAL_LOG: &str = "serial.log";
/// The screen.
pub const VNC: &str = "vnc";
/// The node that snapshots are kept in.
pub const DISK_NODE: &str = "disk";
/// Nothing that QEMU may need otherwise: no other program, no other rights.
pub const SANDBOX: &str = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

/// The arguments of a machine's process.
pub fn line(spec: &MachineSpec, boot: &Boot, uuid: &str, accelerator: &str) -> Vec<String> {
    let mut line = Line::default();
    line.flag("-nodefaults").flag("-no-user-config").two("-display", "none").two("-sandbox", SANDBOX);
    line.two("-name", format!("guest={}", spec.name)).two("-uuid", uuid);
    // `host` hands on what the processor has; `max` what the emulator can.
    let cpu = if accelerator == "kvm" { "host" } else { "max" };
    line.two("-machine", format!("pc,accel={accelerator}")).two("-cpu", cpu);
    line.two("-smp", spec.cpus().to_string()).two("-m", format!("{}M", spec.memory_mb()));
    line.two("-chardev", "socket,id=qmp,path=qmp,server=on,wait=off").two("-mon", "chardev=qmp,mode=control");
    line.two(
        "-chardev",
        format!("socket,id=serial,path={SERIAL},server=on,wait=off,logfile={SERIAL_LOG},logappend=on"),
    );
    line.two("-serial", "chardev:serial").two("-device", "virtio-rng-pci");
    if spec.has_disk() {
        let file = json!({ "driver": "file", "filename": DISK });
        line.two("-blockdev", json!({ "driver": "qcow2", "node-name": DISK_NODE, "file": file }).to_string());
        line.two("-device", format!("virtio-blk-pci,drive={DISK_NODE},bootindex=1"));
    }
    if spec.seed.is_some() {
        let file = json!({ "driver": "file", "filename": SEED, "read-only": true });
        let disk = json!({ "driver": "raw", "node-name": "seed", "read-only": true, "file": file });
        line.two("-blockdev", disk.to_string()).two("-device", "virtio-blk-pci,drive=seed");
    }
    for (index, tap) in spec.taps().iter().enumerate() {
        line.two("-netdev", format!("tap,id=net{index},ifname={},script=no,downscript=no", tap.interface));
        let mac = tap.mac.clone().unwrap_or_else(|| mac_of(uuid, index));
        line.two("-device", format!("virtio-net-pci,netdev=net{index},mac={mac},romfile="));
    }
    let path = |image: &Image| image.path.to_string_lossy().into_owned();
    if let Some(kernel) = &boot.kernel {
        line.two("-kernel", path(kernel));
        if let Some(initrd) = &boot.initrd {
            line.two("-initrd", path(initrd));
        }
        if let Some(append) = &spec.append {
            line.two("-append", append);
        }
    }
    if spec.vnc == Some(true) {
        line.two("-vnc", format!("unix:{VNC}")).two("-device", "VGA");
    }
    line.0
}

/// An address that the machine keeps: QEMU would give each machine the same.
fn mac_of(uuid: &str, index: usize) -> String {
    let bytes = crate::lab_names::blake2b_4(&format!("{uuid}:{index}"));
    format!("52:54:00:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2])
}

#[derive(Default)]
struct Line(Vec<String>);

impl Line {
    fn flag(&mut self, flag: &str) -> &mut Self {
        self.0.push(flag.into());
        self
    }

    fn two(&mut self, flag: &str, value: impl Into<String>) -> &mut Self {
        self.0.extend([flag.to_owned(), value.into()]);
        self
    }
}
