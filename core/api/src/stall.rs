//! A connection whose other end takes nothing is dropped after a while: what it had last is its cursor for coming back.

use std::{
    future::Future as _,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// A connection that breaks when nothing can be written for too long.
pub(crate) struct Stall<S> {
    inner: S,
    limit: Duration,
    /// Counts those that were dropped.
    dropped: Arc<AtomicU64>,
    /// Since when the other end takes nothing.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Stall<S> {
    pub(crate) fn new(inner: S, limit: Duration, dropped: Arc<AtomicU64>) -> Self {
        Self { inner, limit, dropped, waiting: None }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.waiting = None;
            return polled;
        }
        let limit = self.limit;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + limit)));
        ready!(waiting.as_mut().poll(cx));
        self.dropped.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other end takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stall<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stall<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.watch(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, bytes);
        self.watch(cx, polled)
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_who_takes_nothing_is_dropped() {
        let dropped = Arc::<AtomicU64>::default();
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut ours = Stall::new(ours, Duration::from_secs(30), dropped.clone());
        let writer = tokio::spawn(async move {
            let mut written = 0;
            loop {
                match ours.write(&[0; 16]).await {
                    Ok(count) => written += count,
                    Err(error) => return (written, error.kind()),
                }
            }
        });
        // Slow, but it takes something now and then.
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_secs(20)).await;
            let mut taken = [0; 8];
            theirs.read_exact(&mut taken).await.unwrap();
        }
        let stopped = Instant::now();
        let (written, kind) = writer.await.unwrap();
        assert_eq!((kind, dropped.load(Ordering::Relaxed)), (io::ErrorKind::TimedOut, 1));
        assert!(written >= 80, "{written}");
        assert!((stopped.elapsed().as_secs()) <= 31, "{:?}", stopped.elapsed());
    }
}
