//! The program of pause containers: it waits. Made here byte by byte, so that a machine needs neither a registry nor a compiler.

use windlass_model::{Code, Problem};

use super::{
    backend::{Archive, Image},
    config::PAUSE_IMAGE,
    lab::{Machine, OWNER},
};

/// Where it is in the image.
pub const PROGRAM: &str = "/pause";

const BASE: u64 = 0x40_0000;
const HEADERS: u64 = 64 + 56;
/// `pause()`, for ever.
const X86_64: &[u8] = &[0xb8, 0x22, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7];
/// `ppoll(NULL, 0, NULL, NULL, 0)`, for ever: this architecture has no `pause()`.
const AARCH64: [u32; 8] = [
    0xd280_0000, // mov x0, #0
    0xd280_0001, // mov x1, #0
    0xd280_0002, // mov x2, #0
    0xd280_0003, // mov x3, #0
    0xd280_0004, // mov x4, #0
    0xd280_0928, // mov x8, #73
    0xd400_0001, // svc #0
    0x17ff_fff9, // b −7
];

/// The id of the image, which is made if it is ours and isn't there. Of our own the content is checked: whatever somebody else has
/// put under its name is replaced, and never run.
pub async fn ensure(machine: &Machine) -> Result<String, Problem> {
    let image = &machine.config.pause_image;
    let failed = |fault: super::fault::Fault| fault.problem(format!("the image {image} of pause containers"));
    let found = machine.backend.image(image).await.map_err(failed)?;
    if image != PAUSE_IMAGE {
        if let Some(found) = found {
            return Ok(found.id);
        }
        let message = format!("the image {image} of pause containers isn't on this machine");
        return Err(Problem::new(Code::NotFound, message)
            .help("load it, or leave `pause_image` under [hosts.docker] out: then Windlass makes one")
            .no_effect());
    }
    let info = machine.backend.info().await.map_err(failed)?;
    let architecture = info["architecture"].as_str().unwrap_or_default();
    let program = program(architecture).ok_or_else(|| {
        Problem::new(Code::Unsupported, format!("there is no pause program for the architecture `{architecture}`"))
            .help("name an image whose program waits with `pause_image` under [hosts.docker]")
            .no_effect()
    })?;
    let archive = rootfs(&program)?;
    let layer = layer(&archive);
    let is_ours = |found: &Image| found.layers == [layer.as_str()];
    if let Some(found) = found.filter(is_ours) {
        return Ok(found.id);
    }
    machine.backend.import(Archive::Bytes(archive), image, (OWNER, "windlass")).await.map_err(failed)?;
    let made = machine.backend.image(image).await.map_err(failed)?.filter(is_ours);
    made.map(|made| made.id).ok_or_else(|| {
        Problem::new(Code::Conflict, format!("the image {image} of pause containers isn't the one that Windlass has just made"))
            .help("does another program make images of this name? Then name another one with `pause_image` under [hosts.docker]")
            .no_effect()
    })
}

/// The digest of a layer: that of its archive.
pub fn layer(archive: &[u8]) -> String {
    use sha2::Digest as _;
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(archive)))
}

/// The program for an architecture, as Docker names it.
fn program(architecture: &str) -> Option<Vec<u8>> {
    let (machine, code): (u16, Vec<u8>) = match architecture {
        "amd64" | "x86_64" => (62, X86_64.to_vec()),
        "arm64" | "aarch64" => (183, AARCH64.iter().flat_map(|word| word.to_le_bytes()).collect()),
        _ => return None,
    };
    let size = HEADERS + code.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |values: &[u16]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    // An executable for this machine, version 1.
    elf.extend(half(&[2, machine, 1, 0]));
    // Entry, program headers at 64, no section headers.
    for value in [BASE + HEADERS, 64, 0] {
        elf.extend(value.to_le_bytes());
    }
    // No flags; sizes of the headers, one program header.
    elf.extend(half(&[0, 0, 64, 56, 1, 64, 0, 0]));
    // One segment, read and executed, of the whole file.
    elf.extend(half(&[1, 0, 5, 0]));
    for value in [0, BASE, BASE, size, size, 0x1_0000] {
        elf.extend(value.to_le_bytes());
    }
    elf.extend(code);
    Some(elf)
}

fn rootfs(program: &[u8]) -> Result<Vec<u8>, Problem> {
    let failed =
        |error: std::io::Error| Problem::new(Code::Internal, format!("packing the pause program: {error}")).no_effect();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(program.len() as u64);
    header.set_mode(0o755);
    header.set_mtime(0);
    builder.append_data(&mut header, PROGRAM.trim_start_matches('/'), program).map_err(failed)?;
    builder.into_inner().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_whole() {
        for (architecture, bytes) in [("amd64", 129), ("arm64", 152)] {
            let program = program(architecture).unwrap();
            assert_eq!(program.len(), bytes, "{architecture}");
            assert_eq!(program[24..32], (BASE + HEADERS).to_le_bytes(), "it begins behind the headers");
            assert_eq!(program[96..104], (bytes as u64).to_le_bytes(), "all of it is loaded");
        }
        assert!(program("s390x").is_none());
        assert!(rootfs(&program("amd64").unwrap()).unwrap().len() >= 1_024);
    }
}
