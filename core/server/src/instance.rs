//! This machine's instance id: a UUID that is written once and never overwritten. What Windlass makes is named after it,
//! so two machines never take each other's things for their own.

use std::{
    collections::BTreeMap,
    fs,
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use windlass_model::{Code, Problem};

/// Where ids are looked for, in this order.
pub struct Places {
    /// Ours, and that of the system before ours.
    pub files: Vec<PathBuf>,
}

impl Default for Places {
    fn default() -> Self {
        Self { files: vec!["/etc/windlass/instance_id".into(), "/etc/nova-ve/instance_id".into()] }
    }
}

/// An id, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceId {
    /// The UUID.
    pub id: Arc<str>,
    /// The file or variable.
    pub origin: String,
    /// What to tell at every start.
    pub warning: Option<String>,
}

/// The id of a machine that serves: from its file, or by an explicit override when there is none.
pub fn serving(places: &Places, environment: &BTreeMap<String, String>) -> Result<InstanceId, Problem> {
    for file in &places.files {
        if let Some(id) = read(file)? {
            return Ok(InstanceId { id, origin: file.display().to_string(), warning: None });
        }
    }
    let given = environment.get("WINDLASS_INSTANCE_ID").map(String::as_str);
    let allowed = environment.get("WINDLASS_INSTANCE_ID_OVERRIDE_OK").is_some_and(|value| value == "1");
    match (given, allowed) {
        (Some(id), true) if is_uuid(id) => Ok(InstanceId {
            id: id.into(),
            origin: "WINDLASS_INSTANCE_ID".into(),
            warning: Some(format!(
                "the instance id {id} comes from WINDLASS_INSTANCE_ID: never give two machines the same one"
            )),
        }),
        (Some(id), true) => {
            Err(Problem::new(Code::InstanceId, format!("WINDLASS_INSTANCE_ID is `{id}`, which isn't a UUID")))
        }
        (Some(_), false) => Err(Problem::new(
            Code::InstanceId,
            "WINDLASS_INSTANCE_ID is set, but WINDLASS_INSTANCE_ID_OVERRIDE_OK=1 isn't: the override isn't taken",
        )
        .help(how_to_write_one(places))),
        (None, _) => {
            Err(Problem::new(Code::InstanceId, "this machine has no instance id").help(how_to_write_one(places)))
        }
    }
}

/// The id for the embedded command line: the machine's, if it has one, else one that is made once in the data folder.
pub fn embedded(
    places: &Places,
    environment: &BTreeMap<String, String>,
    own_file: &Path,
) -> Result<InstanceId, Problem> {
    let machine_has_one = places.files.iter().any(|file| file.exists());
    let overridden = environment.get("WINDLASS_INSTANCE_ID_OVERRIDE_OK").is_some_and(|value| value == "1");
    if machine_has_one || (overridden && environment.contains_key("WINDLASS_INSTANCE_ID")) {
        return serving(places, environment);
    }
    if read(own_file)?.is_none() {
        write_once(own_file, 0o600)?;
    }
    let id =
        read(own_file)?.ok_or_else(|| Problem::new(Code::InstanceId, format!("{} is gone", own_file.display())))?;
    Ok(InstanceId { id, origin: own_file.display().to_string(), warning: None })
}

/// The id of a machine that is to serve: the one that is there, else a new one in the first place, which everybody may read.
pub fn made(places: &Places) -> Result<InstanceId, Problem> {
    for file in &places.files {
        if let Some(id) = read(file)? {
            return Ok(InstanceId { id, origin: file.display().to_string(), warning: None });
        }
    }
    if let Some(file) = places.files.first() {
        write_once(file, 0o644)?;
    }
    serving(places, &BTreeMap::new())
}

/// Refuses an id on a file system that several machines see: each has to have its own.
pub fn require_local(file: &Path) -> Result<(), Problem> {
    // NFS, SMB, CIFS, SMB2, Ceph, AFS, 9P: what statfs(2) calls them.
    const SHARED: [u32; 7] = [0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x00C3_6400, 0x5346_414F, 0x0102_1997];
    let found = nix::sys::statfs::statfs(file)
        .map_err(|errno| Problem::new(Code::InstanceId, format!("{} can't be looked at: {errno}", file.display())))?;
    // Magic numbers have 32 bits, in a type whose width differs between machines.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::unnecessary_cast)]
    let kind = found.filesystem_type().0 as u32;
    if SHARED.contains(&kind) {
        return Err(Problem::new(
            Code::InstanceId,
            format!("{} is on a file system that machines share", file.display()),
        )
        .help("keep it on this machine's own disk: two machines with one id take each other's things for their own"));
    }
    Ok(())
}

fn how_to_write_one(places: &Places) -> String {
    let file = places.files.first().map(|file| file.display().to_string()).unwrap_or_default();
    format!(
        "`windlass install` writes one; by hand, once and on local disk: `install -d {} && cat /proc/sys/kernel/random/uuid > {file}`",
        Path::new(&file).parent().unwrap_or(Path::new("/")).display()
    )
}

/// The id in a file; none if there is no file. A file without a UUID stops the start: somebody meant something by it.
fn read(file: &Path) -> Result<Option<Arc<str>>, Problem> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Problem::new(Code::InstanceId, format!("{} can't be read: {error}", file.display())));
        }
    };
    match text.trim() {
        id if is_uuid(id) => Ok(Some(id.into())),
        "" => Err(Problem::new(Code::InstanceId, format!("{} is empty", file.display()))
            .help("put the machine's UUID back; a new one would disown everything that was made under the old one")),
        _ => Err(Problem::new(Code::InstanceId, format!("{} doesn't hold a UUID", file.display()))
            .help("put the machine's UUID back; a new one would disown everything that was made under the old one")),
    }
}

/// Writes a fresh id, unless somebody else did so in between. The file appears complete or not at all.
fn write_once(file: &Path, mode: u32) -> Result<(), Problem> {
    let unwritable =
        |error: std::io::Error| Problem::new(Code::InstanceId, format!("{} can't be written: {error}", file.display()));
    let draft = file.with_extension(format!("{}.new", std::process::id()));
    let mut options = fs::OpenOptions::new();
    let written = options.write(true).create(true).truncate(true).mode(mode).open(&draft).and_then(|mut handle| {
        writeln!(handle, "{}", new_uuid())?;
        handle.sync_all()
    });
    written.map_err(unwritable)?;
    // A hard link fails when the name is taken: that is what makes it "once".
    let linked = fs::hard_link(&draft, file);
    let _ = fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(unwritable(error)),
        _ => Ok(()),
    }
}

fn new_uuid() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "6f1c1f8e-0b0a-4f6e-9d57-3e6f7f6f0001";
    const OTHER: &str = "6f1c1f8e-0b0a-4f6e-9d57-3e6f7f6f0002";

    fn variables(ok: &str) -> BTreeMap<String, String> {
        [("WINDLASS_INSTANCE_ID", OTHER), ("WINDLASS_INSTANCE_ID_OVERRIDE_OK", ok)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn a_machine_without_an_id_does_not_serve() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { files: vec![folder.path().join("ours"), folder.path().join("seeds")] };
        assert_eq!(serving(&places, &BTreeMap::new()).unwrap_err().code, Code::InstanceId);
        assert!(serving(&places, &variables("0")).unwrap_err().message.contains("isn't taken"));
        let overridden = serving(&places, &variables("1")).unwrap();
        assert_eq!(&*overridden.id, OTHER);
        assert!(overridden.warning.is_some());

        fs::write(&places.files[1], format!("{ONE}\n")).unwrap();
        let found = serving(&places, &variables("1")).unwrap();
        assert_eq!((&*found.id, found.warning), (ONE, None));

        fs::write(&places.files[0], " \n").unwrap();
        assert!(serving(&places, &variables("1")).unwrap_err().message.ends_with("is empty"));
    }

    #[test]
    fn an_installation_writes_one_and_never_another() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { files: vec![folder.path().join("ours"), folder.path().join("seeds")] };
        fs::write(&places.files[1], ONE).unwrap();
        assert_eq!(&*made(&places).unwrap().id, ONE, "the one of the system before is taken");
        assert!(!places.files[0].exists());
        fs::remove_file(&places.files[1]).unwrap();
        let first = made(&places).unwrap();
        assert_eq!(made(&places).unwrap(), first);
        fs::write(&places.files[0], "").unwrap();
        assert_eq!(made(&places).unwrap_err().code, Code::InstanceId, "an empty file stops it");
    }

    #[test]
    fn the_data_folders_own_id_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { files: vec![folder.path().join("ours")] };
        let own = folder.path().join("instance_id");
        let first = embedded(&places, &BTreeMap::new(), &own).unwrap();
        assert!(is_uuid(&first.id));
        assert_eq!(embedded(&places, &BTreeMap::new(), &own).unwrap(), first);
        write_once(&own, 0o600).unwrap();
        assert_eq!(embedded(&places, &BTreeMap::new(), &own).unwrap(), first);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left behind");

        fs::write(&places.files[0], ONE).unwrap();
        assert_eq!(&*embedded(&places, &BTreeMap::new(), &own).unwrap().id, ONE);
    }
}
