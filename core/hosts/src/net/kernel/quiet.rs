//! What a lab has in the host's namespace takes no part in IPv6: the kernel would give it a link-local address, and take routes of this
//! machine from whichever node of the lab advertises some. Settings of a device's IPv6 don't go over netlink: they are files.

use std::{fs, io, path::Path};

use super::super::fault::Fault;

const FOLDER: &str = "/proc/sys/net/ipv6/conf";
/// It is there wherever the kernel has IPv6, whatever /proc/sys shows.
const ADDRESSES: &str = "/proc/net/if_inet6";
/// `none` of the address generation modes.
const GENERATES_NONE: &str = "1";

/// Keeps a link that isn't up yet out of IPv6; with `addresses`, it has those that are given to it, and believes nobody. What has
/// addresses already keeps them.
pub fn keep(link: &str, addresses: bool) -> Result<(), Fault> {
    keep_in(Path::new(FOLDER), link, addresses)
}

pub(super) fn keep_in(folder: &Path, link: &str, addresses: bool) -> Result<(), Fault> {
    let of = |setting: &str| folder.join(link).join(setting);
    let off = match fs::read_to_string(of("disable_ipv6")) {
        Ok(text) => text.trim() == "1",
        Err(error) if error.kind() == io::ErrorKind::NotFound => return nothing_to_keep(folder),
        Err(error) => return Err(Fault::io(&error, of("disable_ipv6").display().to_string())),
    };
    let is = |setting: &str, value: &str| fs::read_to_string(of(setting)).is_ok_and(|text| text.trim() == value);
    let deaf = is("accept_ra", "0");
    if addresses {
        for (setting, value) in [("accept_ra", "0"), ("accept_redirects", "0"), ("addr_gen_mode", GENERATES_NONE)] {
            if !is(setting, value) {
                write(&of(setting), value)?;
            }
        }
        // Where this machine has no IPv6 at all, a link of a lab has none.
        let nowhere = fs::read_to_string(folder.join("all/disable_ipv6")).is_ok_and(|text| text.trim() == "1");
        return if off && !nowhere { write(&of("disable_ipv6"), "0") } else { Ok(()) };
    }
    if off || (deaf && is("addr_gen_mode", GENERATES_NONE)) {
        return Ok(());
    }
    match write(&of("disable_ipv6"), "1") {
        // /proc/sys may be read-only in a container. Who takes no routes from anybody does no harm.
        Err(_) if deaf => Ok(()),
        answer => answer,
    }
}

/// A link without settings has no IPv6, unless they are hidden.
fn nothing_to_keep(folder: &Path) -> Result<(), Fault> {
    if folder.join("all").exists() || !Path::new(ADDRESSES).exists() {
        return Ok(());
    }
    let detail = format!("{} isn't there: nodes of labs could give this machine IPv6 routes", folder.display());
    Err(Fault::new(libc::ENOSYS, detail))
}

fn write(path: &Path, value: &str) -> Result<(), Fault> {
    fs::write(path, value).map_err(|error| {
        let why = "nodes of labs could give this machine IPv6 routes";
        Fault::io(&error, format!("writing {value} to {}: {why}", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(folder: &Path, link: &str, values: [&str; 4]) {
        fs::create_dir_all(folder.join(link)).unwrap();
        for (name, value) in NAMES.iter().zip(values) {
            fs::write(folder.join(link).join(name), format!("{value}\n")).unwrap();
        }
    }

    fn shown(folder: &Path, link: &str) -> Vec<String> {
        let read = |name| fs::read_to_string(folder.join(link).join(name)).unwrap().trim().to_owned();
        NAMES.iter().map(read).collect()
    }

    const NAMES: [&str; 4] = ["disable_ipv6", "accept_ra", "accept_redirects", "addr_gen_mode"];

    #[test]
    fn a_link_is_out_of_ipv6_unless_it_is_given_addresses() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        settings(folder, "all", ["0", "1", "1", "0"]);
        settings(folder, "a", ["0", "1", "1", "0"]);
        keep_in(folder, "a", false).unwrap();
        assert_eq!(shown(folder, "a")[0], "1");
        keep_in(folder, "a", true).unwrap();
        assert_eq!(shown(folder, "a"), ["0", "0", "0", "1"]);
        // Asked for again without any: what it has stays.
        keep_in(folder, "a", false).unwrap();
        assert_eq!(shown(folder, "a"), ["0", "0", "0", "1"]);
        // A machine that takes no advertisements gives links addresses of their own all the same.
        settings(folder, "b", ["0", "0", "1", "0"]);
        keep_in(folder, "b", false).unwrap();
        assert_eq!(shown(folder, "b")[0], "1");
        settings(folder, "all", ["1", "1", "1", "0"]);
        settings(folder, "c", ["1", "1", "1", "0"]);
        keep_in(folder, "c", true).unwrap();
        assert_eq!(shown(folder, "c"), ["1", "0", "0", "1"]);
        keep_in(folder, "gone", false).unwrap();
    }

    #[test]
    fn what_cant_be_set_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        if Path::new(ADDRESSES).exists() {
            assert_eq!(keep_in(folder, "a", false).unwrap_err().errno, libc::ENOSYS);
        }
        settings(folder, "all", ["0", "1", "1", "0"]);
        // Nobody can write what is a folder, root neither.
        for (link, accept_ra, fine) in [("a", "1", false), ("b", "0", true)] {
            settings(folder, link, ["0", accept_ra, "1", "0"]);
            fs::remove_file(folder.join(link).join("addr_gen_mode")).unwrap();
            fs::create_dir(folder.join(link).join("addr_gen_mode")).unwrap();
            let done = keep_in(folder, link, true);
            assert!(done.is_err() && done.unwrap_err().detail.contains("addr_gen_mode"), "{link} {fine}");
        }
    }
}
