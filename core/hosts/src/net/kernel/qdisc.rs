//! Queueing disciplines in the kernel's binary form: netem (delay, loss, …) and tbf (rate).

use std::collections::HashMap;

use netlink_packet_core::{DefaultNla, Emitable, NLM_F_CREATE, NLM_F_REPLACE, Nla, NlasIterator};
use netlink_packet_route::{
    RouteNetlinkMessage,
    tc::{TcAttribute, TcHandle, TcMessage, TcOption},
};

use super::{
    super::types::{Impairment, Qdisc},
    socket::Request,
};

const TCA_OPTIONS: u16 = 2;
const TCA_TBF_PARMS: u16 = 1;
const TCA_TBF_RATE64: u16 = 4;
const TCA_NETEM_REORDER: u16 = 3;
const TCA_NETEM_CORRUPT: u16 = 4;
const TCA_NETEM_RATE: u16 = 6;
const TCA_NETEM_LATENCY64: u16 = 10;
const TCA_NETEM_JITTER64: u16 = 11;
const TCA_NETEM_RATE64: u16 = 8;
const LINK_LAYER_ETHERNET: u8 = 1;
/// The kernel counts a packet scheduler's time in units of 64 ns.
const TICK_NS: u64 = 64;
/// Packets that a netem keeps back at most.
const NETEM_LIMIT: u32 = 10_000;
const NETEM_OPTION_BYTES: usize = 24;
/// A tbf lets so much through at once, and must take a whole packet of the largest usual MTU.
const TBF_BURST_BYTES: u64 = 32 << 10;
/// What a tbf queues before it drops.
const TBF_QUEUE_MS: u64 = 50;

/// Puts the discipline at the root of a link.
pub fn set(link: u32, kind: &str, impairment: &Impairment) -> Request {
    let options = if kind == "netem" { netem(impairment) } else { tbf(impairment) };
    let mut message = root_of(link);
    message.attributes.push(TcAttribute::Kind(kind.to_owned()));
    message.attributes.push(TcAttribute::Other(DefaultNla::new(TCA_OPTIONS, options)));
    (RouteNetlinkMessage::NewQueueDiscipline(message), NLM_F_CREATE | NLM_F_REPLACE)
}

/// Any other kind, without options.
pub fn plain(link: u32, kind: &str) -> Request {
    let mut message = root_of(link);
    message.attributes.push(TcAttribute::Kind(kind.to_owned()));
    (RouteNetlinkMessage::NewQueueDiscipline(message), NLM_F_CREATE | NLM_F_REPLACE)
}

/// Puts the default back.
pub fn remove(link: u32) -> Request {
    (RouteNetlinkMessage::DelQueueDiscipline(root_of(link)), 0)
}

/// Reads a discipline.
pub fn read(message: RouteNetlinkMessage, names: &HashMap<u32, String>) -> Option<Qdisc> {
    let RouteNetlinkMessage::NewQueueDiscipline(message) = message else { return None };
    let link = names.get(&u32::try_from(message.header.index).ok()?)?.clone();
    let root = message.header.parent == TcHandle::ROOT;
    let mut qdisc = Qdisc { link, kind: String::new(), root, impairment: Impairment::default() };
    for attribute in &message.attributes {
        if let TcAttribute::Kind(kind) = attribute {
            qdisc.kind.clone_from(kind);
        }
    }
    for attribute in &message.attributes {
        // The options of a kind that the packet library doesn't know are one attribute with all of them in it.
        let TcAttribute::Options(options) = attribute else { continue };
        let Some(TcOption::Other(whole)) = options.first() else { continue };
        let mut value = vec![0; whole.value_len()];
        whole.emit_value(&mut value);
        match qdisc.kind.as_str() {
            "netem" => qdisc.impairment = read_netem(&value).unwrap_or_default(),
            "tbf" => qdisc.impairment = read_tbf(&value).unwrap_or_default(),
            _ => {}
        }
    }
    Some(qdisc)
}

fn root_of(link: u32) -> TcMessage {
    let mut message = TcMessage::with_index(link.cast_signed());
    message.header.parent = TcHandle::ROOT;
    message
}

fn netem(impairment: &Impairment) -> Vec<u8> {
    let share = |percent: f64| (percent.clamp(0.0, 100.0) / 100.0 * f64::from(u32::MAX)).round() as u32;
    let ns = |ms: f64| (ms * 1e6) as i64;
    let ticks = |ms: f64| u32::try_from((ms * 1e6) as u64 / TICK_NS).unwrap_or(u32::MAX);
    let head = [
        ticks(impairment.delay_ms),
        NETEM_LIMIT,
        share(impairment.loss_percent),
        // Every packet may overtake, if any may.
        u32::from(impairment.reorder_percent > 0.0),
        share(impairment.duplicate_percent),
        ticks(impairment.jitter_ms),
    ];
    let mut options: Vec<u8> = head.iter().flat_map(|number| number.to_ne_bytes()).collect();
    push(&mut options, TCA_NETEM_LATENCY64, &ns(impairment.delay_ms).to_ne_bytes());
    push(&mut options, TCA_NETEM_JITTER64, &ns(impairment.jitter_ms).to_ne_bytes());
    for (kind, percent) in
        [(TCA_NETEM_REORDER, impairment.reorder_percent), (TCA_NETEM_CORRUPT, impairment.corrupt_percent)]
    {
        // Also what isn't wanted is said: one that is there is changed, and keeps what isn't mentioned. Without a correlation.
        let both: Vec<u8> = [share(percent), 0].iter().flat_map(|number| number.to_ne_bytes()).collect();
        push(&mut options, kind, &both);
    }
    let bytes_per_second = impairment.rate_kbit * 125;
    let short = u32::try_from(bytes_per_second).unwrap_or(u32::MAX);
    let rate: Vec<u8> = [short, 0, 0, 0].iter().flat_map(|number| number.to_ne_bytes()).collect();
    push(&mut options, TCA_NETEM_RATE, &rate);
    push(&mut options, TCA_NETEM_RATE64, &bytes_per_second.to_ne_bytes());
    options
}

fn read_netem(options: &[u8]) -> Option<Impairment> {
    let number = |index: usize| u32_at(options, index * 4);
    let percent = |share: u32| (f64::from(share) / f64::from(u32::MAX) * 1e8).round() / 1e6;
    let ms = |ticks: u32| (u64::from(ticks) * TICK_NS) as f64 / 1e6;
    let mut impairment = Impairment {
        delay_ms: ms(number(0)?),
        loss_percent: percent(number(2)?),
        duplicate_percent: percent(number(4)?),
        jitter_ms: ms(number(5)?),
        ..Impairment::default()
    };
    for attribute in NlasIterator::new(options.get(NETEM_OPTION_BYTES..)?).flatten() {
        let value = attribute.value();
        let exact_ms = || Some(i64::from_ne_bytes(value.try_into().ok()?) as f64 / 1e6);
        match attribute.kind() {
            TCA_NETEM_LATENCY64 => impairment.delay_ms = exact_ms()?,
            TCA_NETEM_JITTER64 => impairment.jitter_ms = exact_ms()?,
            TCA_NETEM_REORDER => impairment.reorder_percent = percent(u32_at(value, 0)?),
            TCA_NETEM_CORRUPT => impairment.corrupt_percent = percent(u32_at(value, 0)?),
            TCA_NETEM_RATE => impairment.rate_kbit = u64::from(u32_at(value, 0)?) / 125,
            TCA_NETEM_RATE64 => impairment.rate_kbit = u64::from_ne_bytes(value.try_into().ok()?) / 125,
            _ => {}
        }
    }
    Some(impairment)
}

fn tbf(impairment: &Impairment) -> Vec<u8> {
    let bytes_per_second = (impairment.rate_kbit * 125).max(1);
    let short = u32::try_from(bytes_per_second).unwrap_or(u32::MAX);
    let burst_ticks = TBF_BURST_BYTES * 1_000_000_000 / bytes_per_second / TICK_NS;
    let queue_bytes = bytes_per_second * TBF_QUEUE_MS / 1_000 + TBF_BURST_BYTES;
    let mut parameters = vec![0, LINK_LAYER_ETHERNET, 0, 0, 0, 0, 0, 0];
    parameters.extend(short.to_ne_bytes());
    // No peak rate.
    parameters.extend([0; 12]);
    parameters.extend(u32::try_from(queue_bytes).unwrap_or(u32::MAX).to_ne_bytes());
    parameters.extend(u32::try_from(burst_ticks).unwrap_or(u32::MAX).to_ne_bytes());
    parameters.extend(0u32.to_ne_bytes());
    let mut options = Vec::new();
    push(&mut options, TCA_TBF_PARMS, &parameters);
    if bytes_per_second > u64::from(u32::MAX) {
        push(&mut options, TCA_TBF_RATE64, &bytes_per_second.to_ne_bytes());
    }
    options
}

fn read_tbf(options: &[u8]) -> Option<Impairment> {
    let mut rate = 0;
    for attribute in NlasIterator::new(options).flatten() {
        match attribute.kind() {
            TCA_TBF_PARMS => rate = rate.max(u64::from(u32_at(attribute.value(), 8)?)),
            TCA_TBF_RATE64 => rate = u64::from_ne_bytes(attribute.value().try_into().ok()?),
            _ => {}
        }
    }
    Some(Impairment { rate_kbit: rate / 125, ..Impairment::default() })
}

fn push(options: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let attribute = DefaultNla::new(kind, value.to_vec());
    let start = options.len();
    options.resize(start + attribute.buffer_len(), 0);
    attribute.emit(&mut options[start..]);
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let impairment = Impairment {
            delay_ms: 12.5,
            jitter_ms: 0.25,
            loss_percent: 1.5,
            duplicate_percent: 0.1,
            corrupt_percent: 0.5,
            reorder_percent: 25.0,
            rate_kbit: 40_000_000,
        };
        assert_eq!(read_netem(&netem(&impairment)), Some(impairment));
        for rate_kbit in [64, 1_000, 80_000_000] {
            let impairment = Impairment { rate_kbit, ..Impairment::default() };
            assert_eq!(read_tbf(&tbf(&impairment)), Some(impairment));
        }
        // The least that anybody can ask for is seen, too.
        let little = Impairment { delay_ms: 0.000_1, loss_percent: 0.000_1, ..Impairment::default() };
        assert_eq!(read_netem(&netem(&little)), Some(little));
    }

    #[test]
    fn a_netem_that_is_there_is_told_what_is_not_wanted_any_more() {
        let options = netem(&Impairment { delay_ms: 5.0, ..Impairment::default() });
        let told: HashMap<u16, Vec<u8>> = NlasIterator::new(&options[NETEM_OPTION_BYTES..])
            .flatten()
            .map(|attribute| (attribute.kind(), attribute.value().to_vec()))
            .collect();
        for (kind, bytes) in
            [(TCA_NETEM_REORDER, 8), (TCA_NETEM_CORRUPT, 8), (TCA_NETEM_RATE, 16), (TCA_NETEM_RATE64, 8)]
        {
            assert_eq!(told.get(&kind), Some(&vec![0; bytes]), "attribute {kind}");
        }
        // How many packets may be overtaken, and which share is lost or doubled, is never left out.
        assert_eq!(options[8..20], [0; 12]);
    }
}
