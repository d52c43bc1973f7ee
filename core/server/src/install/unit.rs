//! The service's systemd unit, and what it may do: nothing but its own, or what labs take.

use super::{
    layout::{CONFIG, NAME, RELEASES, STATE},
    record::Record,
};

/// What labs take of root's rights: namespaces and interfaces, jails for programs in them, devices and files of machines, to hear of
/// changes in all networks (CAP_NET_BROADCAST), and to end what was started. Neither modules, nor raw memory, nor the clock.
const LAB_CAPABILITIES: [&str; 15] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_ADMIN",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_ADMIN",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
];

/// Without labs: a user without rights, who sees the machine read-only and its own folder.
const PLAIN: &str = "\
KillMode=mixed
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ReadWritePaths={STATE}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
ProtectProc=invisible
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources @mount
SystemCallErrorNumber=EPERM
";

/// With labs: nothing that gives the service a mount namespace of its own. Named network namespaces are mounts, which have to be there
/// for `ip netns` and for the next start; and machines that run go on while the service is started anew.
const LABS: &str = "\
KillMode=process
CapabilityBoundingSet={CAPABILITIES}
RestrictNamespaces=net mnt pid ipc uts
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET
SystemCallFilter=~@reboot @swap @module @raw-io @clock @cpu-emulation @obsolete @keyring
SystemCallErrorNumber=EPERM
DevicePolicy=closed
DeviceAllow=/dev/net/tun rw
DeviceAllow=/dev/kvm rw
DeviceAllow=/dev/vhost-net rw
DeviceAllow=char-pts rw
";

/// The unit.
pub fn unit(record: &Record) -> String {
    let user = record.user();
    let after = if record.is_database_here() { " postgresql.service" } else { "" };
    let rights = if record.labs { LABS } else { PLAIN };
    let rights = rights.replace("{STATE}", STATE).replace("{CAPABILITIES}", &LAB_CAPABILITIES.join(" "));
    format!(
        "\
# Written by `windlass install`. Changes of your own belong into a drop-in: systemctl edit {NAME}
[Unit]
Description=Windlass: runs infrastructure procedures durably
After=network-online.target{after}
Wants=network-online.target
StartLimitIntervalSec=300
StartLimitBurst=20

[Service]
Type=exec
User={user}
Group={user}
ExecStart={RELEASES}/current/windlass --config {CONFIG} serve
WorkingDirectory={STATE}
Restart=on-failure
RestartSec=3
TimeoutStopSec=30
UMask=0077
LimitNOFILE=65536
LimitCORE=0
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
SystemCallArchitectures=native
{rights}
[Install]
WantedBy=multi-user.target
"
    )
}
