//! Images: from archives, from a registry on loopback, of nodes, and away again.

use std::{fs, process::Command};

use serde_json::{Value, json};
use windlass_model::Code;
use windlass_tests::{Process, docker::IMAGE, free_port, has_program, skip, wait_until};

use super::Lab;

#[test]
fn images_are_imported_loaded_committed_and_removed() {
    let Some(lab) = Lab::new() else { return };
    let info = lab.plain("info", json!([])).unwrap();
    assert!(info["version"].is_string() && info["api_version"].is_string(), "{info}");
    let own = format!("windlass-test/own{}:1", std::process::id());
    let rootfs = lab.docker.rootfs().display().to_string();
    let made = lab.plain("import_image", json!([rootfs, own])).unwrap();
    assert_eq!(made["names"], json!([own]));
    assert!(
        lab.plain("images", json!([]))
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .any(|image| image["names"][0] == own.as_str())
    );

    let saved = lab.docker.folder().join("saved.tar").display().to_string();
    lab.docker.docker(&["save", "--output", &saved, &own]);
    lab.plain("remove_image", json!([own])).unwrap();
    lab.plain("remove_image", json!([own])).unwrap();
    assert_eq!(lab.plain("image", json!([own])).unwrap(), Value::Null);
    assert_eq!(lab.plain("load", json!([saved])).unwrap(), json!([own]));

    lab.ok("create_node", json!([{ "name": "r1", "image": own, "command": ["sleep", "1000"] }]));
    assert_eq!(lab.plain("remove_image", json!([own])).unwrap_err().code, Code::Conflict);
    lab.ok("exec", json!(["r1", ["touch", "/kept"]]));
    let copy = own.replace(":1", ":2");
    assert_eq!(lab.ok("commit", json!(["r1", copy]))["names"], json!([copy]));
    lab.ok("create_node", json!([{ "name": "r2", "image": copy, "command": ["sleep", "1000"] }]));
    lab.ok("exec", json!(["r2", ["test", "-e", "/kept"]]));
    lab.ok("destroy", json!([]));
    for image in [&own, &copy] {
        lab.plain("remove_image", json!([image])).unwrap();
    }

    // Only from folders that the configuration names, whatever a link says.
    let link = lab.docker.folder().join("link.tar");
    let _ = std::os::unix::fs::symlink("/etc/hostname", &link);
    for path in ["/etc/hostname", &link.display().to_string()] {
        assert_eq!(lab.plain("load", json!([path])).unwrap_err().code, Code::PermissionDenied, "{path}");
    }
    assert!(lab.plain("import_image", json!(["relative.tar", own])).is_err());
}

#[test]
fn an_image_is_fetched_from_a_registry() {
    let Some(lab) = Lab::new() else { return };
    if !has_program("docker-registry") {
        skip("no `docker-registry` (Debian: docker-registry)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let settings = folder.path().join("config.yml");
    let text = format!(
        "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n",
        folder.path().join("data").display()
    );
    fs::write(&settings, text).unwrap();
    let mut registry = Process::start(Command::new("docker-registry").arg("serve").arg(&settings)).unwrap();
    wait_until("the registry", std::time::Duration::from_secs(60), || {
        assert!(registry.is_running(), "{}", registry.output());
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let name = format!("127.0.0.1:{port}/lab/busybox:1");
    lab.docker.docker(&["tag", IMAGE, &name]);
    lab.docker.docker(&["push", &name]);
    lab.docker.docker(&["rmi", &name]);
    let pulled = lab.plain("pull", json!([name])).unwrap();
    assert!(pulled["names"].as_array().unwrap().contains(&json!(name)), "{pulled}");
    let problem = lab.plain("pull", json!([format!("127.0.0.1:{port}/lab/none:1")])).unwrap_err();
    assert_eq!(problem.code, Code::NotFound, "{problem:?}");
    registry.kill();
    let problem = lab.plain("pull", json!([format!("127.0.0.1:{port}/lab/none:1")])).unwrap_err();
    assert!(problem.help.is_some(), "{problem:?}");
    lab.plain("remove_image", json!([name])).unwrap();
}
