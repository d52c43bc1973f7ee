//! Several real servers on one PostgreSQL: hints, a pooler, restarts and fail-over of the database, nodes that die or drain.

mod children;
mod deaths;
mod drains;
mod hints;
mod load;
mod outages;
mod pooler;
mod turns;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
};

use parking_lot::Mutex;
use windlass_tests::{nodes::Nodes, servers::Server, skip};

/// A server of its own, or a loud skip.
fn server() -> Option<Server> {
    let server = Server::start();
    if server.is_none() {
        skip("no PostgreSQL is installed under /usr/lib/postgresql");
    }
    server
}

/// A workflow of this name, which may ask this server.
fn workflow(name: &str, server: Option<SocketAddr>, header: &str, body: &str) -> (&'static str, String) {
    let grants = server.map(|at| ["get", "post"].map(|verb| format!("\"http.{verb}:http://{at}/*\"")).join(", "));
    let grants = grants.unwrap_or_else(|| "\"run.launch:nodes/quick\"".to_owned());
    let source = format!(
        "const WORKFLOW = #{{\n    name: \"{name}\",\n    title: \"A test of nodes\",\n    permissions: [{grants}],\n    \
         {header}\n}};\n\n{body}\n"
    );
    (String::leak(name.to_owned()), source)
}

/// Which nodes took a run up, in order.
fn started_on(nodes: &Nodes, node: usize, run: &str) -> Vec<String> {
    let events = nodes.good(node, "GET", &format!("runs/{run}/history?limit=200"), None);
    let events = events["items"].as_array().cloned().unwrap_or_default();
    let started = events.iter().filter(|event| event["kind"] == "run.started");
    started.map(|event| event["data"]["node"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A web server that lets whoever asks wait.
struct Gate {
    address: SocketAddr,
    waiting: Arc<Mutex<(bool, Vec<TcpStream>)>>,
}

impl Gate {
    fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (address, waiting) = (listener.local_addr().unwrap(), Arc::new(Mutex::new((false, Vec::new()))));
        let gate = Self { address, waiting };
        let waiting = gate.waiting.clone();
        // It ends with the process.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request);
                let mut waiting = waiting.lock();
                match waiting.0 {
                    true => answer(stream),
                    false => waiting.1.push(stream),
                }
            }
        });
        gate
    }

    /// How many wait.
    fn count(&self) -> usize {
        self.waiting.lock().1.len()
    }

    /// Nobody waits from now on.
    fn open(&self) {
        let mut waiting = self.waiting.lock();
        waiting.0 = true;
        waiting.1.drain(..).for_each(answer);
    }

    /// A workflow with a step that waits at the gate, and so many that don't afterwards.
    fn workflow(&self, name: &str) -> (&'static str, String) {
        let body = format!(
            "fn run(input) {{\n    http::get(\"http://{}/\" + input.name, #{{ timeout: \"60s\" }});\n    uuid()\n}}",
            self.address
        );
        workflow(name, Some(self.address), "", &body)
    }
}

fn answer(mut stream: TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
}
