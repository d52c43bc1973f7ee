//! Several nodes on one PostgreSQL: what they do together, and what kept them from doing more.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use windlass_tests::{Process, free_port, postgres, wait_until, windlass_binary};

use super::{Case, Cx};
use crate::{
    client::Connection,
    machine,
    report::{Row, Target},
    world::{Outcome, words},
};

pub const CASE: Case =
    Case { name: "nodes", what: "1, 2 and 4 nodes on one PostgreSQL: synced steps of 64 runs each", run };

const NAME: &str = "nodes";
const RUNS: usize = 64;
/// Each `now()` is a step with a commit. There are more than a measurement takes.
const SCRIPT: &str = "const WORKFLOW = #{ name: \"bench/steps\", title: \"Steps\" };\n\n\
                      fn run(input) {\n    for n in 0..90000 {\n        now();\n    }\n}\n";

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    // Nodes and database are machines of their own: they get all cores.
    machine::with_cores(cx.others, || measure(cx))
}

fn measure(cx: &Cx) -> Outcome<Vec<Row>> {
    let folder = cx.folder.join(NAME);
    let workflow = folder.join("workflows/bench/steps.rhai");
    fs::create_dir_all(workflow.parent().unwrap_or(&folder)).map_err(words)?;
    fs::write(workflow, SCRIPT).map_err(words)?;
    let (mut rows, mut one) = (Vec::new(), 0.0);
    let counts: &[usize] = if cx.options.smoke { &[1, 2] } else { &[1, 2, 4] };
    for &count in counts {
        let Some(url) = postgres::database() else {
            return Ok(vec![Row::skipped(NAME, "no PostgreSQL is installed under /usr/lib/postgresql")]);
        };
        let mut cluster = Cluster::start(&folder.join(format!("{count}")), &url, count)?;
        cluster.launch(if cx.options.smoke { 4 } else { RUNS })?;
        let sync_ms = cx.sync_ms();
        std::thread::sleep(Duration::from_millis(cx.options.size(2_000, 200) as u64));
        let before = cluster.look()?;
        std::thread::sleep(Duration::from_millis(if cx.options.smoke { 500 } else { cx.options.seconds * 1_000 }));
        let after = cluster.look()?;
        drop(cluster);
        let seconds = (after.at - before.at).as_secs_f64();
        let each = |of: fn(&Seen) -> f64| (of(&after) - of(&before)) / seconds;
        let (steps, commits) = (each(|seen| seen.rows), each(|seen| seen.commits));
        let (database, nodes, all) = (each(|seen| seen.database_s), each(|seen| seen.nodes_s), each(|seen| seen.all_s));
        let wal = each(|seen| seen.wal_bytes) / steps;
        let syncs = each(|seen| seen.syncs);
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let bound = if all > 0.85 * cores {
            "the processors"
        } else if syncs * sync_ms > 850.0 {
            "the disk's syncs"
        } else {
            "each node's one writer, which waits for its answers"
        };
        if count == 1 {
            one = steps;
        }
        let what = format!("{count} × {RUNS} runs: steps; bound by {bound}");
        rows.push(Row::info(NAME, what, steps, "/s"));
        rows.push(Row::info(NAME, format!("{count}: commits"), commits, "/s"));
        rows.push(Row::info(
            NAME,
            format!("{count}: syncs of the log (the disk alone: {sync_ms:.2} ms each)"),
            syncs,
            "/s",
        ));
        rows.push(Row::info(NAME, format!("{count}: log of the database, for each step"), wal, "bytes"));
        let of = format!("of {cores}, all programs: {all:.2}");
        rows.push(Row::info(NAME, format!("{count}: processors of PostgreSQL, {of}"), database, ""));
        rows.push(Row::info(NAME, format!("{count}: processors of all nodes"), nodes, ""));
        if count == 4 {
            rows.push(cx.row(NAME, "4 nodes against one", steps / one, "×", Target::AtLeast(1.5)));
        }
    }
    let _ = fs::remove_dir_all(&folder);
    Ok(rows)
}

/// What was done so far.
struct Seen {
    at: Instant,
    rows: f64,
    commits: f64,
    syncs: f64,
    wal_bytes: f64,
    /// Processor time.
    database_s: f64,
    nodes_s: f64,
    all_s: f64,
}

struct Cluster {
    url: String,
    nodes: Vec<(SocketAddr, Process)>,
    token: String,
}

impl Cluster {
    fn start(folder: &Path, url: &str, count: usize) -> Outcome<Self> {
        let places: Vec<(PathBuf, SocketAddr)> = (0..count)
            .map(|node| (folder.join(format!("node{node}")), SocketAddr::from(([127, 0, 0, 1], free_port()))))
            .collect();
        for (place, address) in &places {
            fs::create_dir_all(place).map_err(words)?;
            let settings = json!({
                "data": place.join("data"),
                "workflows": folder.parent().unwrap_or(folder).join("workflows"),
                "database": url,
                "server": { "listen": address.to_string(), "grace_ms": 100 },
                "engine": { "workers": RUNS },
            });
            fs::write(place.join("windlass.toml"), toml::to_string(&settings).map_err(words)?).map_err(words)?;
        }
        let first = &places.first().ok_or("no nodes")?.0;
        let ask = |arguments: &[&str]| -> Outcome<String> {
            let output = windlass(first).args(arguments).output().map_err(words)?;
            match output.status.success() {
                true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
                false => Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr))),
            }
        };
        ask(&["migrate"])?;
        ask(&["users", "create", "bench"])?;
        ask(&["users", "grant", "bench", "admin@*"])?;
        let issued: Value =
            serde_json::from_str(&ask(&["--json", "tokens", "issue", "--user", "bench", "bench"])?).map_err(words)?;
        let mut nodes = Vec::new();
        for (number, (place, address)) in places.iter().enumerate() {
            let key = place.join("data/secrets.key");
            if number > 0 && first.join("data/secrets.key").exists() {
                fs::create_dir_all(place.join("data")).map_err(words)?;
                fs::copy(first.join("data/secrets.key"), key).map_err(words)?;
            }
            let mut command = windlass(place);
            command.arg("serve").env("WINDLASS_INSTANCE_ID", format!("00000000-0000-4000-8000-{number:012}"));
            command.env("WINDLASS_INSTANCE_ID_OVERRIDE_OK", "1");
            nodes.push((*address, Process::start(&mut command).map_err(words)?));
        }
        for (address, process) in &nodes {
            let listens = || std::net::TcpStream::connect(address).is_ok();
            wait_until(&format!("node {address}: {}", process.output()), Duration::from_secs(60), listens);
        }
        let token = issued["token"].as_str().unwrap_or_default().to_owned();
        Ok(Self { url: url.to_owned(), nodes, token })
    }

    /// So many runs on each node.
    fn launch(&mut self, runs: usize) -> Outcome<()> {
        for (address, _) in &self.nodes {
            let mut node = Connection::to(*address, &self.token)?;
            for _ in 0..runs {
                node.launch("bench/steps")?;
            }
        }
        Ok(())
    }

    fn look(&mut self) -> Outcome<Seen> {
        // Backends tell what they count once a second: measured over a few seconds, commits and syncs are a little off.
        let text = postgres::sql(
            &self.url,
            "SELECT (SELECT last_value FROM pg_sequences WHERE sequencename = 'log_id_seq'), \
             (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()), \
             wal_sync, pg_current_wal_lsn() - '0/0', current_setting('data_directory') FROM pg_stat_wal",
        );
        let words: Vec<&str> = text.split('|').collect();
        let number = |index: usize| words.get(index).and_then(|word| word.parse().ok()).unwrap_or(f64::NAN);
        let running = |(address, process): &mut (SocketAddr, Process)| match process.is_running() {
            true => Ok(machine::processor_s(process.id())),
            false => Err(format!("node {address} has ended: {}", process.output())),
        };
        let nodes_s = self.nodes.iter_mut().map(running).sum::<Outcome<f64>>()?;
        let pid = fs::read_to_string(Path::new(words.last().unwrap_or(&"")).join("postmaster.pid"));
        let pid = pid.ok().and_then(|text| text.lines().next()?.trim().parse().ok()).ok_or("PostgreSQL has no pid")?;
        Ok(Seen {
            at: Instant::now(),
            rows: number(0),
            commits: number(1),
            syncs: number(2),
            wal_bytes: number(3),
            database_s: machine::processor_s_with_children(pid),
            nodes_s,
            all_s: machine::all_s(),
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.nodes.iter_mut().for_each(|(_, process)| process.kill());
    }
}

/// The binary, in a folder, without variables of whoever measures.
fn windlass(folder: &Path) -> Command {
    let mut command = Command::new(windlass_binary());
    command.current_dir(folder);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WINDLASS_")) {
        command.env_remove(name);
    }
    command
}
