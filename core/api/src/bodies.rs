//! Bodies of requests, within bounds: each route has one, and so have all bodies that are in memory at once. A body takes of
//! the room for all only what has really come, so that nobody takes it by announcing much and sending nothing.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, header};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use windlass_model::{Code, Problem};

use crate::{Route, auth::network};

/// Bytes beyond the bound that are read and dropped, so that the answer is heard.
const DRAINED: usize = 1 << 20;

/// What strangers of one network have of their room at least, so that one of the largest bodies that they may send fits in.
const NETWORK: usize = 1 << 20;

/// Room for bodies.
pub(crate) struct Bodies {
    each: usize,
    known: Arc<Semaphore>,
    /// Whoever hasn't said who they are takes no room from those who have.
    strangers: Arc<Semaphore>,
    /// Nor do those of one network take it from all others: bytes of each, and how many they may be.
    networks: Arc<Mutex<HashMap<IpAddr, usize>>>,
    network: usize,
}

/// A body, and the room that it takes until this is dropped.
pub(crate) struct Held {
    pub bytes: Bytes,
    pub room: Room,
}

/// Room that is taken until this is dropped.
#[derive(Default)]
pub(crate) struct Room {
    permit: Option<OwnedSemaphorePermit>,
    share: Option<Share>,
}

/// What a stranger's body takes of its network's share.
struct Share {
    of: Arc<Mutex<HashMap<IpAddr, usize>>>,
    network: IpAddr,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut networks = self.of.lock();
        if let Some(bytes) = networks.get_mut(&self.network) {
            *bytes -= self.bytes;
            if *bytes == 0 {
                networks.remove(&self.network);
            }
        }
    }
}

impl Share {
    /// Takes so many more, if there are as many left.
    fn take(&mut self, count: usize, most: usize) -> bool {
        let mut networks = self.of.lock();
        let bytes = networks.get(&self.network).copied().unwrap_or(0) + count;
        if bytes > most || count == 0 {
            return count == 0;
        }
        networks.insert(self.network, bytes);
        self.bytes += count;
        true
    }
}

impl Bodies {
    /// For bodies of `each` bytes at most, and of `all` together.
    pub(crate) fn new(each: usize, all: usize) -> Self {
        let room = |bytes: usize| Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)));
        let strangers = all / 4;
        let network = (strangers / 8).max(NETWORK).min(strangers);
        Self { each, known: room(all - strangers), strangers: room(strangers), networks: Arc::default(), network }
    }

    /// Takes room for so many bytes more.
    fn take(&self, room: &mut Room, count: usize) -> bool {
        if !room.share.as_mut().is_none_or(|share| share.take(count, self.network)) {
            return false;
        }
        let of = if room.share.is_some() { &self.strangers } else { &self.known };
        let Some(more) = u32::try_from(count).ok().and_then(|count| of.clone().try_acquire_many_owned(count).ok())
        else {
            return false;
        };
        match &mut room.permit {
            Some(permit) => permit.merge(more),
            None => room.permit = Some(more),
        }
        true
    }

    /// Reads a route's body; `stranger` is the address of whoever hasn't said who they are. One that has none gets none: what is sent
    /// nevertheless is dropped as it comes.
    pub(crate) async fn read<B: Buf>(
        &self,
        route: &Route,
        stranger: Option<IpAddr>,
        headers: &HeaderMap,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Result<Held, Problem> {
        let bound = match &route.body {
            None => 0,
            Some(_) => route.body_bytes.unwrap_or(self.each).min(self.each),
        };
        let too_large = || {
            let problem = Problem::new(Code::TooLarge, format!("the body is larger than {bound} bytes"));
            if bound == self.each { problem.help("the bound is `server.body_bytes`") } else { problem }
        };
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > bound + DRAINED) {
            return Err(too_large());
        }
        let share = stranger.map(|address| Share { of: self.networks.clone(), network: network(address), bytes: 0 });
        let mut room = Room { permit: None, share };
        let (mut whole, mut dropped, mut refused) = (BytesMut::new(), 0, None);
        let mut body = std::pin::pin!(body);
        while let Some(piece) = body.next().await {
            let mut piece =
                piece.map_err(|error| Problem::new(Code::InvalidInput, format!("the body broke off: {error}")))?;
            let count = piece.remaining();
            if refused.is_none() && whole.len() + count > bound {
                refused = Some(too_large());
            }
            if refused.is_none() && !self.take(&mut room, count) {
                refused = Some(full());
            }
            if refused.is_some() {
                // Who isn't done with sending doesn't hear the answer: a little too much is read to its end.
                (whole, room) = (BytesMut::new(), Room::default());
                dropped += count;
                if dropped > DRAINED {
                    break;
                }
                continue;
            }
            whole.extend_from_slice(&piece.copy_to_bytes(count));
        }
        match refused {
            Some(problem) if route.body.is_some() || dropped > DRAINED => return Err(problem),
            _ => {}
        }
        check_type(route, headers, &whole)?;
        Ok(Held { bytes: whole.freeze(), room })
    }
}

fn full() -> Problem {
    Problem::new(Code::Unavailable, "the server is busy: it has no room for more bodies of requests")
        .help("try again in a moment; the bound for all together is `server.bodies_bytes`")
}

fn check_type(route: &Route, headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    if body.is_empty() || route.body.is_none() || route.body_type == "*/*" {
        return Ok(());
    }
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let plain = sent.split(';').next().unwrap_or_default().trim();
    if plain.eq_ignore_ascii_case(route.body_type) {
        return Ok(());
    }
    let message = format!("the body has to be {}, not `{plain}`", route.body_type);
    Err(Problem::new(Code::UnsupportedMediaType, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODIES: (usize, usize) = (100, 200);

    fn json(route: Route) -> Route {
        route.body::<serde_json::Value>()
    }

    async fn read(bodies: &Bodies, route: &Route, is_known: bool, pieces: &[usize]) -> Result<Held, Code> {
        let stranger = (!is_known).then_some(IpAddr::from([192, 0, 2, 1]));
        read_from(bodies, route, stranger, pieces).await
    }

    async fn read_from(
        bodies: &Bodies,
        route: &Route,
        stranger: Option<IpAddr>,
        pieces: &[usize],
    ) -> Result<Held, Code> {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, "application/json".parse().unwrap())]);
        let pieces = pieces.iter().map(|count| Ok::<_, warp::Error>(Bytes::from(vec![b' '; *count])));
        let read = bodies.read(route, stranger, &headers, futures_util::stream::iter(pieces));
        read.await.map_err(|problem| problem.code)
    }

    #[tokio::test]
    async fn every_route_has_its_bound() {
        let bodies = Bodies::new(BODIES.0, BODIES.1);
        let (none, some) = (Route::post("/a", "", ""), json(Route::post("/a", "", "")));
        let small = some.clone().body_bytes(10);
        let length = |held: Result<Held, Code>| held.map(|held| held.bytes.len());
        assert_eq!(length(read(&bodies, &some, true, &[60, 40]).await), Ok(100));
        assert_eq!(length(read(&bodies, &some, true, &[60, 41]).await), Err(Code::TooLarge));
        assert_eq!(length(read(&bodies, &small, true, &[10]).await), Ok(10));
        assert_eq!(length(read(&bodies, &small, true, &[10, 1]).await), Err(Code::TooLarge));
        assert_eq!(length(read(&bodies, &none, true, &[60]).await), Ok(0));
        assert_eq!(length(read(&bodies, &none, true, &[DRAINED, 1]).await), Err(Code::TooLarge));
    }

    #[tokio::test]
    async fn all_together_have_one_and_strangers_take_only_their_part() {
        let bodies = Bodies::new(BODIES.0, BODIES.1);
        let route = json(Route::post("/a", "", ""));
        let stranger = read(&bodies, &route, false, &[50]).await.unwrap();
        assert_eq!(read(&bodies, &route, false, &[1]).await.map(drop), Err(Code::Unavailable));
        let held = read(&bodies, &route, true, &[50, 50]).await.unwrap();
        assert_eq!(read(&bodies, &route, true, &[30, 30]).await.map(drop), Err(Code::Unavailable));
        // What was refused has given back what it had taken.
        let rest = read(&bodies, &route, true, &[50]).await.unwrap();
        drop((stranger, held, rest));
        assert!(read(&bodies, &route, true, &[100]).await.is_ok() && read(&bodies, &route, false, &[50]).await.is_ok());
    }

    #[tokio::test]
    async fn strangers_of_one_network_take_a_part_and_leave_room_for_others() {
        const MIB: usize = 1 << 20;
        let bodies = Bodies::new(MIB, 128 * MIB);
        let route = json(Route::post("/a", "", ""));
        let send = async |address: &str, bytes: usize| {
            read_from(&bodies, &route, Some(address.parse().unwrap()), &[bytes]).await
        };
        let mut held = Vec::new();
        for last in 0..4 {
            held.push(send(&format!("2001:db8::{last}"), MIB).await.unwrap());
        }
        assert_eq!(send("2001:db8::5", 1).await.map(drop), Err(Code::Unavailable), "the same network");
        assert!(send("2001:db8:0:1::1", MIB).await.is_ok() && send("192.0.2.7", 10).await.is_ok());
        assert!(read_from(&bodies, &route, None, &[MIB]).await.is_ok(), "who has logged in");
        held.pop();
        let again = send("2001:db8::5", MIB).await.unwrap();
        drop((held, again));
        assert!(bodies.networks.lock().is_empty(), "nothing is kept of those who are gone");
    }
}
