//! The conformance kit, with the simulator where there is one.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use windlass_hosts::registrar::{
    Source,
    conform::{self, Report, Simulated, Steer},
};
use windlass_model::{Code, Problem};
use windlass_sim::{
    Failure, Fault,
    registrars::{self, Running, book},
};

/// Runs it. With `simulate`, a plugin that reaches nothing but the hosts of a simulator of its name is asked there, too.
pub fn conformance(source: &Source, simulate: bool, recording: bool) -> Result<Report, Problem> {
    let failed = |error: std::io::Error| Problem::new(Code::System, format!("the conformance kit can't run: {error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(failed)?;
    let source = Arc::new(source.clone());
    let running = if simulate { simulator(&source).transpose().map_err(failed)? } else { None };
    let simulated = running.as_ref().map(simulated);
    let report = conform::run(&source, runtime.handle(), simulated.as_ref(), recording);
    runtime.shutdown_background();
    report
}

fn simulator(source: &Source) -> Option<std::io::Result<Running>> {
    let id = source.manifest.id.as_str();
    let kind = registrars::KINDS.iter().find(|kind| kind.name == id)?;
    let ours = source.manifest.hosts.iter().all(|host| kind.hosts.contains(&host.host.as_str()));
    if ours { registrars::start(id, SocketAddr::from(([127, 0, 0, 1], 0))) } else { None }
}

fn simulated(running: &Running) -> Simulated<'_> {
    let (kind, faults) = (running.kind, &running.control.faults);
    let owned = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let mut provoke: BTreeMap<String, Steer<'_>> = BTreeMap::new();
    provoke.insert("rate_limited".into(), Box::new(|| faults.limit("*", 60)));
    if let Some((status, code)) = kind.unsupported_tld {
        provoke.insert(
            "unsupported_tld".into(),
            Box::new(move || {
                let failure = Failure { status, code: code.into(), message: Some("TLD is not supported".into()) };
                faults.add([Fault::Fail { operation: "*".into(), times: 1, failure }]);
            }),
        );
    }
    Simulated {
        endpoints: kind.hosts.iter().map(|host| ((*host).to_owned(), running.server.url())).collect(),
        credentials: owned(kind.credentials),
        key: kind.key.to_owned(),
        refused: owned(kind.refused),
        read_only: book::READ_ONLY.to_owned(),
        provoke,
        calm: Box::new(|| faults.clear()),
    }
}
