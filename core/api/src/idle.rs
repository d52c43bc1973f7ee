//! HTTP/2 connections that nobody uses, or whose other end takes nothing: unlike HTTP/1's they have no time limit of their
//! own, and whoever answers pings could stay for ever.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper_util::server::graceful::GracefulConnection;
use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

/// Bytes that are handed over at once: who takes nothing is noticed while something is left.
const PIECE: usize = 32 << 10;

/// How long a connection may do nothing.
#[derive(Clone)]
pub(crate) struct Limits {
    /// Without a request.
    pub idle: Duration,
    /// Without taking what is there for it.
    pub stall: Duration,
    /// Counts those that took nothing.
    pub stalled: Arc<AtomicU64>,
}

struct Inside {
    /// Requests that are under way, until all of their answer is handed over.
    open: usize,
    /// Answers of which something is there that nobody has asked for yet.
    handed: usize,
    /// When one of them was last asked for something, began or ended.
    moved: Instant,
}

/// What goes on in a connection.
pub(crate) struct Activity(Mutex<Inside>);

/// Why a connection is to be closed.
#[derive(Debug, PartialEq, Eq)]
enum Over {
    Idle,
    Stalled,
}

impl Activity {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Inside { open: 0, handed: 0, moved: Instant::now() })))
    }

    fn note(&self, change: impl FnOnce(&mut Inside)) {
        let mut inside = self.0.lock();
        change(&mut inside);
        inside.moved = Instant::now();
    }

    /// A request begins.
    pub(crate) fn begin(self: &Arc<Self>) -> Open {
        self.note(|inside| inside.open += 1);
        Open { activity: self.clone(), handed: false }
    }

    /// Why the connection is to be closed, or how long that isn't so for certain.
    fn judge(&self, limits: &Limits) -> Result<Over, Duration> {
        let inside = self.0.lock();
        let (limit, over) = match (inside.open, inside.handed) {
            (0, _) => (limits.idle, Over::Idle),
            (_, 0) => return Err(limits.idle.min(limits.stall)),
            _ => (limits.stall, Over::Stalled),
        };
        match limit.saturating_sub(inside.moved.elapsed()) {
            Duration::ZERO => Ok(over),
            left => Err(left),
        }
    }

    async fn over(&self, limits: &Limits) -> Over {
        loop {
            match self.judge(limits) {
                Ok(over) => return over,
                // A request may begin meanwhile, and then the other limit holds.
                Err(left) => tokio::time::sleep(left.min(limits.stall)).await,
            }
        }
    }
}

/// A request that is under way.
pub(crate) struct Open {
    activity: Arc<Activity>,
    handed: bool,
}

impl Open {
    /// Whether something is there that the other end has to ask for.
    fn handed(&mut self, handed: bool) {
        let before = std::mem::replace(&mut self.handed, handed);
        self.activity.note(|inside| inside.handed = inside.handed + usize::from(handed) - usize::from(before));
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.handed(false);
        self.activity.note(|inside| inside.open -= 1);
    }
}

/// An answer's body that tells whether it is asked for.
pub(crate) struct Watched<B> {
    inner: B,
    rest: Bytes,
    open: Open,
}

impl<B> Watched<B> {
    pub(crate) fn new(inner: B, mut open: Open) -> Self {
        open.handed(true);
        Self { inner, rest: Bytes::new(), open }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Watched<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.open.handed(false);
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                other => return Poll::Ready(other),
            }
        }
        self.open.handed(true);
        let count = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(count)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.inner.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + rest);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

/// Serves a connection until it ends, is left alone for too long, or `leave` changes; then requests that are under way
/// still end.
pub(crate) async fn serve<C: GracefulConnection>(
    connection: C,
    watched: Option<(Arc<Activity>, Limits)>,
    mut leave: watch::Receiver<()>,
) -> Result<(), C::Error> {
    let mut connection = pin!(connection);
    let (mut leaving, mut told) = (false, false);
    loop {
        let over = async {
            match &watched {
                Some((activity, limits)) => activity.over(limits).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = connection.as_mut() => return ended,
            _ = leave.changed(), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            over = over => match (over, &watched) {
                // Whoever doesn't go when told is cut off.
                (Over::Idle, Some((activity, _))) if !told => {
                    told = true;
                    activity.note(|_| ());
                    connection.as_mut().graceful_shutdown();
                }
                (Over::Stalled, Some((_, limits))) => {
                    limits.stalled.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { idle: Duration::from_secs(20), stall: Duration::from_secs(30), stalled: Arc::default() }
    }

    /// Gives these pieces; afterwards nothing, but it goes on.
    struct Pieces(Vec<Bytes>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
            self.0.pop().map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(Frame::data(piece)))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_for_nothing_or_takes_nothing_is_told_from_whoever_waits() {
        let (activity, limits) = (Activity::new(), limits());
        assert_eq!(activity.judge(&limits), Err(limits.idle));
        tokio::time::advance(Duration::from_secs(19)).await;
        let mut body = Watched::new(Pieces(vec![Bytes::from(vec![7; PIECE + 1])]), activity.begin());
        tokio::time::advance(Duration::from_secs(29)).await;
        assert_eq!(activity.judge(&limits), Err(Duration::from_secs(1)), "it was never asked for");
        let mut cx = Context::from_waker(std::task::Waker::noop());
        for length in [PIECE, 1] {
            let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) else { panic!("no piece") };
            assert_eq!(frame.into_data().unwrap().len(), length);
            assert_eq!(activity.judge(&limits), Err(limits.stall));
        }
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(activity.judge(&limits), Ok(Over::Stalled));
        // A stream of events that waits for the next one.
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_pending());
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert!(activity.judge(&limits).is_err());
        drop(body);
        assert_eq!(activity.judge(&limits), Err(limits.idle));
        tokio::time::advance(limits.idle).await;
        assert_eq!(activity.over(&limits).await, Over::Idle);
    }
}
