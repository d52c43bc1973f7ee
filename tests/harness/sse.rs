//! A small client for server-sent events: plain HTTP/1.1, one connection a stream, every frame as it came.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::fd::AsRawFd as _,
    time::{Duration, Instant},
};

/// Somebody who follows a stream.
pub struct Follower {
    stream: BufReader<TcpStream>,
    /// The answer's status.
    pub status: u16,
    /// Its headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    chunked: bool,
    /// Bytes of the chunk that are still to come.
    left: usize,
    text: Vec<u8>,
}

/// One frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Its id.
    pub id: Option<String>,
    /// Its kind; empty for comments.
    pub event: String,
    /// Its data.
    pub data: String,
    /// When to come back.
    pub retry: Option<u64>,
    /// What stands in comments.
    pub comment: Option<String>,
}

impl Follower {
    /// Opens a stream; with `last`, after that event.
    pub fn open(address: SocketAddr, path: &str, token: &str, last: Option<&str>) -> io::Result<Self> {
        Self::open_within(Duration::from_secs(60), address, path, token, last)
    }

    /// The kernel keeps no more than some of what comes for a reader who doesn't read.
    pub fn keep_little(&self) {
        let (stream, size) = (self.stream.get_ref().as_raw_fd(), 64_i32 << 10);
        let length = size_of::<i32>() as libc::socklen_t;
        // SAFETY: the descriptor is open, and SO_RCVBUF reads an integer of this size.
        let done =
            unsafe { libc::setsockopt(stream, libc::SOL_SOCKET, libc::SO_RCVBUF, (&raw const size).cast(), length) };
        assert_eq!(done, 0, "a socket's buffer has a size");
    }

    /// The same, waiting for no connection, head or bytes for longer than this.
    pub fn open_within(
        patience: Duration,
        address: SocketAddr,
        path: &str,
        token: &str,
        last: Option<&str>,
    ) -> io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        let last = last.map(|last| format!("last-event-id: {last}\r\n")).unwrap_or_default();
        stream.write_all(
            format!(
                "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\naccept: text/event-stream\r\n\
                 accept-encoding: gzip\r\n{last}\r\n"
            )
            .as_bytes(),
        )?;
        let mut follower = Self {
            stream: BufReader::with_capacity(4_096, stream),
            status: 0,
            headers: Vec::new(),
            chunked: false,
            left: 0,
            text: Vec::new(),
        };
        let status = follower.line()?;
        follower.status =
            status.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        loop {
            let line = follower.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            follower.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        follower.chunked = follower.header("transfer-encoding") == Some("chunked");
        Ok(follower)
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// How long to wait for bytes.
    pub fn patience(&self, patience: Duration) {
        let _ = self.stream.get_ref().set_read_timeout(Some(patience));
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
        }
    }

    /// The next frame; `None` when the stream has ended in order.
    pub fn next_frame(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(end) = self.text.windows(2).position(|two| two == b"\n\n") {
                let rest = self.text.split_off(end + 2);
                let frame = std::mem::replace(&mut self.text, rest);
                return Ok(Some(Frame::read(&String::from_utf8_lossy(&frame))));
            }
            if self.chunked && self.left == 0 {
                let size = self.line()?;
                self.left = usize::from_str_radix(&size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
                if self.left == 0 {
                    return Ok(None);
                }
                // The line break behind the chunk.
                self.left += 2;
            }
            let ready = self.stream.fill_buf()?;
            if ready.is_empty() {
                return if self.chunked { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(None) };
            }
            let take = if self.chunked { ready.len().min(self.left) } else { ready.len() };
            let payload = if self.chunked { take.min(self.left.saturating_sub(2)) } else { take };
            self.text.extend_from_slice(&ready[..payload]);
            self.stream.consume(take);
            self.left -= take.min(self.left);
        }
    }

    /// The next id, whether it comes with an event or alone.
    pub fn next_id(&mut self) -> String {
        loop {
            let frame = self.next_frame().expect("the stream can be read").expect("the stream goes on");
            if let Some(id) = frame.id {
                return id;
            }
        }
    }

    /// The next frame that is an event, whatever comments stand before it; comments alone aren't waited for longer than two minutes.
    pub fn next_event(&mut self) -> io::Result<Option<Frame>> {
        let began = Instant::now();
        loop {
            if began.elapsed() > Duration::from_secs(120) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match self.next_frame()? {
                Some(frame) if frame.event.is_empty() => {}
                other => return Ok(other),
            }
        }
    }

    /// Everything that is still to come, as bytes; for streams of which only the end matters.
    pub fn drain(mut self) -> io::Result<usize> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest)
    }
}

impl Frame {
    fn read(text: &str) -> Self {
        let mut frame = Self::default();
        for line in text.lines() {
            match line.split_once(": ").unwrap_or((line.trim_end_matches(':'), "")) {
                ("id", id) => frame.id = Some(id.to_owned()),
                ("event", event) => frame.event = event.to_owned(),
                ("data", data) => frame.data.push_str(data),
                ("retry", retry) => frame.retry = retry.parse().ok(),
                ("", comment) if line.starts_with(':') => frame.comment = Some(comment.to_owned()),
                _ => {}
            }
        }
        frame
    }

    /// Its id as a number.
    pub fn number(&self) -> Option<i64> {
        self.id.as_deref()?.parse().ok()
    }
}
