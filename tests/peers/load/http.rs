//! A connection that is kept, and costs as little as it can: who measures takes processor time from what is measured.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection that is kept.
pub struct Connection {
    stream: BufReader<TcpStream>,
    head: String,
    /// The answer that is being read comes in chunks.
    chunked: bool,
}

impl Connection {
    /// Connects; with a token, each request carries it.
    pub fn to(address: SocketAddr, token: Option<&str>) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = format!("Host: {address}\r\nContent-Type: application/json\r\n");
        if let Some(token) = token {
            head.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        Ok(Self { stream: BufReader::new(stream), head, chunked: false })
    }

    /// Sends a request; the whole body of a good answer.
    pub fn exchange(&mut self, method: &str, path: &str, body: &str) -> io::Result<Vec<u8>> {
        let (status, length) = self.begin(method, path, body)?;
        let mut whole = Vec::new();
        if self.chunked {
            while let Some(chunk) = self.chunk()? {
                whole.extend_from_slice(&chunk);
            }
        } else {
            whole.resize(length, 0);
            self.stream.read_exact(&mut whole)?;
        }
        match status {
            200..=299 => Ok(whole),
            _ => Err(io::Error::other(format!("{method} {path}: {status} {}", String::from_utf8_lossy(&whole)))),
        }
    }

    /// Opens a stream of events, whose chunks are read with [`Connection::chunk`].
    pub fn open(&mut self, path: &str) -> io::Result<()> {
        let (status, _) = self.begin("GET", path, "")?;
        if status == 200 && self.chunked {
            return Ok(());
        }
        Err(io::Error::other(format!("GET {path}: {status}, and no stream")))
    }

    /// The next chunk; `None`: the answer is over.
    pub fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let size = usize::from_str_radix(self.line()?.trim(), 16).map_err(io::Error::other)?;
        let mut chunk = vec![0; size + 2];
        self.stream.read_exact(&mut chunk)?;
        chunk.truncate(size);
        Ok(Some(chunk).filter(|_| size > 0))
    }

    fn begin(&mut self, method: &str, path: &str, body: &str) -> io::Result<(u16, usize)> {
        let head = &self.head;
        let request = format!("{method} {path} HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len());
        self.stream.get_mut().write_all(request.as_bytes())?;
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        let mut length = 0;
        self.chunked = false;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.trim_end().split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().map_err(io::Error::other)?,
                Some(("transfer-encoding", value)) => self.chunked = value.contains("chunked"),
                Some(_) => {}
                None => return Ok((status, length)),
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line),
        }
    }
}
