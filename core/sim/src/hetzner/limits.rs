//! How many requests a project may make: a bucket that a request takes one from, and time fills again.

use crate::Response;

/// The bucket.
pub(super) struct Bucket {
    size: f64,
    per_second: f64,
    left: f64,
    at_ms: i64,
}

impl Bucket {
    pub(super) fn new(size: u32, per_second: f64, now_ms: i64) -> Self {
        Self { size: size.into(), per_second, left: size.into(), at_ms: now_ms }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now_ms: i64) -> bool {
        let passed_s = (now_ms - self.at_ms).max(0) as f64 / 1_000.0;
        self.left = (self.left + passed_s * self.per_second).min(self.size);
        self.at_ms = now_ms;
        let fits = self.left >= 1.0;
        if fits {
            self.left -= 1.0;
        }
        fits
    }

    /// Tells how it stands in the headers of an answer.
    pub(super) fn tell(&self, response: Response) -> Response {
        let full_s = (self.size - self.left) / self.per_second.max(f64::MIN_POSITIVE);
        let reset = self.at_ms / 1_000 + full_s.ceil() as i64;
        response
            .header("RateLimit-Limit", format!("{}", self.size as u64))
            .header("RateLimit-Remaining", format!("{}", self.left as u64))
            .header("RateLimit-Reset", reset.to_string())
    }
}
