//! How many requests a project has left: guessed between answers, told by each of them.

use std::time::{Duration, Instant};

use http::HeaderMap;
use parking_lot::Mutex;

/// One for each project; every request of this process takes from it.
pub(super) struct Budget(Mutex<State>);

struct State {
    left: f64,
    limit: f64,
    at: Instant,
    /// Requests without an answer yet: the provider's count doesn't know them.
    under_way: u32,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { left: 3_600.0, limit: 3_600.0, at: Instant::now(), under_way: 0 }))
    }

    /// Waits until there is one, and takes it.
    pub(super) async fn take(&self) {
        while let Some(pause) = self.try_take(Instant::now()) {
            tokio::time::sleep(pause).await;
        }
    }

    /// Takes one, or says how long to wait.
    fn try_take(&self, now: Instant) -> Option<Duration> {
        let mut state = self.0.lock();
        // An hour fills it.
        let per_second = (state.limit / 3_600.0).max(0.01);
        state.left = (state.left + now.duration_since(state.at).as_secs_f64() * per_second).min(state.limit);
        state.at = now;
        if state.left >= 1.0 {
            state.left -= 1.0;
            state.under_way += 1;
            return None;
        }
        Some(Duration::from_secs_f64((1.0 - state.left) / per_second))
    }

    /// A request has ended, with or without an answer.
    pub(super) fn ended(&self, headers: Option<&HeaderMap>, refused: bool) {
        let mut state = self.0.lock();
        state.under_way = state.under_way.saturating_sub(1);
        let number = |name: &str| headers?.get(name)?.to_str().ok()?.parse::<f64>().ok().filter(|one| *one >= 0.0);
        if let Some(limit) = number("ratelimit-limit").filter(|limit| *limit >= 1.0) {
            state.limit = limit;
        }
        if let Some(left) = number("ratelimit-remaining") {
            state.left = (left - f64::from(state.under_way)).max(0.0);
        }
        if refused {
            state.left = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn it_follows_what_the_provider_says() {
        let budget = Budget::new();
        let now = Instant::now();
        assert_eq!(budget.try_take(now), None);
        assert_eq!(budget.try_take(now), None);
        let mut headers = HeaderMap::new();
        headers.insert("ratelimit-limit", HeaderValue::from_static("7200"));
        headers.insert("ratelimit-remaining", HeaderValue::from_static("2"));
        budget.ended(Some(&headers), false);
        assert_eq!(budget.try_take(now), None, "two are left, one of which is under way already");
        let pause = budget.try_take(now).expect("nothing is left");
        assert!((0.4..0.6).contains(&pause.as_secs_f64()), "two come back each second: {pause:?}");
        assert_eq!(budget.try_take(now + Duration::from_millis(600)), None);
        budget.ended(None, true);
        assert!(budget.try_take(now + Duration::from_millis(600)).is_some(), "a refusal empties it");
    }
}
