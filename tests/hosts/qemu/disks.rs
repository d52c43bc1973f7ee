//! Disks over images, seeds, snapshots.

use std::{fs, process::Command};

use serde_json::json;
use windlass_model::Code;
use windlass_tests::{guest::PROMPT, has_program, skip};

use super::Lab;

/// An image of 16 MiB that begins with these words.
fn image(lab: &Lab, name: &str, words: &str) {
    let mut bytes = vec![0; 16 << 20];
    bytes[..words.len()].copy_from_slice(words.as_bytes());
    fs::write(lab.images().join(name), bytes).unwrap();
}

fn qemu_img(args: &[&str]) -> String {
    let output = Command::new("qemu-img").args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_disk_is_written_and_its_image_is_not() {
    let Some(lab) = Lab::real() else { return };
    image(&lab, "base, one.img", "from the image");
    let before = fs::read(lab.images().join("base, one.img")).unwrap();
    assert_eq!(lab.ok("image", json!(["base, one.img"]))["bytes"], 16 << 20);
    lab.ok("create_machine", json!([lab.guest_with("r1", json!({ "disk": "base, one.img", "disk_gb": 1 }))]));
    lab.says("r1", PROMPT);
    lab.told("r1", "head -c 14 /dev/vda; echo", "from the image");
    lab.told(
        "r1",
        "printf 'by the guest..' | dd of=/dev/vda conv=notrunc,fsync; blockdev --getsize64 /dev/vda",
        "1073741824",
    );
    lab.ok("restart_machine", json!(["r1", { "timeout_s": 30 }]));
    lab.says("r1", PROMPT);
    lab.told("r1", "head -c 14 /dev/vda; echo", "by the guest..");
    assert!(fs::read(lab.images().join("base, one.img")).unwrap() == before, "the image was written");
}

#[test]
fn a_snapshot_brings_back_what_the_guest_knew() {
    let Some(mut lab) = Lab::real() else { return };
    lab.ok("create_machine", json!([lab.guest_with("r1", json!({ "disk_gb": 1 }))]));
    lab.says("r1", PROMPT);
    lab.told("r1", "echo before >/tmp/state; echo set-$((1+1))", "set-2");
    let kept = lab.ok("snapshot", json!(["r1", "clean"]));
    assert!(kept["memory"] == true && kept["bytes"].as_u64() > Some(1 << 20), "{kept}");
    assert_eq!(lab.ok("snapshot", json!(["r1", "clean"])), kept, "once is enough");
    lab.told("r1", "echo after >/tmp/state; cat /tmp/state", "^after");
    lab.ok("restore_snapshot", json!(["r1", "clean"]));
    lab.told("r1", "cat /tmp/state", "^before");
    // Another process, and a machine that was stopped meanwhile.
    lab.reopen();
    lab.ok("stop_machine", json!(["r1", { "timeout_s": 0 }]));
    assert_eq!(lab.ok("restore_snapshot", json!(["r1", "clean"]))["status"], "running");
    lab.told("r1", "cat /tmp/state", "^before");
    // A stopped machine's has no memory, and a running one can't be taken back to it.
    lab.ok("stop_machine", json!(["r1", { "timeout_s": 0 }]));
    assert_eq!(lab.ok("snapshot", json!(["r1", "off"]))["memory"], false);
    lab.ok("restore_snapshot", json!(["r1", "off"]));
    lab.ok("start_machine", json!(["r1"]));
    assert_eq!(lab.call("restore_snapshot", json!(["r1", "off"])).unwrap_err().code, Code::Conflict);
    // The undo of another step leaves it; that of its own doesn't.
    lab.call_as("delete_snapshot", json!(["r1", "clean"]), Some("01other/1".into())).unwrap();
    assert_eq!(lab.ok("snapshots", json!(["r1"])).as_array().unwrap().len(), 2);
    lab.undo("snapshot", &json!(["r1", "clean"]));
    lab.ok("delete_snapshot", json!(["r1", "off"]));
    lab.ok("delete_snapshot", json!(["r1", "off"]));
    assert_eq!(lab.ok("snapshots", json!(["r1"])), json!([]));
    assert_eq!(lab.call("restore_snapshot", json!(["r1", "clean"])).unwrap_err().code, Code::NotFound);
}

#[test]
fn without_a_disk_there_is_no_snapshot() {
    let Some(lab) = Lab::real() else { return };
    lab.ok("create_machine", json!([lab.guest("r1")]));
    let problem = lab.call("snapshot", json!(["r1", "clean"])).unwrap_err();
    assert!(problem.code == Code::Unsupported && problem.message.contains("disk"), "{problem:#?}");
}

#[test]
fn a_seed_says_what_it_was_told_to() {
    let Some(lab) = Lab::real() else { return };
    let seed = json!({ "user_data": "#cloud-config\nhostname: r1\n", "network_config": "version: 2\n" });
    lab.ok("create_machine", json!([lab.guest_with("r1", json!({ "seed": seed }))]));
    let disk = lab.machine("r1").join("run/seed.img");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&disk).unwrap().permissions()) & 0o777, 0o600);
    lab.says("r1", PROMPT);
    lab.told(
        "r1",
        "mount -o ro -t vfat /dev/vda /mnt && cat /mnt/user-data /mnt/network-config; cat /mnt/meta-data",
        "local-hostname: r1",
    );
    let said = lab.ok("serial", json!(["r1"]));
    assert!(said.as_str().unwrap().contains("hostname: r1") && said.as_str().unwrap().contains("version: 2"), "{said}");
    if !has_program("mtype") {
        return skip("no mtools here");
    }
    let mtools = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(["-i", disk.to_str().unwrap()]).args(args).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(mtools("mtype", &["::user-data"]), "#cloud-config\nhostname: r1\n");
    assert!(mtools("mlabel", &["-s", "::"]).contains("CIDATA"));
}

#[test]
fn images_that_lead_out_of_their_folders_are_refused() {
    let Some(lab) = Lab::real() else { return };
    let outside = lab.folder.path().join("outside.img");
    fs::write(&outside, vec![0; 1 << 20]).unwrap();
    let images = lab.images();
    std::os::unix::fs::symlink(&outside, images.join("link.img")).unwrap();
    let over = images.join("over.qcow2");
    qemu_img(&["create", "-q", "-f", "qcow2", "-F", "raw", "-b", outside.to_str().unwrap(), over.to_str().unwrap()]);
    let data = format!("data_file={},data_file_raw=on", outside.display());
    let data_file = images.join("data.qcow2");
    qemu_img(&["create", "-q", "-f", "qcow2", "-o", &data, data_file.to_str().unwrap(), "1M"]);
    let create = |spec: serde_json::Value| lab.call("create_machine", json!([spec])).unwrap_err();
    for name in ["link.img", "over.qcow2", "data.qcow2", outside.to_str().unwrap(), "/etc/passwd"] {
        let problem = create(json!({ "name": "r1", "disk": name }));
        assert_eq!(problem.code, Code::PermissionDenied, "{name}: {problem:#?}");
        assert!(problem.no_effect);
    }
    for name in ["../outside.img", "./vmlinuz", "a//b", "", "a\nb", "x/../vmlinuz"] {
        assert_eq!(create(json!({ "name": "r1", "disk": name })).code, Code::InvalidArgument, "{name:?}");
    }
    assert_eq!(create(json!({ "name": "r1", "disk": "none.img" })).code, Code::NotFound);
    assert_eq!(create(json!({ "name": "r1", "kernel": "a,b" })).code, Code::InvalidArgument);
    for (key, value) in
        [("append", json!("a\nb")), ("memory_mb", json!(1)), ("name", json!("a,b")), ("name", json!("../x"))]
    {
        let problem = create(lab.guest_with("r1", json!({ key: value })));
        assert_eq!(problem.code, Code::InvalidArgument, "{key}: {problem:#?}");
    }
    let problem = create(lab.guest_with("r1", json!({ "memory_mb": 1 << 20 })));
    assert!(problem.code == Code::LimitExceeded && problem.help.unwrap().contains("max_memory_mb"));
    assert_eq!(
        create(lab.guest_with("r1", json!({ "arguments": ["-hda", "/etc/passwd"] }))).code,
        Code::InvalidArgument
    );
    // A kernel's command line is one argument, whatever is in it.
    lab.ok(
        "create_machine",
        json!([lab.guest_with("r2", json!({ "append": "console=ttyS0 quiet -hda /etc/passwd a,b" }))]),
    );
    lab.says("r2", PROMPT);
    lab.told("r2", "cat /proc/cmdline", "-hda /etc/passwd a,b");
}
