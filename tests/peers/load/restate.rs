//! Restate as its documentation calls it over HTTP: a call to the ingress is answered with the handler's result, `/send`
//! with the invocation's id, which is attached to later.

use std::{io, net::SocketAddr, time::Instant};

use serde_json::Value;

use crate::{Client, System, http::Connection};

/// The ingress.
pub struct Restate(pub SocketAddr);

impl System for Restate {
    fn client(&self) -> io::Result<Box<dyn Client + '_>> {
        Ok(Box::new(Caller(Connection::to(self.0, None)?)))
    }
}

struct Caller(Connection);

impl Client for Caller {
    fn call(&mut self, workflow: &str, input: &Value) -> io::Result<()> {
        self.0.exchange("POST", &format!("/{workflow}"), &input.to_string()).map(drop)
    }

    fn start(&mut self, workflow: &str, input: &Value) -> io::Result<String> {
        let answer = self.0.exchange("POST", &format!("/{workflow}/send"), &input.to_string())?;
        let answer: Value = serde_json::from_slice(&answer)?;
        answer["invocationId"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| io::Error::other("an invocation without an id"))
    }

    fn finish(&mut self, run: &str) -> io::Result<Instant> {
        self.0.exchange("GET", &format!("/restate/invocation/{run}/attach"), "")?;
        Ok(Instant::now())
    }
}
