//! Impairments: delay, loss and rate of what leaves an interface, as far as the kernel can.

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::{Args, Kind, Op, Param, Undo, no_resources};

use super::{
    super::{
        fault::Fault,
        lab::Lab,
        plan::invalid,
        types::{Batch, Change, Impairment, Place},
    },
    AT, Draft, LAB, Machine, making, reading, removing,
};

macro_rules! example {
    ($text:literal) => {
        concat!(
            "net::create_namespace(\"demo\", \"r1\"); net::create_bridge(\"demo\", \"lan1\"); net::connect(\"demo\", \"r1:eth0\", \"lan1\");\n",
            "net::impair(\"demo\", \"r1:eth0\", #{ rate_kbit: 10000 });\n",
            $text
        )
    };
}

pub fn ops(machine: &Machine) -> Vec<Op> {
    vec![
        making(
            machine,
            Draft {
                name: "impair",
                doc: "Impairs what leaves an interface; what was there before is replaced. `kind` says what does it: `netem` \
                      for everything; on kernels without it `tbf` for a rate, `nft` for loss, `tbf+nft` for both. \
                      `unsupported` names what this kernel lacks.",
                params: const {
                    &[
                        LAB,
                        AT,
                        Param::required(
                            "impairment",
                            Kind::Map,
                            "`delay_ms`, `jitter_ms`, `loss_percent`, `duplicate_percent`, `corrupt_percent`, `reorder_percent` \
                             (needs a delay; any numbers), `rate_kbit` (int).",
                        ),
                    ]
                },
                returns: "#{ kind: string }",
                example: example!("net::impair(\"demo\", \"r1:eth0\", #{ rate_kbit: 512 }).kind"),
                body: |lab, _, args| impair(lab, args),
            },
            Undo::Op { name: "clear_impairment", args: |args| super::first(args, 2) },
            no_resources,
        ),
        removing(
            machine,
            Draft {
                name: "clear_impairment",
                doc: "Takes an impairment away. One that isn't there is cleared already.",
                params: &[LAB, AT],
                returns: "()",
                example: example!("net::clear_impairment(\"demo\", \"r1:eth0\");"),
                body: |lab, _, args| {
                    let view = lab.view()?;
                    if !lab.may_change(&view, args.str("at"))? {
                        return Ok(Value::Null);
                    }
                    let located = match lab.locate(&view, args.str("at")) {
                        Err(problem) if problem.code == Code::NotFound => return Ok(Value::Null),
                        located => located?,
                    };
                    let (place, link) = located;
                    clear(lab, &place, &link)
                        .map(|()| Value::Null)
                        .map_err(|fault| fault.problem(format!("clearing {}", args.str("at"))))
                },
            },
            no_resources,
        ),
        reading(
            machine,
            Draft {
                name: "qdisc_show",
                doc: "The queueing disciplines of an interface, with what they do to traffic. 0 means: left alone.",
                params: &[LAB, AT],
                returns: "array of #{ kind: string, root: bool, delay_ms: float, jitter_ms: float, loss_percent: float, duplicate_percent: float, corrupt_percent: float, reorder_percent: float, rate_kbit: int }",
                example: example!("net::qdisc_show(\"demo\", \"r1:eth0\")[0].rate_kbit"),
                body: |lab, _, args| {
                    let (place, link) = lab.locate(&lab.view()?, args.str("at"))?;
                    let all = lab
                        .backend
                        .qdiscs(&place)
                        .map_err(|fault| fault.problem("reading the queueing disciplines"))?;
                    let mine: Vec<_> = all.into_iter().filter(|qdisc| qdisc.link == link).collect();
                    serde_json::to_value(mine).map_err(|error| Problem::new(Code::Internal, error.to_string()))
                },
            },
        ),
    ]
}

fn impair(lab: &Lab<'_>, args: &Args) -> Result<Value, Problem> {
    let wanted: Impairment = args.read("impairment")?;
    check(&wanted)?;
    let (place, link) = lab.locate(&lab.view()?, args.str("at"))?;
    let label = format!("impairing {}", args.str("at"));
    let put = |kind| change(lab, place.clone(), Change::SetQdisc { link: link.clone(), kind, impairment: wanted });
    let drop_share = |percent: f64| {
        let millionths = (percent * 1e4).ceil() as u32;
        change(lab, place.clone(), Change::SetLoss { link: link.clone(), millionths })
    };
    match put("netem") {
        Ok(()) => return Ok(json!({ "kind": "netem" })),
        Err(fault) if is_unknown(&fault) => {}
        Err(fault) => return Err(fault.problem(label).no_effect()),
    }
    let simple = Impairment { rate_kbit: wanted.rate_kbit, loss_percent: wanted.loss_percent, ..Impairment::default() };
    if wanted != simple {
        return Err(Problem::new(
            Code::Unsupported,
            format!(
                "{label}: this kernel has no netem (sch_netem), which delay, jitter, duplication, corruption and reordering need"
            ),
        )
        .help("only `rate_kbit` and `loss_percent` work here; net::capabilities() says what else this kernel can do")
        .no_effect());
    }
    let mut kinds = Vec::new();
    if wanted.rate_kbit > 0 {
        match put("tbf") {
            Ok(()) => kinds.push("tbf"),
            Err(fault) if is_unknown(&fault) => {
                let message = format!("{label}: this kernel has neither netem (sch_netem) nor tbf (sch_tbf)");
                return Err(Problem::new(Code::Unsupported, message).no_effect());
            }
            Err(fault) => return Err(fault.problem(label).no_effect()),
        }
    } else {
        clear_qdisc(lab, &place, &link).map_err(|fault| fault.problem(&label))?;
    }
    match drop_share(wanted.loss_percent) {
        Ok(()) if wanted.loss_percent > 0.0 => kinds.push("nft"),
        Ok(()) => {}
        Err(fault) => {
            let problem = if fault.unsupported() {
                let why = format!(
                    "{label}: loss needs netem (sch_netem), or nftables with egress hooks (Linux 5.16) and `nft`"
                );
                Problem::new(Code::Unsupported, format!("{why}: {}", fault.detail))
                    .help("install nftables; net::capabilities() says what this kernel can do")
            } else {
                fault.problem(label)
            };
            // Half an impairment is none that anybody asked for.
            let _ = clear(lab, &place, &link);
            return Err(problem);
        }
    }
    Ok(json!({ "kind": kinds.join("+") }))
}

/// Takes everything away that is done to what leaves a link.
fn clear(lab: &Lab<'_>, place: &Place, link: &str) -> Result<(), Fault> {
    clear_qdisc(lab, place, link)?;
    match change(lab, place.clone(), Change::SetLoss { link: link.to_owned(), millionths: 0 }) {
        Err(fault) if !fault.missing() => Err(fault),
        _ => Ok(()),
    }
}

fn clear_qdisc(lab: &Lab<'_>, place: &Place, link: &str) -> Result<(), Fault> {
    match change(lab, place.clone(), Change::RemoveQdisc { link: link.to_owned() }) {
        // ENOENT and EINVAL: there is only the default.
        Err(fault) if !fault.missing() && fault.errno != libc::EINVAL => Err(fault),
        _ => Ok(()),
    }
}

/// The kernel's answer to a kind of discipline that it doesn't know.
fn is_unknown(fault: &Fault) -> bool {
    fault.errno == libc::ENOENT
}

fn change(lab: &Lab<'_>, place: Place, change: Change) -> Result<(), Fault> {
    let mut answers = lab.backend.apply(&[Batch { place, changes: vec![change] }]);
    answers.pop().and_then(|mut answers| answers.pop()).unwrap_or(Ok(()))
}

fn check(wanted: &Impairment) -> Result<(), Problem> {
    let percent = |name: &str, value: f64| {
        if (0.0..=100.0).contains(&value) { Ok(()) } else { Err(invalid(format!("`{name}` must be from 0 to 100"))) }
    };
    let duration = |name: &str, value: f64| {
        if (0.0..=60_000.0).contains(&value) {
            Ok(())
        } else {
            Err(invalid(format!("`{name}` must be from 0 to 60000")))
        }
    };
    percent("loss_percent", wanted.loss_percent)?;
    percent("duplicate_percent", wanted.duplicate_percent)?;
    percent("corrupt_percent", wanted.corrupt_percent)?;
    percent("reorder_percent", wanted.reorder_percent)?;
    duration("delay_ms", wanted.delay_ms)?;
    duration("jitter_ms", wanted.jitter_ms)?;
    if wanted.reorder_percent > 0.0 && wanted.delay_ms == 0.0 {
        return Err(invalid("`reorder_percent` needs a `delay_ms`: what isn't held back overtakes what is"));
    }
    if wanted.is_none() {
        return Err(invalid("there is nothing to impair")
            .help("give `delay_ms`, `loss_percent`, `rate_kbit`, …; net::clear_impairment takes all away"));
    }
    Ok(())
}
