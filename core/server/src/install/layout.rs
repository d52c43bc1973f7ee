//! Where everything is on a machine, or in another root that becomes one.

use std::path::{Path, PathBuf};

/// A root, and the places in it.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

/// The service's name, and its user's.
pub const NAME: &str = "windlass";
/// What systemd calls it.
pub const SERVICE: &str = "windlass.service";
/// Programs, one folder a version.
pub const RELEASES: &str = "/usr/lib/windlass";
/// The configuration.
pub const CONFIG: &str = "/etc/windlass/windlass.toml";
/// What was asked for when it was installed.
pub const RECORD: &str = "/etc/windlass/install.json";
/// This machine's id.
pub const INSTANCE: &str = "/etc/windlass/instance_id";
/// What only the service may read.
pub const SECRETS: &str = "/etc/windlass/secrets";
/// The password of the database's role, as PostgreSQL's programs read it.
pub const PASSFILE: &str = "/etc/windlass/secrets/pgpass";
/// The front door's configuration.
pub const CADDYFILE: &str = "/etc/windlass/Caddyfile";
/// What Debian's Caddy reads.
pub const CADDY: &str = "/etc/caddy/Caddyfile";
/// The certificate of Caddy's own authority, for those who are to trust it.
pub const AUTHORITY: &str = "/etc/windlass/caddy-authority.crt";
/// Where Caddy keeps it.
pub const CADDY_AUTHORITY: &str = "/var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt";
/// The service's unit.
pub const UNIT: &str = "/etc/systemd/system/windlass.service";
/// Its user, for systemd-sysusers.
pub const SYSUSERS: &str = "/usr/lib/sysusers.d/windlass.conf";
/// Its folders, for systemd-tmpfiles.
pub const TMPFILES: &str = "/usr/lib/tmpfiles.d/windlass.conf";
/// Everything that the service keeps.
pub const STATE: &str = "/var/lib/windlass";
/// The data folder.
pub const DATA: &str = "/var/lib/windlass/data";
/// Workflows.
pub const WORKFLOWS: &str = "/var/lib/windlass/workflows";
/// Plugins.
pub const PLUGINS: &str = "/var/lib/windlass/plugins";
/// The interface's files.
pub const PAGE: &str = "/var/lib/windlass/www";
/// Backups that upgrades make.
pub const BACKUPS: &str = "/var/lib/windlass/backups";
/// The command for people.
pub const COMMAND: &str = "/usr/bin/windlass";
/// Where the server listens.
pub const LISTEN: &str = "127.0.0.1:7070";

impl Layout {
    /// In this root.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// A place in it, from its absolute path.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether it is the root of this machine.
    pub fn is_here(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Whether systemd runs here: what isn't a file can be done now.
    pub fn is_booted(&self) -> bool {
        self.is_here() && Path::new("/run/systemd/system").is_dir()
    }

    /// A number of `/etc/passwd` or `/etc/group` there: a user's or a group's.
    pub fn id(&self, table: &str, name: &str) -> Option<u32> {
        let text = std::fs::read_to_string(self.at("/etc").join(table)).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split(':').nth(1)?.parse().ok()
    }
}
