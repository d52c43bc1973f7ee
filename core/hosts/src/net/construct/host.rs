//! What a plan has in the host's namespace: out of IPv6 before it is up, and with addresses only that do no harm to this machine.

use serde_json::json;
use windlass_model::{Code, Problem};

use super::{
    super::{plan::invalid, steps::Step, types::*},
    Construction,
};

/// With less, the kernel forgets what was set for a link's IPv6, and begins anew when there is more again.
const LEAST_MTU: u32 = 1_280;

impl Construction<'_, '_> {
    /// A link of the host that the plan makes, or has made before a crash.
    pub(super) fn keep_from_ipv6(&mut self, kernel: &str) {
        self.ours.entry(kernel.to_owned()).or_default();
    }

    /// The steps of the host: what is born and kept from IPv6, and then all else. Nothing comes up that isn't kept from it.
    pub(super) fn births(&mut self) -> (Vec<Step>, Vec<Step>) {
        let is_birth = |step: &Step| match &step.change {
            Change::AddVeth { ends, .. } => ends.iter().any(|end| end.place == Place::Host),
            // What is deleted is in the way.
            change => matches!(
                change,
                Change::AddBridge { .. } | Change::AddTap { .. } | Change::AddVxlan { .. } | Change::DeleteLink { .. }
            ),
        };
        let (mut births, rest): (Vec<Step>, Vec<Step>) = std::mem::take(&mut self.host).into_iter().partition(is_birth);
        births.extend(std::mem::take(&mut self.ours).into_iter().map(|(name, prefixes)| {
            let addresses = prefixes.iter().any(|prefix| prefix.address.is_ipv6());
            let label = format!("keeping {name} from IPv6");
            Step { label, change: Change::KeepFromIpv6 { name, addresses }, undo: None }
        }));
        (births, rest)
    }

    /// Refuses addresses that the configuration doesn't allow, and those of networks that this machine reaches otherwise.
    pub(super) fn check_host_addresses(&self) -> Result<(), Problem> {
        let wanted = || self.ours.iter().flat_map(|(link, all)| all.iter().map(move |prefix| (link, *prefix)));
        for (_, prefix) in wanted() {
            self.lab.allowed.address(prefix)?;
        }
        if wanted().next().is_none() {
            return Ok(());
        }
        let backend = self.lab.backend;
        let addresses =
            backend.addresses(&Place::Host).map_err(|fault| fault.problem("reading the host's addresses"))?;
        let routes = backend.routes(&Place::Host).map_err(|fault| fault.problem("reading the host's routes"))?;
        let own = |link: &str| self.on_host.values().any(|kernel| kernel == link);
        let addresses = addresses.into_iter().filter(|one| !own(&one.link));
        let routes = routes.into_iter().filter(|route| route.to.length > 0 && !route.dev.as_deref().is_some_and(own));
        let there: Vec<(Prefix, String)> = addresses
            .map(|one| (one.prefix, format!("the address {} on {}", one.prefix, one.link)))
            .chain(routes.map(|route| (route.to, format!("a route to {}", route.to))))
            .collect();
        for (_, prefix) in wanted() {
            let Some((_, what)) = there.iter().find(|(other, _)| overlap(prefix, *other)) else { continue };
            let message = format!("this machine can't have {prefix}: it has {what}, and wouldn't reach that any more");
            return Err(Problem::new(Code::Conflict, message)
                .help("use another network, or give the address to a node instead of the host")
                .data(json!({ "address": prefix }))
                .no_effect());
        }
        Ok(())
    }
}

/// Whether two networks have an address in common.
fn overlap(one: Prefix, other: Prefix) -> bool {
    let (wide, narrow) = if one.length <= other.length { (one, other) } else { (other, one) };
    wide.contains(narrow.address)
}

/// Refuses an MTU with which a link of the host can't be kept from IPv6.
pub fn check_mtu(label: &str, mtu: Option<u32>) -> Result<(), Problem> {
    match mtu {
        Some(mtu) if mtu < LEAST_MTU => Err(invalid(format!("{label}: {mtu} can't be its `mtu`")).help(format!(
            "use {LEAST_MTU} or more: a link of this machine would take part in IPv6 with less. Links between nodes may have less"
        ))),
        _ => Ok(()),
    }
}
