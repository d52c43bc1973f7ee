//! Every key with its meaning. A test compares this list with the settings: none is missing, none is left over.

/// A key and its meaning.
pub struct Key {
    /// Where it stands: `engine.workers`.
    pub path: &'static str,
    /// What it means, with units.
    pub doc: &'static str,
}

const fn key(path: &'static str, doc: &'static str) -> Key {
    Key { path, doc }
}

/// The keys, in the order of the settings.
pub const KEYS: &[Key] = &[
    key(
        "data",
        "Folder of the database, the keys and the lock; made with mode 0700. A relative path starts at the project: \
         the folder of windlass.toml, else the nearest one above that has a `workflows` folder.",
    ),
    key("workflows", "Folder of workflow scripts, `<area>/<name>.rhai`. Relative as `data` is."),
    key("plugins", "Folder of plugins, `<kind>/<name>`. Relative as `data` is; it needn't be there."),
    key(
        "workflow_review",
        "Whether the file of a workflow or plugin that asks for more than the version in use waits for an admin. What somebody \
         who isn't one saves at a server does so in any case.",
    ),
    key("database", "URL of the database: `sqlite:/path` or `postgres://…`. Empty: an SQLite file in the data folder."),
    key("log.level", "What is logged to standard error: error, warn, info, debug, trace, or `module=level,…`."),
    key("log.format", "`text`, or `json` for one JSON object a line."),
    key(
        "telemetry.otlp",
        "Address of an OpenTelemetry collector that takes OTLP over HTTP: `http://127.0.0.1:4318`. Requests, runs and steps \
         are sent there as traces. Empty: none are.",
    ),
    key("engine.workers", "Runs that are evaluated at once, 1 to 100000."),
    key("engine.lease_ms", "How long a claim on a run holds without renewal, in milliseconds (PostgreSQL only)."),
    key("engine.poll_ms", "How often to look for what other processes have written, in milliseconds."),
    key("engine.retention", "How long ended runs are kept whose workflow doesn't say: `90d`."),
    key("engine.stack_bytes", "Stack of a script thread, in bytes; only what is used takes memory."),
    key("server.listen", "Address and port that the server listens on; port 0: a free one."),
    key(
        "server.public_url",
        "The address that people reach the server at: `https://windlass.example.net`. Cookies are for it alone, and other \
         sites' requests are told apart by it. Empty: the address it listens on.",
    ),
    key(
        "server.tls_cert",
        "PEM file with the certificate and its chain. With `server.tls_key`, the server speaks TLS.",
    ),
    key("server.tls_key", "PEM file with the certificate's key."),
    key(
        "server.trusted_proxies",
        "Networks (CIDR) of proxies whose word about the other end is believed. Each has to write the headers itself.",
    ),
    key(
        "server.forwarded_header",
        "The headers with that word: `x-forwarded-for` (and `X-Forwarded-Proto`), or `forwarded` (RFC 7239). The other kind \
         isn't read, as a client may have written it.",
    ),
    key(
        "server.proxy_protocol",
        "Whether those proxies begin each connection with the PROXY protocol, version 1 or 2.",
    ),
    key(
        "server.metrics_from",
        "Networks (CIDR) that may read `/metrics` without a token. What a proxy passes on counts as its client's if the \
         proxy is trusted; empty the list where one is on the same machine that isn't.",
    ),
    key("server.connections", "Connections at once; more wait to be accepted."),
    key(
        "server.concurrency",
        "Requests that are worked on at once; more wait for `server.request_timeout_ms` at most.",
    ),
    key("server.head_bytes", "Size of a request's head, in bytes."),
    key(
        "server.body_bytes",
        "Size of a request's body, in bytes. Log-ins have 16 KiB, deliveries to webhooks 1 MiB at most.",
    ),
    key(
        "server.bodies_bytes",
        "Size of all requests' bodies that are in memory at once, in bytes; a quarter is for callers who aren't known yet.",
    ),
    key(
        "server.head_timeout_ms",
        "How long a request's head may take, and how long a connection may be idle, in milliseconds.",
    ),
    key("server.request_timeout_ms", "How long a request may take, in milliseconds; streams of events may go on."),
    key("server.grace_ms", "How long requests and steps get to end when the server stops, in milliseconds."),
    key("server.streams", "Streams of events at once; more get 503."),
    key("server.streams_each", "Streams of events at once of one user, tokens included; more get 429."),
    key(
        "server.heartbeat_ms",
        "After how much silence a stream of events shows by a comment that it lives, in milliseconds.",
    ),
    key(
        "server.recheck_ms",
        "After how long it is looked at again whether whoever follows a stream still may, in milliseconds.",
    ),
    key(
        "server.stall_ms",
        "After how long a connection is dropped whose other end takes nothing, in milliseconds. Who follows can resume.",
    ),
    key("auth.session_idle", "After how long a session ends that nobody uses: `12h`."),
    key(
        "labs.discovery_every",
        "How often everything in the labs of this machine is looked at for what somebody else did to it, `5s` to `300s`. What the \
         kernel tells meanwhile is looked at at once. A server that gets SIGHUP takes it anew, without a restart.",
    ),
    key("auth.session_max", "After how long a session ends in any case: `7d`."),
    key(
        "auth.oidc",
        "OpenID providers that people log in with: `name = { issuer, client_id, client_secret = \"env:NAME\" or \
         \"file:/path\", email_domains = [], organisation, roles_claim, roles = { value = [\"operator@acme/lab\"] } }`; \
         the role `*` is everybody's.",
    ),
    key(
        "labs.shell",
        "The program of a shell in a namespace, with its arguments. It sees the machine's files read-only, as `labs.shell_user`, and \
         the node's network as that one's administrator. Empty: there are no such shells.",
    ),
    key(
        "labs.shell_user",
        "The user of this machine that shells in namespaces run as; not root. Empty: the one that programs of the lab's organisation run \
         as (`hosts.exec.uid_first`).",
    ),
    key("labs.record", "Whether every terminal of a lab's node is recorded: what it shows, not what is typed."),
    key("labs.record_bytes", "Size of one recording, in bytes; then it ends."),
    key("labs.record_length", "How long one recording may be: `8h`."),
    key("labs.recordings_bytes", "Size of all recordings, in bytes; the oldest go first."),
    key("labs.consoles", "People at consoles of labs' nodes at once; more get 503."),
    key("labs.consoles_each", "Consoles that one user may have open, tokens included; more get 429."),
    key("labs.consoles_node", "People at the consoles of one node at once; more get 429."),
    key("labs.console_idle", "After how long a console is closed in which nothing is shown or typed: `1h`."),
    key(
        "retention.artifacts",
        "How long artifacts of runs are kept that have ended: `30d`. Empty: as long as their runs (`engine.retention`).",
    ),
    key(
        "retention.artifacts_bytes",
        "Size of all artifacts of runs that have ended, in bytes; the oldest go first. 0: there is no limit.",
    ),
    key("retention.recordings", "How long recordings of consoles are kept: `30d`. Empty: until there is no room."),
    key("retention.notifications", "How long it is kept what has become of a notification: `30d`."),
    key("retention.every", "How often to look for what isn't kept any more: `1h`."),
    key("retention.batch", "Runs, artifacts and documents that go in one commit: 1 to 1000."),
    key("retention.pause_ms", "Milliseconds between two such commits, in which others have their turn."),
    key(
        "vouchers.each_per_minute",
        "How often in a minute one address may look at codes, or redeem them; more get 429. Of IPv6 a network of 64 bits counts as one.",
    ),
    key(
        "vouchers.all_per_minute",
        "How many unknown codes all addresses together may send in a minute; then those that have sent one get 429, and others are heard.",
    ),
    key(
        "vouchers.issue_limit",
        "What the vouchers that an issuer issues within 24 hours without an approval may be worth together, in the currency's smallest \
         unit. An admin of the platform may issue more.",
    ),
    key(
        "vouchers.offer",
        "What whoever redeems a voucher gets besides credit, organisation and environment: inputs of `franchise/redeem` by their names (`zone`, \
         `address`, `app`, `image`, `command`, `port` …). Customers can't choose them.",
    ),
    key("bounds.input_bytes", "Size of a run's input, in bytes."),
    key("bounds.step_bytes", "Size of one step's arguments or result, in bytes."),
    key("bounds.steps_per_run", "Steps in one journal."),
    key(
        "bounds.journal_bytes",
        "Arguments and results of all steps in one journal, in bytes: all of it is read when a run is taken up. A run is undone \
         whatever its journal has.",
    ),
    key("bounds.undo_steps", "Steps of one undo, such as a closure given to `on_rollback`."),
    key("bounds.undo_ms", "How long one undo may take before the run is held as `rollback_stuck`, in milliseconds."),
    key("bounds.output_bytes", "What a run may print and log in all, in bytes."),
    key("bounds.script_operations", "Script operations between two steps."),
    key("bounds.script_string_bytes", "Length of one string in a script, in bytes."),
    key("bounds.script_array_items", "Elements of one array in a script."),
    key("bounds.script_map_items", "Entries of one map in a script."),
    key("bounds.script_call_levels", "Nested function calls in a script."),
    key(
        "bounds.script_memory_bytes",
        "What the script of one run may hold on the heap, all of its branches together, in bytes; all runs of the process hold at most 16 times that.",
    ),
    key("bounds.script_cpu_ms", "How long a script may compute between two steps, in milliseconds."),
    key("bounds.source_bytes", "Size of one script file, in bytes."),
    key("bounds.branches", "Branches of one `parallel` or `race`."),
    key("bounds.kv_keys", "Keys that the scripts of one organisation keep with `kv_set`."),
    key("bounds.recoveries", "Times that a run may take its process down before it is parked."),
    key(
        "policy",
        "What workflows may declare at most: a pattern of workflow names, and grants. `[policy]` in a file replaces the \
         built-in policy as a whole.",
    ),
    key(
        "secrets",
        "Secrets that are kept elsewhere: `name = { from = \"env:NAME\" or \"file:/path\", to = [destinations] }`.",
    ),
    key(
        "hosts.dns.servers",
        "Authoritative name servers that scripts and pools write to: `name = { url, api_key = \"file:/path\" or \"env:NAME\", zones = [], \
         organisations = [], nameservers = [], owner = \"windlass\", serialise = \"server\" or \"zone\", axfr, server_id, plain_http, timeout_ms, kind = \"powerdns\" }`; \
         runs of `organisations` make zones there (none: only the platform's; `*`: all); `core/hosts/src/dns/README.md` says what each is for.",
    ),
    key(
        "hosts.dns.resolvers",
        "Recursive servers that `dns::check` asks for addresses and parents: `192.0.2.53:53`. None: those of /etc/resolv.conf.",
    ),
    key(
        "hosts.dns.addresses",
        "Where `dns::check` reaches name servers that it couldn't find, or shouldn't look for: `name = \"10.0.0.5:53\"`.",
    ),
    key(
        "hosts.dns.private_addresses",
        "Addresses and ranges that aren't public and that `dns::check` may ask all the same, where a record names them: `10.0.0.0/8`.",
    ),
    key(
        "hosts.pool.domains",
        "Domains that names are given out under: `\"omani.works\" = { server, nameservers = [], organisations = [] }`; `server` is one of \
         `hosts.dns.servers`; names are given to `organisations` (none: to all).",
    ),
    key(
        "hosts.pool.reservation_s",
        "Seconds that a reservation holds without its run; while that is open, it holds on.",
    ),
    key(
        "hosts.pool.rest_s",
        "Seconds that a released name rests before it is free: as long as others may remember its keys.",
    ),
    key("hosts.pool.sweep_s", "Seconds between two looks for reservations that have run out."),
    key(
        "hosts.pool.reservations",
        "Names that an organisation may have reserved at a time, without having them given out; the platform has no such limit.",
    ),
    key("hosts.pool.reserved_s", "Seconds after which a name that nobody commits isn't renewed any more by its token."),
    key("hosts.pool.reserved", "Labels that nobody gets, beside the usual ones: `gitlab`."),
    key(
        "hosts.docker.socket",
        "The socket of the Docker daemon (20.10 or newer) that nodes of labs run on as containers. Windlass must be on the same machine.",
    ),
    key(
        "hosts.docker.images",
        "Images that nodes may run, with `*`: `frr:*`. A workflow needs a grant besides, such as `docker.run:image=frr:*`.",
    ),
    key(
        "hosts.docker.pause_image",
        "The image of the containers that hold nodes' network namespaces. The default is made on this machine where it is missing; no \
         script may name it. Name another one by its digest.",
    ),
    key(
        "hosts.docker.capabilities",
        "Capabilities that nodes of the platform and of `trusted` organisations may be given. None is harmless: with `NET_ADMIN` a node \
         may reach the machine's own network; `SYS_ADMIN`, which some routers ask for, comes near to giving it the machine.",
    ),
    key(
        "hosts.docker.trusted",
        "Organisations beside the platform whose nodes may have `capabilities` beyond Docker's own, `ports`, `management` and `mounts`: \
         `[\"acme\"]`; `*` is all. None are by default; nodes of the others go without `NET_RAW`, too. With Docker or \
         without it, `NET_ADMIN` and `NET_RAW` in namespaces of labs are for programs and shells of the platform and of these alone.",
    ),
    key(
        "hosts.docker.folders",
        "Absolute paths of folders whose archives may be loaded and imported as images. None are by default.",
    ),
    key(
        "hosts.docker.mounts",
        "Folders of this machine that nodes may be given, a lab its own part (`ORGANISATION/LAB` in it): `name = \"/folder\"` to read, \
         `name = { path = \"/folder\", writable = true }` to \
         write, too. None are by default.",
    ),
    key(
        "hosts.docker.ports",
        "The ports of this machine that nodes may publish theirs at: `first-last`, none below 1024.",
    ),
    key("hosts.docker.publish_at", "The address of this machine that nodes' ports are published at."),
    key("hosts.docker.limits.cpus", "Processors of a node that doesn't say."),
    key("hosts.docker.limits.cpus_max", "Most processors of one node."),
    key("hosts.docker.limits.memory_mb", "Memory of a node that doesn't say, in MiB."),
    key("hosts.docker.limits.memory_mb_max", "Most memory of one node, in MiB."),
    key("hosts.docker.limits.pids", "Processes of a node that doesn't say."),
    key("hosts.docker.limits.pids_max", "Most processes of one node."),
    key("hosts.docker.limits.nodes", "Most nodes of one lab that are containers."),
    key(
        "hosts.exec.programs",
        "Programs that workflows may be granted. A bare name (`ping`) is looked for in /usr/sbin, /usr/bin, /sbin and /bin; \
         an absolute path (`/opt/tools/bin/deploy`) is known to scripts by its last part. None are by default.",
    ),
    key(
        "hosts.exec.folders",
        "Absolute paths of folders that programs may be started in (`cwd`). Without `cwd` a program starts in `/`.",
    ),
    key("hosts.exec.env", "Names of environment variables that scripts may set for programs: `TZ`."),
    key(
        "hosts.exec.uid_first",
        "The first id of the users that programs in namespaces of labs run as: each organisation has one of its own, without an entry in \
         /etc/passwd. At least 65536.",
    ),
    key(
        "hosts.exec.uid_count",
        "How many such ids there are; no two organisations have names that lead to one of them. 0: all share the user `nobody`, and its 512 \
         processes.",
    ),
    key(
        "hosts.file.folders",
        "Absolute paths of folders in which workflows may be granted to read and write. None are by default.",
    ),
    key(
        "hosts.file.backup_days",
        "How many days backups of changed files are kept: for so long a run can be undone after its launch.",
    ),
    key(
        "hosts.guacamole.url",
        "Where Apache Guacamole's web application is, as people open it: `https://consoles.example.net/guacamole`. Empty: there is none.",
    ),
    key("hosts.guacamole.user", "Who logs in there: an administrator of Windlass' own, without a second factor."),
    key(
        "hosts.guacamole.secret",
        "Name of the secret that is the password; its policy has to allow the web application's address.",
    ),
    key(
        "hosts.guacamole.datasource",
        "The database that it keeps connections in: `postgresql`, `mysql` or `sqlserver`.",
    ),
    key(
        "hosts.guacamole.guacd",
        "`host:port` of guacd, for consoles that don't go through the web application. Empty: there is none.",
    ),
    key(
        "hosts.guacamole.console_address",
        "Address of this machine at which guacd finds the consoles that it shows; guacd's own connections only are let in.",
    ),
    key(
        "hosts.guacamole.organisations",
        "Organisations whose runs may use it; `*`: all of them. The platform's always may.",
    ),
    key(
        "hosts.hetzner.base_url",
        "Where the API of Hetzner Cloud is; a simulator's address is all that has to be changed to talk to a simulator.",
    ),
    key("hosts.hetzner.poll_ms", "Milliseconds between two questions about actions that run."),
    key(
        "hosts.hetzner.projects",
        "Projects by the name that scripts and grants use: `acme = { secret = \"hetzner-acme\", organisations = [] }`; the secret holds the token; \
         runs of `organisations` may use it (none: only the platform's; `*`: all).",
    ),
    key(
        "hosts.http.allow_addresses",
        "Addresses and networks (`10.0.0.5`, `10.20.0.0/16`, `fd12::/48`) inside the house that requests may go to. Loopback, \
         private, link-local and otherwise special addresses are refused unless they are in here, or a grant names the \
         address itself.",
    ),
    key("hosts.http.ca_file", "PEM file with certificate authorities to trust beside those of the machine."),
    key(
        "hosts.http.unacknowledged_ms",
        "After how many milliseconds a request is given up that the other end doesn't acknowledge. 0: with PostgreSQL a sixth of \
         `engine.lease_ms` (and the same for connecting), so that it doesn't arrive after another node has taken the run over; \
         else 30 s.",
    ),
    key(
        "hosts.lab.quotas",
        "What organisations' labs may come to together: `acme = { labs = 5, nodes = 100, cpus = 16, memory_mb = 32768 }`; `*` is for those \
         that aren't named, and never for the platform.",
    ),
    key(
        "hosts.qemu.program",
        "The emulator of virtual machines: a name that is looked for in the system's folders, or an absolute path; `qemu-img` is beside it.",
    ),
    key("hosts.qemu.folder", "Absolute path of the folder that machines are kept in: their disks, sockets and logs."),
    key(
        "hosts.qemu.images",
        "Absolute paths of folders with images, kernels and initial ramdisks of machines. They are read only.",
    ),
    key("hosts.qemu.user", "Whom QEMU runs as: an unprivileged user of this machine. Empty: as Windlass does."),
    key("hosts.qemu.accelerator", "How guests are run: `auto` (KVM where it works), `kvm` or `tcg` (emulated)."),
    key("hosts.qemu.max_cpus", "Processors of a machine, at most."),
    key("hosts.qemu.max_memory_mb", "Memory of a machine in MiB, at most."),
    key("hosts.qemu.max_disk_gb", "Size of a machine's disk in GiB, at most."),
    key("hosts.qemu.max_machines", "Machines of all labs together, at most."),
    key(
        "hosts.qemu.serial_bytes",
        "Bytes that are kept of what a machine says on its serial line; half of it stays when it is cut.",
    ),
    key(
        "hosts.net.captures",
        "The absolute path of the folder that `net::capture` keeps its files in, one folder a lab. Empty: it can't.",
    ),
    key(
        "hosts.net.devices",
        "Devices of this machine that labs may put into their bridges and have interfaces on: `[\"eth1\"]`. None by default.",
    ),
    key(
        "hosts.net.vxlan_remotes",
        "Networks (CIDR) of machines that VXLANs of labs may reach: `[\"192.0.2.0/24\"]`. None by default.",
    ),
    key(
        "hosts.net.vxlan_ports",
        "UDP ports that VXLANs of labs may use; this machine listens to them. Only 4789 by default.",
    ),
    key(
        "hosts.net.addresses",
        "Networks (CIDR) of which labs may give this machine itself addresses, on bridges and on ends of links: by default the private \
         ones, `[\"10.0.0.0/8\", \"172.16.0.0/12\", \"192.168.0.0/16\", \"100.64.0.0/10\", \"fd00::/8\"]`.",
    ),
    key("hosts.notify.email.host", "The mail server that `notify::email` hands messages to. Empty: no mail is sent."),
    key("hosts.notify.email.port", "Its port; 0: 587, or 465 with `tls = \"tls\"`, or 25 with `tls = \"none\"`."),
    key(
        "hosts.notify.email.tls",
        "How the connection is protected: `starttls`, `tls` (from the beginning), or `none` (only to this machine itself).",
    ),
    key("hosts.notify.email.ca_file", "PEM file with certificate authorities to trust beside those of the machine."),
    key("hosts.notify.email.user", "Who logs in at the mail server. Empty: nobody."),
    key(
        "hosts.notify.email.password",
        "Where the password is: `file:/etc/windlass/mail.password` or `env:MAIL_PASSWORD`. Read at every use.",
    ),
    key(
        "hosts.notify.email.secret",
        "Or the name of the secret that is the password; its policy has to allow `smtp://host:port`.",
    ),
    key("hosts.notify.email.from", "Who writes: `Windlass <windlass@acme.test>`."),
    key("hosts.notify.email.reply_to", "Who gets the answers, if somebody else."),
    key("hosts.notify.email.recipients", "Most recipients of one message; at most 100."),
    key("hosts.notify.email.bytes", "Most bytes of one message, text and HTML together; at most 1 MiB."),
    key("hosts.notify.email.per_minute", "Most messages in a minute, of all runs of this process together."),
    key("hosts.notify.email.timeout_ms", "Milliseconds for one message, all attempts together; at most 10,000."),
    key(
        "hosts.notify.targets",
        "Named targets of messages: `ops = { way = \"slack\", url = \"file:/path\" or \"env:NAME\", secret, to = [], organisations = [], \
         private = false }`; `way` is `email`, `ntfy`, `discord`, `slack`, `mattermost` or `webhook`; `organisations` may use it beside the \
         platform (`*`: all); `private` ones may be inside the house, and be spoken with readably.",
    ),
    key(
        "hosts.registrar.endpoints",
        "Where requests of registrars' plugins really go, by host: `\"api.namecheap.com\" = \"http://127.0.0.1:7301\"`. For \
         simulators; what is checked and signed stays as it was.",
    ),
];

/// Tables whose keys are the user's own: they are set as a whole.
pub const OPEN: &[&str] = &[
    "auth.oidc",
    "hosts.dns.addresses",
    "hosts.dns.servers",
    "hosts.docker.mounts",
    "hosts.hetzner.projects",
    "hosts.lab.quotas",
    "hosts.notify.targets",
    "hosts.pool.domains",
    "hosts.registrar.endpoints",
    "policy",
    "secrets",
    "vouchers.offer",
];

/// The meaning of a key.
pub fn doc(path: &str) -> Option<&'static str> {
    KEYS.iter().find(|key| key.path == path).map(|key| key.doc)
}
