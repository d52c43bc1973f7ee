//! What is sent is looked at once more when the connection is there.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// A body that isn't sent by a process that lost the run while it connected. The head of the request waits for it.
pub(crate) struct Held {
    data: Option<Bytes>,
    holds: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Held {
    /// These bytes, sent if `holds` says so when the connection is there.
    pub(crate) fn new(data: Vec<u8>, holds: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { data: Some(data.into()), holds: Box::new(holds) }
    }
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.data.is_some() && !(self.holds)() {
            return Poll::Ready(Some(Err(io::Error::other("another process may go on with the run by now"))));
        }
        Poll::Ready(self.data.take().map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.as_ref().map_or(0, |data| data.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read as _,
        net::TcpListener,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        time::Duration,
    };

    use super::*;

    #[test]
    fn nothing_is_sent_once_the_run_is_lost() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for lost in [false, true] {
            let holds = Arc::new(AtomicBool::new(!lost));
            let body = Held::new(b"hello".to_vec(), move || holds.load(Ordering::SeqCst));
            let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(1)).build().unwrap();
            let request = client.put(&url).body(reqwest::Body::wrap(body));
            let sent = runtime.block_on(async { request.send().await });
            assert!(sent.is_err(), "nobody answers");
            drop(client);
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let mut heard = Vec::new();
            let _ = stream.read_to_end(&mut heard);
            let heard = String::from_utf8_lossy(&heard);
            match lost {
                true => assert_eq!(heard, "", "not even the head"),
                false => assert!(heard.contains("content-length: 5") && heard.ends_with("hello"), "{heard}"),
            }
        }
    }
}
