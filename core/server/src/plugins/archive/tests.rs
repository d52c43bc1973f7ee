//! Archives as people pack them, and as somebody does who means harm.

use std::io::Write as _;

use super::*;

const FILE_BYTES: usize = 1 << 20;

fn packed(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(gzip);
    for (path, kind, text) in entries {
        let mut header = tar::Header::new_ustar();
        // As somebody writes it who means harm: the library's own way refuses `..` and `/`.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        let is_link = matches!(kind, tar::EntryType::Symlink | tar::EntryType::Link);
        if is_link {
            header.set_link_name(text).unwrap();
        }
        let body = if is_link { "" } else { text };
        header.set_size(body.len() as u64);
        header.set_cksum();
        builder.append(&header, body.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn zipped(entries: &[(&str, Option<u32>, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, mode, body) in entries {
        let options = zip::write::SimpleFileOptions::default();
        match mode {
            Some(0o120_777) => {
                writer.add_symlink(*path, std::str::from_utf8(body).unwrap(), options).unwrap();
            }
            _ => {
                writer.start_file(*path, options.unix_permissions(mode.unwrap_or(0o644))).unwrap();
                writer.write_all(body).unwrap();
            }
        }
    }
    writer.finish().unwrap().into_inner()
}

use tar::EntryType::{Block, Directory, Fifo, Link, Regular, Symlink};

fn message(archive: &[u8]) -> String {
    let problem = unpack(archive, FILE_BYTES).unwrap_err();
    assert!(matches!(problem.code, Code::InvalidInput | Code::LimitExceeded), "{problem:?}");
    problem.message
}

#[test]
fn a_plugins_folder_is_found_at_the_top_or_below_and_nothing_else_is_taken() {
    for prefix in ["", "mine/", "./mine/", "repository-main/plugins/mine/"] {
        let at = |name: &str| format!("{prefix}{name}");
        let (manifest, script, fixture) = (at("plugin.toml"), at("main.rhai"), at("fixtures/validate.json"));
        let (readme, hidden, deep) = (at("README.md"), at("fixtures/.x.json"), at("fixtures/deep/x.json"));
        let archive = packed(&[
            (&manifest, Regular, "id"),
            (&script, Regular, "fn"),
            (&at("fixtures/"), Directory, ""),
            (&fixture, Regular, "{}"),
            (&readme, Regular, "read"),
            (&hidden, Regular, "{}"),
            (&deep, Regular, "{}"),
        ]);
        let unpacked = unpack(&archive, FILE_BYTES).unwrap();
        let names: Vec<&String> = unpacked.files.keys().collect();
        assert_eq!(names, ["fixtures/validate.json", "main.rhai", "plugin.toml"], "{prefix}");
        assert_eq!(unpacked.left_out.len(), 3, "{prefix}: {:?}", unpacked.left_out);
    }
    let archive = zipped(&[
        ("mine/plugin.toml", None, b"id"),
        ("mine/main.rhai", None, b"fn"),
        ("mine/logo.png", None, &[255, 254]),
    ]);
    let unpacked = unpack(&archive, FILE_BYTES).unwrap();
    assert_eq!((unpacked.files.len(), unpacked.left_out), (2, vec!["mine/logo.png".to_owned()]));
}

#[test]
fn nothing_leads_out_of_the_folder() {
    for path in
        ["../plugin.toml", "mine/../../etc/x", "/etc/plugin.toml", "mine/..", "a\\..\\b", "C:/plugin.toml", "a\nb"]
    {
        let told = message(&packed(&[("plugin.toml", Regular, "id"), (path, Regular, "x")]));
        assert!(told.contains("leads out of"), "{path:?}: {told}");
        let told = message(&zipped(&[("plugin.toml", None, b"id"), (path, None, b"x")]));
        assert!(told.contains("leads out of"), "zip {path:?}: {told}");
    }
}

#[test]
fn links_and_devices_are_refused() {
    for kind in [Symlink, Link, Fifo, Block] {
        let told = message(&packed(&[("plugin.toml", Regular, "id"), ("main.rhai", kind, "/etc/passwd")]));
        assert!(told.contains("is a link, or no file"), "{kind:?}: {told}");
    }
    let told = message(&zipped(&[("plugin.toml", None, b"id"), ("main.rhai", Some(0o120_777), b"/etc/passwd")]));
    assert!(told.contains("is a link, or no file"), "{told}");
}

#[test]
fn what_unpacks_to_much_is_given_up_early() {
    let large = " ".repeat(FILE_BYTES + 1);
    for archive in [packed(&[("plugin.toml", Regular, &large)]), zipped(&[("plugin.toml", None, large.as_bytes())])] {
        assert!(archive.len() < 20_000, "it is packed small: {}", archive.len());
        assert!(message(&archive).contains("a file with more than"));
    }
    let piece = " ".repeat(FILE_BYTES);
    let names: Vec<String> = (0..17).map(|number| format!("fixtures/{number}.json")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), Regular, piece.as_str())).collect();
    assert!(message(&packed(&many)).contains("16 MiB"));
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), None, piece.as_bytes())).collect();
    assert!(message(&zipped(&many)).contains("16 MiB"));
    let names: Vec<String> = (0..=ENTRIES).map(|number| format!("{number}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), Regular, "")).collect();
    assert!(message(&packed(&many)).contains("500 entries"));
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), None, &b""[..])).collect();
    assert!(message(&zipped(&many)).contains("500 entries"));
    // A header that says more than there is, and one that says less of what is packed than there is.
    let mut header = tar::Header::new_ustar();
    header.set_path("plugin.toml").unwrap();
    header.set_size(1 << 40);
    header.set_cksum();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(header.as_bytes()).unwrap();
    assert!(message(&gzip.finish().unwrap()).contains("16 MiB"));
}

#[test]
fn what_is_broken_or_ambiguous_is_told() {
    assert!(message(b"").contains("neither"));
    assert!(message(b"<html>").contains("neither"));
    assert!(message(&[0x1f, 0x8b, 8, 0, 0]).contains("can't be read"));
    assert!(message(b"PK\x03\x04 and then nothing").contains("can't be read"));
    assert!(message(&packed(&[("main.rhai", Regular, "fn")])).contains("no plugin.toml"));
    let two = packed(&[("a/plugin.toml", Regular, "id"), ("b/plugin.toml", Regular, "id")]);
    assert!(message(&two).contains("several plugins"));
    let twice = packed(&[("plugin.toml", Regular, "id"), ("./plugin.toml", Regular, "other")]);
    assert!(message(&twice).contains("twice"));
    let binary = zipped(&[("plugin.toml", None, b"id"), ("main.rhai", None, &[0xff, 0xfe])]);
    assert!(message(&binary).contains("isn't UTF-8"));
    // Cut at every place: never a panic, never half of it.
    let whole = packed(&[("plugin.toml", Regular, "id"), ("main.rhai", Regular, "fn")]);
    for end in 0..whole.len() - 8 {
        let _ = unpack(&whole[..end], FILE_BYTES);
    }
    let whole = zipped(&[("plugin.toml", None, b"id"), ("main.rhai", None, b"fn")]);
    for end in 0..whole.len() {
        assert!(unpack(&whole[..end], FILE_BYTES).is_err(), "{end}");
    }
}
