//! What an installation writes, and what it leaves alone.

use std::{fs, path::Path, process::Command};

use windlass_model::Code;

use super::{Address, Hand, Layout, Mark, Record, caddy, hand::File, texts, unit::unit};

fn record(address: Address, labs: bool) -> Record {
    Record { address, labs, guacamole: Some(([127, 0, 0, 1], 8081).into()), ..Record::default() }
}

fn addresses() -> [Address; 3] {
    [Address::Loopback, Address::Public("windlass.example.net".into()), Address::Internal("lab.internal".into())]
}

#[test]
fn a_file_that_a_person_has_changed_stays() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let write = |record: Record, content: &str, dry: bool| {
        let mut hand = Hand::new(&layout, record, dry);
        let file = File { path: "/etc/x", content: content.as_bytes(), mode: 0o640, owner: ("a", "a"), theirs: true };
        hand.file(&file).unwrap();
        (hand.record.clone(), hand.done.pop().unwrap().mark)
    };
    let (path, beside) = (layout.at("/etc/x"), layout.at("/etc/x.new"));
    assert_eq!(write(Record::default(), "1", true).1, Mark::Changed);
    assert!(!path.exists(), "a dry run writes nothing");
    let (first, mark) = write(Record::default(), "1", false);
    assert_eq!((mark, fs::read_to_string(&path).unwrap().as_str()), (Mark::Changed, "1"));
    assert_eq!(write(first.clone(), "1", false).1, Mark::Same);
    let (second, mark) = write(first, "2", false);
    assert_eq!(mark, Mark::Changed, "ours is replaced");
    fs::write(&path, "mine").unwrap();
    let (third, mark) = write(second.clone(), "3", false);
    assert_eq!((mark, fs::read_to_string(&path).unwrap().as_str()), (Mark::Kept, "mine"));
    assert_eq!(fs::read_to_string(&beside).unwrap(), "3");
    assert_eq!(third.written, second.written);
    // One that nobody knows of is a person's, too.
    assert_eq!(write(Record::default(), "4", false).1, Mark::Kept);
}

#[test]
fn a_link_never_takes_the_place_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let mut hand = Hand::new(&layout, Record::default(), false);
    fs::write(folder.path().join("file"), "").unwrap();
    assert_eq!(hand.link("/file", "x").unwrap_err().code, Code::Conflict);
    for (target, mark) in [("a", Mark::Changed), ("a", Mark::Same), ("b", Mark::Changed)] {
        hand.link("/link", target).unwrap();
        assert_eq!(hand.done.pop().unwrap().mark, mark);
        assert_eq!(fs::read_link(folder.path().join("link")).unwrap(), Path::new(target));
    }
}

#[test]
fn nothing_but_a_host_gets_into_the_files() {
    for good in ["windlass.example.net", "10.0.0.5", "a-b.c"] {
        assert_eq!(Address::checked(good).unwrap(), good);
    }
    for bad in ["", "a b", "a{", "a/b", "-a.b", "a..b", "a\nb", "a.b.", "http://a", &"a".repeat(64)] {
        assert_eq!(Address::checked(bad).unwrap_err().code, Code::Usage, "{bad:?}");
    }
}

#[test]
fn the_configuration_is_one() {
    for (address, labs) in addresses().into_iter().flat_map(|address| [(address.clone(), false), (address, true)]) {
        let record = record(address, labs);
        let config: crate::config::Config = toml::from_str(&texts::config(&record)).unwrap();
        assert_eq!(config.server.public_url, record.address.url());
        assert_eq!(config.database, record.database_url());
        assert_eq!(config.server.trusted_proxies, ["127.0.0.1/32"]);
    }
}

#[test]
fn the_service_has_no_rights_unless_it_makes_labs() {
    let plain = unit(&record(Address::Loopback, false));
    for line in ["User=windlass", "CapabilityBoundingSet=", "NoNewPrivileges=yes", "ProtectSystem=strict"] {
        assert!(plain.lines().any(|found| found == line), "{line}");
    }
    let labs = unit(&record(Address::Loopback, true));
    for name in ["CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_BOOT", "CAP_BPF", "CAP_SYS_TIME"] {
        assert!(!labs.contains(name), "{name}");
    }
    // A mount namespace of its own would take labs' networks along with each of its ends.
    for key in [
        "PrivateTmp",
        "ProtectSystem",
        "ProtectHome",
        "ReadWritePaths",
        "ProtectKernel",
        "PrivateDevices",
        "PrivateMounts",
    ] {
        assert!(!labs.contains(key), "{key}");
    }
}

/// Caddy itself reads what it is given.
#[test]
fn the_front_door_is_what_caddy_understands() {
    if Command::new("caddy").arg("version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for address in addresses() {
        let file = folder.path().join("Caddyfile");
        fs::write(&file, caddy::caddyfile(&record(address.clone(), false))).unwrap();
        let output =
            Command::new("caddy").args(["adapt", "--adapter", "caddyfile", "--config"]).arg(&file).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).to_lowercase();
        assert!(output.status.success(), "{address:?}: {}", String::from_utf8_lossy(&output.stderr));
        for part in ["127.0.0.1:7070", "127.0.0.1:8081", "/var/lib/windlass/www", "require-trusted-types-for"] {
            assert!(text.contains(part), "{part}");
        }
        assert_eq!(text.contains("strict-transport-security"), address.host().is_some());
    }
}

/// Of an authority that was made for this, and whose key is gone.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBkjCCATegAwIBAgIUKCTUsob6NovaHNyTw4rXce08gx0wCgYIKoZIzj0EAwIw
HjEcMBoGA1UEAwwTQXV0aG9yaXR5IG9mIGEgdGVzdDAeFw0yNjExMjIwNjIwNTVa
Fw0zNjExMTkwNjIwNTVaMB4xHDAaBgNVBAMME0F1dGhvcml0eSBvZiBhIHRlc3Qw
WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQHT7UsyAucP7ZLOrjaoZ0DTX8Y/E3D
OzqIrHqXgiJOiOWriejkiX8jFBuS8lzXVxW6HFwaGENoS/BdINGj0UUNo1MwUTAd
BgNVHQ4EFgQUn9lAtnAkxq9B46sn6a4BEHTItwUwHwYDVR0jBBgwFoAUn9lAtnAk
xq9B46sn6a4BEHTItwUwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBG
AiEAzWv5+AaChdS6LtoOG+TquiCIo9CUvOXmGceJJjLCnp4CIQD3snHdAOge2tn+
7hkr02SaY3lmGOJJz5gFGDJwiV/ayQ==
-----END CERTIFICATE-----
";

#[test]
fn only_a_certificate_is_taken_for_one() {
    let good = CERTIFICATE;
    assert!(caddy::is_certificate(good.as_bytes()));
    let (twice, behind) = (format!("{good}{good}"), format!("{good}root:x:0:0\n"));
    let cut = good.replacen("MII", "", 1);
    for bad in [
        "",
        "root:x:0:0",
        twice.as_str(),
        &behind,
        &format!("password\n{good}"),
        &cut,
        &good.replace("CERTIFICATE", "KEY"),
    ] {
        assert!(!caddy::is_certificate(bad.as_bytes()), "{bad}");
    }
}

#[test]
fn a_record_of_a_newer_version_is_read_and_one_of_an_older_has_made_nothing() {
    let record: Record = serde_json::from_str(r#"{"labs": true, "later": {"a": 1}}"#).unwrap();
    assert!(record.labs && record.made.is_empty());
    let made = Record { made: [super::record::Made::Role].into(), ..Record::default() };
    assert_eq!(serde_json::from_str::<Record>(&serde_json::to_string(&made).unwrap()).unwrap(), made);
}
