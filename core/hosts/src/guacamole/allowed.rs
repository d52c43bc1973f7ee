//! Which of Guacamole's settings scripts may set. A list of what is harmless, not of what isn't: guacd runs on a machine that labs have
//! no business with, so nothing stands here that names its files and folders (drives, recordings, typescripts, SFTP), makes it listen,
//! or has it use another server than the connection's own.

/// Of connections, and of groups of connections. Never `guacd-hostname` and its like, which name another guacd.
pub(super) const CONNECTION: &[&str] = &["max-connections", "max-connections-per-user", "weight", "failover-only"];

/// Of users.
pub(super) const USER: &[&str] = &[
    "access-window-end",
    "access-window-start",
    "disabled",
    "expired",
    "guac-email-address",
    "guac-full-name",
    "guac-organization",
    "guac-organizational-role",
    "timezone",
    "valid-from",
    "valid-until",
];

/// Of groups of users.
pub(super) const USER_GROUP: &[&str] = &["disabled"];

/// Of sharing profiles: they have no attributes.
pub(super) const PROFILE: &[&str] = &[];

/// What a sharing profile may say of its session.
pub(super) const SHARED: &[&str] = &["read-only"];

/// The parameters of a protocol.
pub(super) fn of(protocol: &str) -> &'static [&'static str] {
    match protocol {
        "vnc" => VNC,
        "ssh" => SSH,
        "telnet" => TELNET,
        "rdp" => RDP,
        _ => &[],
    }
}

const VNC: &[&str] = &[
    "autoretry",
    "clipboard-encoding",
    "color-depth",
    "compress-level",
    "cursor",
    "disable-copy",
    "disable-display-resize",
    "disable-paste",
    "encodings",
    "force-lossless",
    "hostname",
    "password",
    "port",
    "quality-level",
    "read-only",
    "swap-red-blue",
    "username",
];

const SSH: &[&str] = &[
    "backspace",
    "color-scheme",
    "command",
    "disable-copy",
    "disable-paste",
    "font-name",
    "font-size",
    "host-key",
    "hostname",
    "locale",
    "passphrase",
    "password",
    "port",
    "private-key",
    "public-key",
    "read-only",
    "scrollback",
    "server-alive-interval",
    "terminal-type",
    "timeout",
    "timezone",
    "username",
];

const TELNET: &[&str] = &[
    "backspace",
    "color-scheme",
    "disable-copy",
    "disable-paste",
    "font-name",
    "font-size",
    "hostname",
    "login-failure-regex",
    "login-success-regex",
    "password",
    "password-regex",
    "port",
    "read-only",
    "scrollback",
    "terminal-type",
    "timeout",
    "username",
    "username-regex",
];

const RDP: &[&str] = &[
    "cert-fingerprints",
    "client-name",
    "color-depth",
    "console",
    "disable-audio",
    "disable-auth",
    "disable-bitmap-caching",
    "disable-copy",
    "disable-gfx",
    "disable-glyph-caching",
    "disable-offscreen-caching",
    "disable-paste",
    "domain",
    "dpi",
    "enable-desktop-composition",
    "enable-font-smoothing",
    "enable-full-window-drag",
    "enable-menu-animations",
    "enable-theming",
    "enable-touch",
    "enable-wallpaper",
    "force-lossless",
    "height",
    "hostname",
    "ignore-cert",
    "initial-program",
    "load-balance-info",
    "normalize-clipboard",
    "password",
    "port",
    "preconnection-blob",
    "preconnection-id",
    "read-only",
    "resize-method",
    "security",
    "server-layout",
    "timeout",
    "timezone",
    "username",
    "width",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_names_what_is_guacds_own() {
        let beginnings =
            ["create-", "recording-", "typescript-", "sftp-", "enable-sftp", "enable-drive", "drive-", "guacd-"];
        let ends = ["-path", "-dir", "-directory"];
        for protocol in ["vnc", "ssh", "telnet", "rdp"] {
            assert!(of(protocol).contains(&"hostname") && of(protocol).is_sorted(), "{protocol}");
            for name in of(protocol).iter().chain(CONNECTION) {
                assert!(!beginnings.iter().any(|one| name.starts_with(one)), "{protocol} {name}");
                assert!(!ends.iter().any(|one| name.ends_with(one)), "{protocol} {name}");
            }
        }
        assert!(of("kubernetes").is_empty());
    }
}
