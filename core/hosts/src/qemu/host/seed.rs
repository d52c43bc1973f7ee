//! What cloud-init reads at a machine's first start: a small disk labelled CIDATA (NoCloud), written by us.

use std::io::{Cursor, Write as _};

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};
use serde_json::Value;
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::super::spec::{MachineSpec, SeedSpec};
use crate::support::{invalid, system};

/// All of a seed's texts together.
const SEED_BYTES: usize = 1 << 20;
/// Room for them and for what the file system needs.
const DISK_BYTES: usize = 4 << 20;
const LABEL: [u8; 11] = *b"CIDATA     ";

/// The disk's content, with the secrets in it.
pub fn disk(
    cx: &OpCx,
    spec: &MachineSpec,
    seed: &SeedSpec,
    scope: &str,
) -> Result<zeroize::Zeroizing<Vec<u8>>, Problem> {
    let reveal = |value: &Value, what: &str| match value {
        Value::Null => Ok(None),
        Value::String(_) | Value::Object(_) => cx.reveal(value, &format!("qemu:{scope}")).map(Some),
        _ => Err(invalid(format!("{}: `{what}` of the seed has to be text or a secret", spec.name))),
    };
    let user_data = reveal(&seed.user_data, "user_data")?.unwrap_or_else(|| "#cloud-config\n".to_owned().into());
    let own = format!("instance-id: {0}\nlocal-hostname: {0}\n", spec.name);
    let meta_data = reveal(&seed.meta_data, "meta_data")?.unwrap_or_else(|| own.into());
    let network = reveal(&seed.network_config, "network_config")?;
    let files = [("user-data", Some(user_data)), ("meta-data", Some(meta_data)), ("network-config", network)];
    let bytes: usize = files.iter().filter_map(|(_, text)| Some(text.as_ref()?.len())).sum();
    if bytes > SEED_BYTES {
        let message = format!("{}: the seed has {bytes} bytes, and {SEED_BYTES} are the most", spec.name);
        return Err(Problem::new(Code::LimitExceeded, message).no_effect());
    }
    let mut image = zeroize::Zeroizing::new(vec![0; DISK_BYTES]);
    let failed = |error: std::io::Error| system("making the seed", &error);
    let options = FormatVolumeOptions::new().volume_label(LABEL);
    fatfs::format_volume(Cursor::new(image.as_mut_slice()), options).map_err(failed)?;
    {
        let disk = FileSystem::new(Cursor::new(image.as_mut_slice()), FsOptions::new()).map_err(failed)?;
        for (name, text) in &files {
            if let Some(text) = text {
                disk.root_dir()
                    .create_file(name)
                    .and_then(|mut file| file.write_all(text.as_bytes()))
                    .map_err(failed)?;
            }
        }
        disk.unmount().map_err(failed)?;
    }
    Ok(image)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use windlass_script::host::testing::TestCx;

    use super::*;

    #[test]
    fn a_seed_is_a_disk_with_its_texts() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut cx = TestCx::new(&[]);
        cx.secrets.insert("password".into(), "hunter2".into());
        let cx = cx.on(&runtime);
        let spec = MachineSpec { name: "r1".into(), ..MachineSpec::default() };
        let seed = SeedSpec { user_data: json!({ "$secret": "password" }), ..SeedSpec::default() };
        let image = disk(&cx, &spec, &seed, "demo/r1").unwrap();
        let disk = FileSystem::new(Cursor::new(image.to_vec()), FsOptions::new()).unwrap();
        assert_eq!(disk.volume_label_as_bytes(), b"CIDATA");
        let read = |name: &str| {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut disk.root_dir().open_file(name).unwrap(), &mut text).unwrap();
            text
        };
        assert_eq!(read("user-data"), "hunter2");
        assert_eq!(read("meta-data"), "instance-id: r1\nlocal-hostname: r1\n");
        assert!(disk.root_dir().open_file("network-config").is_err());
        let much = SeedSpec { user_data: "x".repeat(SEED_BYTES + 1).into(), ..SeedSpec::default() };
        assert_eq!(super::disk(&cx, &spec, &much, "").unwrap_err().code, Code::LimitExceeded);
    }
}
