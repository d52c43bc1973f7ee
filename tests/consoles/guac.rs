//! Consoles by way of guacd: a real node, its real telnet server, and a guacd that speaks the real protocol on both sides.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_sim::{
    Clock, Faults,
    guacd::{Config, Guacd, Seen},
};
use windlass_tests::{console::Console, has_program, skip, tunnel::Tunnel, wait_for, wait_until};

use super::house::Labs;
use crate::api::people;

/// Longer than any of them isn't read here.
const LONG: Duration = Duration::from_secs(60);

const ROOM: &str = "demo/nodes/r2/console?kind=guac";

/// A guacd, which waits for whoever answers nothing for so long; a server that knows it, and a lab.
fn house(patience: Duration) -> Option<(Guacd, Labs)> {
    if !has_program("busybox") {
        skip("no busybox here: .ci/setup installs busybox-static");
        return None;
    }
    let config = Config { sync: Duration::from_millis(100), patience, ..Config::default() };
    let guacd = Guacd::start(([127, 0, 0, 1], 0).into(), config, Faults::new(Clock::system())).unwrap();
    let settings = format!("[hosts.guacamole]\nguacd = \"{}\"\n[server]\nrecheck_ms = 200\n", guacd.address());
    let mut labs = Labs::start(&settings)?;
    labs.lab("platform", "demo");
    Some((guacd, labs))
}

fn session(guacd: &Guacd) -> Seen {
    guacd.sessions().pop().expect("a session")
}

/// Keys are drawn as boxes: at the place that is the key's number.
fn is_box(key: char) -> impl Fn(&[String]) -> bool {
    move |next| next[0] == "rect" && next[2] == u32::from(key).to_string()
}

#[test]
fn the_first_begins_a_session_at_guacd_and_others_join_it() {
    let Some((guacd, labs)) = house(LONG) else { return };
    let _telnetd = labs.telnetd("r2", "127.0.0.1");
    assert_eq!(labs.kinds("r2"), json!(["shell", "telnet", "guac"]));
    assert_eq!(labs.kinds("r1"), json!(["shell"]));
    let token = labs.server.token.clone();
    let bearer = format!("Bearer {token}");
    let refused = |path: &str| Console::refused(&labs.server, path, &[("authorization", &bearer)]);
    // Who only looks has nothing opened.
    assert_eq!(refused(&format!("{ROOM}&mode=watch")).status, 404);
    assert_eq!(refused(&format!("{ROOM}&of=ssh")).status, 404);
    for wrong in ["of=serial", "width=0", "height=99999", "dpi=-1"] {
        assert_eq!(refused(&format!("{ROOM}&{wrong}")).status, 400, "{wrong}");
    }
    let mut ann = Tunnel::open(&labs.server, &format!("{ROOM}&width=800&height=600&timezone=Europe/Berlin"), &token);
    // A browser's tunnel is open when it is told its id.
    let first = ann.until("something is said", |_| true);
    assert!(first[0].is_empty() && first.len() == 2 && first[1].len() == 36, "{first:?}");
    ann.until("guacd shows a size", |next| next[..] == ["size", "0", "800", "600"]);
    ann.until("guacd asks", |next| next[0] == "sync");
    ann.says(&["", "ping", "1234"]);
    ann.until("a ping is answered", |next| next[..] == ["", "ping", "1234"]);
    let seen = session(&guacd);
    assert_eq!((seen.protocol.as_str(), seen.users), ("telnet", 1));
    assert_eq!(seen.told["size"], ["800", "600", "96"]);
    assert_eq!(seen.told["timezone"], ["Europe/Berlin"]);
    assert_eq!(seen.parameters["hostname"], "127.0.0.1");
    // Its way to the node isn't for others, not even while it is open.
    let port: u16 = seen.parameters["port"].parse().unwrap();
    // What came while guacd was being let in is turned away.
    if let Ok(mut other) = std::net::TcpStream::connect(("127.0.0.1", port)) {
        let mut text = [0; 1];
        assert_eq!(std::io::Read::read(&mut other, &mut text).unwrap_or(0), 0, "somebody else is at the node");
    }
    wait_until("the port to be closed", Duration::from_secs(60), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_err()
    });
    // What is typed reaches the shell in the node, and what that says comes back.
    let file = tempfile::tempdir().unwrap().path().join("typed");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    ann.types(&format!("ip -o link | wc -l > {}\n", file.display()));
    let count = wait_for("the shell to have run it", Duration::from_secs(60), || {
        ann.follow(Duration::from_millis(100));
        std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n'))
    });
    assert_eq!(count.trim(), "1", "the node has only `lo`");
    std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
    // Another one joins, to look: shown the same, with keys that change nothing.
    let mut ben = Tunnel::open(&labs.server, &format!("{ROOM}&mode=watch"), &token);
    ben.until("guacd asks", |next| next[0] == "sync");
    let keys = session(&guacd).keys.len();
    ben.types("crept");
    ben.says(&["mouse", "1", "1", "1"]);
    ann.types("~");
    ben.until("what ann types is shown", is_box('~'));
    ann.until("what ann types is shown", is_box('~'));
    let seen = session(&guacd);
    assert_eq!((guacd.sessions().len(), seen.users, seen.keys.len()), (1, 2, keys + 1), "{:?}", seen.keys);
    // A third one types, too; one of another name has a session apart.
    let mut cleo = Tunnel::open(&labs.server, ROOM, &token);
    cleo.types("^");
    ben.until("what cleo types is shown", is_box('^'));
    let mut own = Tunnel::open(&labs.server, &format!("{ROOM}&name=own"), &token);
    own.until("guacd asks", |next| next[0] == "sync");
    assert_eq!(guacd.sessions().len(), 2);
    // Who began it goes; the others stay.
    ann.says(&["disconnect"]);
    assert_eq!(ann.ends(), (1000, "0".into()));
    wait_until("guacd to see it", Duration::from_secs(60), || guacd.sessions()[0].users == 2);
    cleo.types("|");
    ben.until("what cleo types is shown", is_box('|'));
    // Halves of instructions come together; what is none ends it.
    cleo.says_text("4.sync,1");
    cleo.says_text(".0;");
    cleo.follow(Duration::from_millis(300));
    assert_eq!(cleo.end, None);
    cleo.says_text("GET / HTTP/1.1\r\n\r\n");
    assert!(matches!(cleo.ends().0, 1000 | 4400), "{:?}", cleo.end);
    assert!(cleo.shown.iter().any(|said| said[0] == "error" && said[2] == "768"), "{:?}", cleo.shown);
    // Nobody is in it any more: the next one begins anew.
    drop(ben);
    wait_until("the session to end", Duration::from_secs(60), || guacd.sessions()[0].ended);
    let mut again = Tunnel::open(&labs.server, ROOM, &token);
    again.until("guacd asks", |next| next[0] == "sync");
    assert_eq!(guacd.sessions().len(), 3);
    let audit = labs.server.get("/api/v1/audit?action=console.").expect(200).json()["items"].clone();
    let of = |action: &str, mode: &str| {
        let fits = |entry: &&Value| {
            entry["action"] == action
                && entry["target"] == "demo/r2 guac"
                && (mode.is_empty() || entry["after"]["mode"] == mode)
        };
        audit.as_array().unwrap().iter().filter(fits).count()
    };
    assert_eq!((of("console.open", "type"), of("console.open", "watch")), (4, 1), "{audit}");
    assert!(of("console.close", "") >= 2, "{audit}");
}

#[test]
fn a_session_ends_with_guacd_with_its_node_and_with_the_right_to_it() {
    let Some((guacd, mut labs)) = house(Duration::from_secs(8)) else { return };
    let telnetd = labs.telnetd("r2", "127.0.0.1");
    people::user(&labs.server, "opal", "platform", "operator@platform");
    let opal = people::token(&labs.server, "opal");
    let admin = labs.server.token.clone();
    // guacd gives up who answers nothing.
    let mut mute = Tunnel::open(&labs.server, &format!("{ROOM}&name=mute"), &admin);
    mute.answers = false;
    mute.until("guacd gives up", |next| next[0] == "error" && next[2] == "776");
    assert_eq!(mute.ends(), (1000, "0".into()));
    let mut left = Tunnel::open(&labs.server, ROOM, &opal);
    left.until("guacd asks", |next| next[0] == "sync");
    let all = labs.server.send_as(&opal, "GET", "/api/v1/tokens", None).expect(200).json();
    let id = all["items"][0]["id"].as_str().or_else(|| all[0]["id"].as_str()).unwrap().to_owned();
    labs.server.send_as(&opal, "DELETE", &format!("/api/v1/tokens/{id}"), None).expect(204);
    assert_eq!(left.ends(), (4401, "771".into()));
    let mut gone = Tunnel::open(&labs.server, ROOM, &admin);
    gone.until("guacd asks", |next| next[0] == "sync");
    drop(telnetd);
    let end = gone.ends();
    assert!(end == (4404, "516".into()) || end == (1000, "0".into()), "{end:?}");
    let _telnetd = labs.telnetd("r2", "127.0.0.1");
    let mut last = Tunnel::open(&labs.server, ROOM, &admin);
    last.until("guacd asks", |next| next[0] == "sync");
    drop(guacd);
    last.until("the end is told", |next| next[0] == "disconnect");
    assert_eq!(last.ends(), (1000, "0".into()));
    // Without guacd nothing is opened, and it is said why.
    let bearer = format!("Bearer {admin}");
    let refused = Console::refused(&labs.server, ROOM, &[("authorization", &bearer)]);
    assert!(refused.status == 503 && refused.text.contains("guacd can't be reached"), "{refused:?}");
    // A browser's page hears of it in guacd's own protocol.
    let mut told = Tunnel::open(&labs.server, &format!("{ROOM}&explain=1"), &admin);
    assert_eq!(told.ends(), (4403, "519".into()));
    let last = told.shown.last().unwrap();
    assert!(last[0] == "error" && last[1].starts_with("guacd can't be reached") && last[2] == "519", "{last:?}");
    labs.remove("platform", "demo");
}
