//! The beginning of a connection: who is at the other end, TLS, and which HTTP it speaks. All of it has to come within the
//! time that a request's head may take: whoever connects and says nothing holds a place that others need.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, atomic::AtomicU64},
    task::{Context, Poll},
};

use bytes::{Buf as _, Bytes};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

use crate::{dispatch::Peer, proxy, server::ServerConfig, stall::Stall};

/// What HTTP/2 begins with.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection reads from and writes to.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection, in the clear from here on, whose first bytes have come.
pub(crate) struct Opened {
    /// Who is at the other end.
    pub peer: Peer,
    /// Whether it speaks HTTP/2.
    pub http2: bool,
    /// What is read from and written to.
    pub stream: TokioIo<Rewound<Box<dyn Stream>>>,
}

/// Hears who is at the other end, shakes hands, and waits for the first bytes.
pub(crate) async fn open(
    config: &ServerConfig,
    stream: TcpStream,
    address: IpAddr,
    stalled: Arc<AtomicU64>,
) -> Option<Opened> {
    match tokio::time::timeout(config.head_timeout, opening(config, stream, address, stalled)).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => {
            tracing::debug!(%error, %address, "a connection began with nothing that is understood");
            None
        }
        Err(_) => {
            tracing::debug!(%address, "a connection was opened and not used");
            None
        }
    }
}

async fn opening(
    config: &ServerConfig,
    mut stream: TcpStream,
    address: IpAddr,
    stalled: Arc<AtomicU64>,
) -> io::Result<Option<Opened>> {
    let mut peer = Peer { address, secure: config.tls.is_some(), relayed: false };
    if config.proxy_protocol && config.trusted_proxies.iter().any(|network| network.contains(&address)) {
        peer.address = proxy::read_preface(&mut stream).await?.unwrap_or(address);
    }
    let mut stream: Box<dyn Stream> = match &config.tls {
        None => Box::new(Stall::new(stream, config.stall, stalled)),
        Some(tls) => {
            let stream = TlsAcceptor::from(tls.current()).accept(stream).await?;
            Box::new(Stall::new(stream, config.stall, stalled))
        }
    };
    let Some(begun) = first_bytes(&mut stream).await? else { return Ok(None) };
    let http2 = begun[..] == PREFACE[..];
    Ok(Some(Opened { peer, http2, stream: TokioIo::new(Rewound { begun, inner: stream }) }))
}

/// As many bytes as it takes to tell HTTP/2 from HTTP/1; none if the other end closes first.
async fn first_bytes(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Bytes>> {
    let (mut begun, mut count) = ([0; PREFACE.len()], 0);
    while count < PREFACE.len() && PREFACE.starts_with(&begun[..count]) {
        match stream.read(&mut begun[count..]).await? {
            0 => return Ok(None),
            more => count += more,
        }
    }
    Ok(Some(Bytes::copy_from_slice(&begun[..count])))
}

/// A stream whose first bytes were looked at: they are read once more.
pub(crate) struct Rewound<S> {
    begun: Bytes,
    inner: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.begun.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buffer);
        }
        let count = self.begun.len().min(buffer.remaining());
        buffer.put_slice(&self.begun[..count]);
        self.begun.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn begun(pieces: &[&'static [u8]]) -> Option<Bytes> {
        let pieces = pieces.to_vec();
        let (mut theirs, mut ours) = tokio::io::duplex(8);
        let sending = tokio::spawn(async move {
            for piece in pieces {
                // Nobody may be left to hear the rest.
                let _ = tokio::io::AsyncWriteExt::write_all(&mut theirs, piece).await;
            }
        });
        let found = first_bytes(&mut ours).await.unwrap();
        drop(ours);
        sending.abort();
        found
    }

    #[tokio::test]
    async fn both_are_told_apart_as_soon_as_they_differ() {
        assert_eq!(begun(&[b"G"]).await.unwrap(), "G");
        assert_eq!(begun(&[b"P", b"OST"]).await.unwrap()[..2], b"PO"[..]);
        assert_eq!(begun(&[b"PRI * HTTP/1.1\r\n\r\n"]).await.unwrap()[..14], b"PRI * HTTP/1.1"[..]);
        assert_eq!(begun(&[&PREFACE[..20], &PREFACE[20..], b"more"]).await.unwrap(), PREFACE[..]);
        assert_eq!(begun(&[]).await, None);
    }

    #[tokio::test]
    async fn what_was_looked_at_is_read_once_more() {
        let mut stream = Rewound { begun: Bytes::from_static(b"GET /"), inner: std::io::Cursor::new(b"x".to_vec()) };
        let mut text = [0; 3];
        stream.read_exact(&mut text).await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!((&text, rest.as_str()), (b"GET", " /x"));
    }
}
