//! Consoles of real containers, real machines, a real SSH server and a real telnet server, each in a lab.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::Shutdown,
    os::{fd::AsRawFd as _, unix::net::UnixListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde_json::{Value, json};
use windlass_tests::{
    ApiServer, Process,
    console::Console,
    docker::{Docker, IMAGE},
    guest::{APPEND, Guest, PROMPT},
    has_program, skip, wait_until,
};

use super::house::{Labs, shell};

/// Runs a workflow to its success; what it returned.
fn done(server: &ApiServer, workflow: &str, input: &Value) -> Value {
    let run = server.launch(workflow, input);
    let record = server.ended(&run);
    assert_eq!(record["state"], "succeeded", "{record}");
    record["output"].clone()
}

#[test]
fn a_containers_shell_is_inside_it() {
    let Some(docker) = Docker::shared() else { return };
    const MAKE: &str = "const WORKFLOW = #{ name: \"lab/dock\", title: \"Dock\", permissions: [\"docker.*:*\", \"net.*:*\"] };\n\
        fn run(input) { docker::create_node(input.lab, #{ name: \"c1\", image: input.image, command: [\"sleep\", \"1000\"] }); }\n";
    const REMOVE: &str = "const WORKFLOW = #{ name: \"lab/undock\", title: \"Undock\", permissions: [\"docker.*:*\", \"net.*:*\"] };\n\
        fn run(input) { docker::destroy(input.lab); }\n";
    let settings = format!("[hosts.docker]\nsocket = \"{}\"\n", docker.socket().display());
    let server = ApiServer::start_with(&[("lab/dock", MAKE), ("lab/undock", REMOVE)], &[], &settings);
    done(&server, "lab/dock", &json!({ "lab": "demo", "image": IMAGE }));
    let mut console = Console::with_token(&server, &shell("demo", "c1", "&cols=120&rows=33"), &server.token);
    console.asks("echo in-$((6*7))", "in-42");
    console.asks("/bin/busybox stty size", "33 120");
    console.says(r#"{"resize":{"cols":70,"rows":20}}"#);
    console.hears(|told| told["size"]["cols"] == 70);
    wait_until("the size to arrive", Duration::from_secs(60), || {
        console.shown.clear();
        console.asks("/bin/busybox stty size; echo sized-$((1+1))", "sized-2");
        console.text().contains("20 70")
    });
    console.asks("ls -d /proc/1 && cat /proc/1/cmdline | /bin/busybox tr '\\0' ' '; echo", "sleep 1000");
    console.types("exit 5\n");
    assert_eq!(console.ends(), 1000);
    assert_eq!(console.told.last(), Some(&json!({ "exit": 5 })));
    // Whoever leaves takes along what they ran, when nobody comes back in time: with the server at the latest.
    let mut left = Console::with_token(&server, &shell("demo", "c1", ""), &server.token);
    left.types("sleep 54321\n");
    let running = || docker.docker(&["ps", "-q"]).lines().any(|id| docker.docker(&["top", id]).contains("sleep 54321"));
    wait_until("it to run", Duration::from_secs(60), running);
    done(&server, "lab/undock", &json!({ "lab": "demo" }));
    assert!(matches!(left.ends(), 1000 | 4404), "{:?}", left.end);
}

#[test]
fn a_machines_serial_line_and_its_screen() {
    let guest = match Guest::get() {
        Ok(guest) => guest,
        Err(reason) => return skip(&reason),
    };
    let folder = tempfile::tempdir().unwrap();
    for file in ["vmlinuz", "initrd.gz"] {
        std::fs::copy(guest.folder.join(file), folder.path().join(file)).unwrap();
    }
    const MAKE: &str = "const WORKFLOW = #{ name: \"lab/boot\", title: \"Boot\", permissions: [\"qemu.*:*\"] };\n\
        fn run(input) { qemu::create_machine(input.lab, #{ name: \"m1\", kernel: \"vmlinuz\", initrd: \"initrd.gz\", \
        append: input.append, memory_mb: 256, vnc: true }); }\n";
    const REMOVE: &str = "const WORKFLOW = #{ name: \"lab/unboot\", title: \"Unboot\", permissions: [\"qemu.*:*\"] };\n\
        fn run(input) { qemu::destroy(input.lab); }\n";
    let settings = format!("[hosts.qemu]\nimages = [\"{}\"]\naccelerator = \"tcg\"\n", folder.path().display());
    let server = ApiServer::start_with(&[("lab/boot", MAKE), ("lab/unboot", REMOVE)], &[], &settings);
    done(&server, "lab/boot", &json!({ "lab": "demo", "append": APPEND }));
    let kinds = server.get("/api/v1/labs/demo/nodes/m1/consoles").expect(200).json()["kinds"].clone();
    assert_eq!(kinds, json!(["serial", "vnc"]));
    let mut serial = Console::with_token(&server, "demo/nodes/m1/console?kind=serial&record=1", &server.token);
    serial.patience = Duration::from_secs(120);
    // Whoever comes late has missed the prompt.
    serial.types("\n");
    serial.until(PROMPT);
    serial.asks("echo guest-$((6*7))", "guest-42");
    let mut watching = Console::with_token(&server, "demo/nodes/m1/console?kind=serial&mode=watch", &server.token);
    watching.until("guest-42");
    // RFB as noVNC speaks it: version, no security, shared, and the screen's size.
    let greet = |mode: &str| {
        let path = format!("demo/nodes/m1/console?kind=vnc&mode={mode}");
        let mut screen = Console::with_token(&server, &path, &server.token);
        screen.until("RFB 003.008\n");
        screen.shown.clear();
        screen.sends(b"RFB 003.008\n");
        screen.at_least(2);
        assert!(screen.shown[1..].contains(&1), "{:?}", screen.shown);
        screen.shown.clear();
        screen.sends(&[1]);
        screen.at_least(4);
        assert_eq!(&screen.shown[..4], &[0; 4], "no security was refused");
        screen.shown.drain(..4);
        screen.sends(&[0]);
        screen.at_least(24);
        let width = u16::from_be_bytes([screen.shown[0], screen.shown[1]]);
        assert!((100..10_000).contains(&width), "{width}");
        screen
    };
    let mut using = greet("type");
    let mut looking = greet("watch");
    // Both at once: nobody's connection ended the other's.
    for screen in [&mut using, &mut looking] {
        screen.shown.clear();
        screen.sends(&[3, 0, 0, 0, 0, 0, 0, 16, 0, 16]);
        screen.at_least(4);
        assert_eq!(screen.shown[0], 0, "no update of the screen: {:?}", screen.shown);
    }
    // Whoever types at the moment at which a screen ends is shown what it said last.
    let deaf = ending_screen(&server.data());
    let mut typing = Console::with_token(&server, "demo/nodes/m1/console?kind=vnc&mode=type", &server.token);
    typing.until("RFB 003.008\n");
    typing.sends(b"RFB 003.008\n");
    deaf.recv_timeout(Duration::from_secs(60)).expect("the screen to hear nothing more");
    typing.sends(&[1]);
    typing.until("last words");
    assert_eq!(typing.ends(), 1000);
    // Nobody is behind that screen any more: a browser's page hears of it in the WebSocket.
    let mut told = Console::with_token(&server, "demo/nodes/m1/console?kind=vnc&explain=1", &server.token);
    assert_eq!(told.ends(), 4403);
    assert_eq!(told.told.last().unwrap()["error"]["code"], "unavailable", "{:?}", told.told);
    done(&server, "lab/unboot", &json!({ "lab": "demo" }));
    for console in [&mut serial, &mut using] {
        assert!(matches!(console.ends(), 1000 | 4404), "{:?}", console.end);
    }
}

/// Puts a screen in the place of the only machine's: it takes nothing any more when it has been greeted, which is told, and says its last
/// words somewhat later.
fn ending_screen(data: &Path) -> mpsc::Receiver<()> {
    let found = Command::new("find").arg(data).args(["-name", "vnc", "-type", "s"]).output().unwrap();
    let socket = PathBuf::from(String::from_utf8(found.stdout).unwrap().trim());
    let folder = File::open(socket.parent().unwrap()).unwrap();
    std::fs::remove_file(&socket).unwrap();
    // However long the folder's path is.
    let listener = UnixListener::bind(format!("/proc/self/fd/{}/vnc", folder.as_raw_fd())).unwrap();
    let (deaf, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut screen, _) = listener.accept().unwrap();
        screen.write_all(b"RFB 003.008\n").unwrap();
        screen.read_exact(&mut [0; 12]).unwrap();
        screen.shutdown(Shutdown::Read).unwrap();
        deaf.send(()).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        screen.write_all(b"last words").unwrap();
    });
    told
}

#[test]
fn an_ssh_server_in_a_node() {
    for program in ["/usr/sbin/sshd", "/usr/bin/ssh-keygen"] {
        if !std::path::Path::new(program).exists() {
            return skip(&format!("no {program} here: .ci/setup installs openssh-server"));
        }
    }
    let Some(mut labs) = Labs::start("") else { return };
    labs.lab("platform", "demo");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let key = |name: &str| {
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &path(name)]).status().unwrap();
        assert!(made.success());
    };
    ["host", "host2", "user", "other"].into_iter().for_each(key);
    std::fs::create_dir_all("/run/sshd").unwrap();
    let serve = |host: &str| {
        let config = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nPidFile none\n\
             ListenAddress 127.0.0.1\nPrintMotd no\n",
            path(host),
            path("user.pub")
        );
        std::fs::write(path("config"), config).unwrap();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &labs.namespace("r1"), "/usr/sbin/sshd", "-D", "-e", "-f", &path("config")]);
        let mut server = Process::start(&mut command).unwrap();
        server.wait_for_line("Server listening", Duration::from_secs(60));
        server
    };
    let server = serve("host");
    let kinds = labs.server.get("/api/v1/labs/demo/nodes/r1/consoles").expect(200).json()["kinds"].clone();
    assert_eq!(kinds, json!(["shell", "ssh"]));
    for (name, file, to) in [
        ("lab/key", "user", "ssh://platform/demo/*"),
        ("lab/wrong", "other", "ssh://platform/demo/r1"),
        ("lab/anywhere", "user", "*"),
        ("lab/elsewhere", "user", "ssh://acme/demo/r1"),
    ] {
        let value = std::fs::read_to_string(path(file)).unwrap();
        let body = json!({ "value": value, "to": [to] });
        let kept = labs.server.put(&format!("/api/v1/secrets/{name}"), &body);
        assert!(kept.status < 300, "{kept:?}");
    }
    let ssh = |secret: &str| format!("demo/nodes/r1/console?kind=ssh&cols=101&rows=35&user=root&secret={secret}");
    let mut console = labs.console(&ssh("lab/key"));
    console.asks("echo over-$((6*7))", "over-42");
    console.asks("stty size", "35 101");
    console.says(r#"{"resize":{"cols":77,"rows":22}}"#);
    console.hears(|told| told["size"]["cols"] == 77);
    wait_until("the size to arrive", Duration::from_secs(60), || {
        console.shown.clear();
        console.asks("stty size; echo sized-$((1+1))", "sized-2");
        console.text().contains("22 77")
    });
    console.types("exit 3\n");
    assert_eq!(console.ends(), 1000);
    assert_eq!(console.told.last(), Some(&json!({ "exit": 3 })));
    // Secrets that aren't for this node, that don't fit, that aren't there; and none at all.
    let bearer = format!("Bearer {}", labs.server.token);
    let headers = [("authorization", bearer.as_str())];
    for (secret, status) in [("lab/anywhere", 403), ("lab/elsewhere", 403), ("lab/wrong", 403), ("lab/none", 404)] {
        let refused = Console::refused(&labs.server, &ssh(secret), &headers);
        assert_eq!(refused.status, status, "{secret}: {}", refused.text);
    }
    assert_eq!(Console::refused(&labs.server, "demo/nodes/r1/console?kind=ssh", &headers).status, 400);
    // A browser's page hears of it in the WebSocket.
    let mut told = labs.console(&format!("{}&explain=1", ssh("lab/none")));
    assert_eq!(told.ends(), 4403);
    assert_eq!(told.told.last().unwrap()["error"]["code"], "secret_not_found", "{:?}", told.told);
    // Another server in its place has another key.
    drop(server);
    let server = serve("host2");
    let refused = Console::refused(&labs.server, &ssh("lab/key"), &headers);
    assert!(refused.status == 409 && refused.text.contains("another SSH key"), "{refused:?}");
    drop(server);
}

#[test]
fn a_telnet_server_in_a_node() {
    if !has_program("busybox") {
        return skip("no busybox here: .ci/setup installs busybox-static");
    }
    let Some(mut labs) = Labs::start("") else { return };
    labs.lab("platform", "demo");
    let server = labs.telnetd("r2", "127.0.0.1");
    assert_eq!(labs.kinds("r2"), json!(["shell", "telnet"]));
    let mut console = labs.console("demo/nodes/r2/console?kind=telnet&cols=99&rows=31");
    console.asks("echo far-$((6*7))", "far-42");
    console.asks("stty size", "31 99");
    console.says(r#"{"resize":{"cols":66,"rows":21}}"#);
    console.hears(|told| told["size"]["cols"] == 66);
    wait_until("the size to arrive", Duration::from_secs(60), || {
        console.shown.clear();
        console.asks("stty size; echo sized-$((1+1))", "sized-2");
        console.text().contains("21 66")
    });
    console.types("exit\n");
    assert_eq!(console.ends(), 1000, "{:?}", console.end);
    drop(server);
}

#[test]
fn the_command_line_is_at_a_console() {
    let Some(mut labs) = Labs::start("") else { return };
    labs.lab("platform", "demo");
    let run = |arguments: &[&str], typed: &str| {
        let mut command = Command::new(windlass_tests::windlass_binary());
        command.args(["console", "demo"]).args(arguments).env("WINDLASS_SERVER", &labs.server.url);
        command.env("WINDLASS_TOKEN", &labs.server.token).current_dir(labs.server.workflows());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), typed.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let output = run(&["r1"], "echo line-$((6*7)); exit\n");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("line-42"), "{output:?}");
    let refused = run(&["r9"], "");
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("no lab"), "{refused:?}");
    let refused = run(&["r1", "--kind", "serial"], "");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("has no serial console"), "{refused:?}");
}
