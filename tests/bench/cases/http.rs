//! Launches over HTTP, on the real server: each answer means that the run is on disk, with its entry in the audit log.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Instant,
};

use windlass_tests::ApiServer;

use super::{Case, Cx};
use crate::{
    report::{Row, Target, median},
    world::Outcome,
};

pub const CASE: Case = Case { name: "http-launch", what: "runs are launched over HTTP by 64 connections at once", run };

const NAME: &str = "http-launch";
const CONNECTIONS: usize = 64;
const SCRIPT: &str = "const WORKFLOW = #{ name: \"bench/empty\", title: \"Empty\" };\n\nfn run(input) {\n    1\n}\n";

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    let server = ApiServer::start(&[("bench/empty", SCRIPT)]);
    let each = cx.options.size(400, 2);
    let one = || Connection::to(server.address(), &server.token);
    let mut warm = one().map_err(|error| error.to_string())?;
    let mut alone_ms = Vec::new();
    for _ in 0..cx.options.size(300, 3) {
        let began = Instant::now();
        warm.launch()?;
        alone_ms.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let began = Instant::now();
    let results: Vec<Outcome<()>> = std::thread::scope(|scope| {
        let work = || {
            let mut connection = one().map_err(|error| error.to_string())?;
            (0..each).try_for_each(|_| connection.launch())
        };
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(work)).collect();
        let failed = || Err("a connection's thread panicked".to_owned());
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| failed())).collect()
    });
    let took = began.elapsed().as_secs_f64();
    results.into_iter().collect::<Outcome<Vec<()>>>()?;
    let rate = (CONNECTIONS * each) as f64 / took;
    let alone = median(&mut alone_ms);
    Ok(vec![
        cx.row(NAME, "synced launches, 64 connections", rate, "/s", Target::AtLeast(5_000.0)),
        Row::info(NAME, "one connection: median", alone, "ms"),
        Row::info(NAME, "one connection, against the disk's own sync", alone / cx.sync_ms(), "×"),
    ])
}

/// A connection that is kept, and a request that is written once: the client must cost as little as it can.
struct Connection {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
}

impl Connection {
    fn to(address: SocketAddr, token: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let body = r#"{"workflow":"bench/empty","input":{}}"#;
        let request = format!(
            "POST /api/v1/runs HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Ok(Self { stream: BufReader::new(stream), request: request.into_bytes() })
    }

    fn launch(&mut self) -> Outcome<()> {
        let status = self.ask().map_err(|error| format!("the connection broke off: {error}"))?;
        if status == 201 { Ok(()) } else { Err(format!("a launch was answered with {status}")) }
    }

    fn ask(&mut self) -> std::io::Result<u16> {
        self.stream.get_mut().write_all(&self.request)?;
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            if status == 0 {
                status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(1);
            } else if let Some(value) = text.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        std::io::copy(&mut self.stream.by_ref().take(length), &mut std::io::sink())?;
        Ok(status)
    }
}
