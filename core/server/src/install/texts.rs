//! The configuration that an installation begins with, and what systemd is told of users and folders.

use super::{
    layout::{DATA, LISTEN, PLUGINS, WORKFLOWS},
    record::Record,
};

/// `windlass.toml`.
pub fn config(record: &Record) -> String {
    let text = |value: &str| toml::Value::from(value).to_string();
    let guacamole = record.guacamole.map_or_else(String::new, |_| {
        // Windlass talks to it as people do; the account is made by whoever runs Guacamole.
        format!(
            "\n# Guacamole is at {url}/html5/. To make its connections from workflows, make a user for Windlass there, then\n\
             # `windlass secrets set guacamole --to {url}`, and:\n\
             # [hosts.guacamole]\n# url = \"{url}/html5\"\n# user = \"windlass\"\n# secret = \"guacamole\"\n",
            url = record.address.url()
        )
    });
    format!(
        "\
# Windlass on this machine. `windlass config show --docs` lists every key with its meaning.
# `windlass install` leaves this file as it is once you have changed it.
data = {data}
workflows = {workflows}
plugins = {plugins}
database = {database}

[server]
listen = {listen}
public_url = {url}
# The front door on this machine. It writes X-Forwarded-For and X-Forwarded-Proto itself.
trusted_proxies = [\"127.0.0.1/32\"]

[log]
level = \"info\"
format = \"json\"
{guacamole}",
        data = text(DATA),
        workflows = text(WORKFLOWS),
        plugins = text(PLUGINS),
        database = text(&record.database_url()),
        listen = text(LISTEN),
        url = text(&record.address.url()),
    )
}

/// The service's user.
pub fn sysusers() -> String {
    "# Written by `windlass install`.\nu windlass - \"Windlass\" /var/lib/windlass /usr/sbin/nologin\n".to_owned()
}

/// Its folders. The page is everybody's; what the service keeps is its own.
pub fn tmpfiles(record: &Record) -> String {
    let user = record.user();
    format!(
        "\
# Written by `windlass install`.
d /etc/windlass 0755 root root
d /etc/windlass/secrets 0700 {user} {user}
d /var/lib/windlass 0755 root root
d /var/lib/windlass/data 0700 {user} {user}
d /var/lib/windlass/workflows 0750 {user} {user}
d /var/lib/windlass/plugins 0750 {user} {user}
d /var/lib/windlass/backups 0700 {user} {user}
d /var/lib/windlass/www 0755 root root
"
    )
}
