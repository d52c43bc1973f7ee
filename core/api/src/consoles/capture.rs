//! Packets of a lab's link while they pass: pcapng over HTTP, for `curl … | wireshark -k -i -`.

use std::time::Duration;

use bytes::Bytes;
use http::header;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use windlass_model::{Code, Problem};

use super::{folder, hub::aside, no_lab, organisation};
use crate::{
    Access, Answer, Permission, Request, Route,
    artifacts::disposition,
    events::Guard,
    runs::filter::clean,
    services::{CaptureAsk, LabNode},
};

/// Pieces that wait for whoever looks.
const WAITING: usize = 4;

/// Where to listen, and how long.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct CaptureQuery {
    /// The organisation whose lab it is; if none is named, the platform if you may look at its consoles, else the first of yours.
    organisation: Option<String>,
    /// An interface (`r1:eth0`), the end of its link on the host (`r1:eth0@host`), or a bridge (`lan1`).
    at: String,
    /// How long, 10 by default, at most 3600.
    seconds: Option<u64>,
    /// How much, 16 MiB by default, at most 1 GiB.
    bytes: Option<u64>,
    /// Bytes that are kept of each packet.
    snaplen: Option<u32>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/labs/{lab}/capture", "labs", "Packets that pass a lab's link, while they pass")
            .describe(
                "A pcapng stream: `curl -N … | wireshark -k -i -`. It ends after `seconds`, at `bytes`, or when you go. Whoever may \
                 type into the lab's consoles may do this; it counts as one of their consoles, and stands in the audit log.",
            )
            .access(Access::Can(Permission::UseConsoles))
            .query::<CaptureQuery>()
            .answers_raw(200, "application/vnd.tcpdump.pcap")
            .problems(&[
                Code::NotFound,
                Code::InvalidInput,
                Code::InvalidArgument,
                Code::Unsupported,
                Code::TooManyRequests,
                Code::Unavailable,
            ])
            .stream(capture),
    ]
}

async fn capture(request: Request) -> Result<Answer, Problem> {
    let query: CaptureQuery = request.query()?;
    let api = request.api.clone();
    let organisation = organisation(&request, query.organisation.as_deref())?;
    let lab = clean("lab", request.parameter("lab"))?.to_owned();
    request.require(Permission::UseConsoles, &organisation, &folder(&lab))?;
    let at = clean("at", &query.at)?.to_owned();
    let captures = api.captures.clone().ok_or_else(|| no_lab(&lab))?;
    let node = at.split(':').next().unwrap_or_default().to_owned();
    let place = LabNode { organisation: organisation.clone(), lab: lab.clone(), node };
    let seat = api.consoles.seats.take(request.principal.person(), &place)?;
    let ask = CaptureAsk {
        organisation: organisation.clone(),
        lab: lab.clone(),
        at: at.clone(),
        seconds: query.seconds,
        bytes: query.bytes,
        snaplen: query.snaplen,
    };
    let mut source = aside(move || captures.open(ask)).await?;
    let asked = json!({ "seconds": query.seconds, "bytes": query.bytes });
    let entry = request.entry("console.capture", &organisation, &format!("{lab}/{at}"), Value::Null, asked);
    // What is shown from here on was asked for by somebody who is named.
    let engine = api.engine.clone();
    aside(move || engine.audit(entry)).await?;
    let mut guard = Guard::new(&request, Duration::from_millis(api.config.events.recheck_ms));
    let (give, taken) = mpsc::channel::<Result<Bytes, std::io::Error>>(WAITING);
    let folder = folder(&lab);
    tokio::spawn(async move {
        let (_seat, mut stop) = (seat, api.stopping());
        loop {
            tokio::select! {
                piece = source.recv() => {
                    let Some(piece) = piece else { return };
                    if give.send(Ok(piece.into())).await.is_err() {
                        return;
                    }
                }
                () = give.closed() => return,
                () = async { drop(stop.wait_for(|stop| *stop).await) } => return,
                () = tokio::time::sleep(guard.left()) => match guard.look(&api, &api.events).await {
                    Ok(Some(who)) if !who.may(Permission::UseConsoles, &organisation, &folder) => return,
                    Err(_) => return,
                    Ok(_) => {}
                },
            }
        }
    });
    let name = format!("{lab}-{}.pcapng", at.replace([':', '@'], "-"));
    Ok(Answer::stream("application/vnd.tcpdump.pcap", Box::pin(ReceiverStream::new(taken)))
        .header(header::CONTENT_DISPOSITION, &disposition(&name)))
}
