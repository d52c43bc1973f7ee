//! What one can know of a server or a load balancer after it was made: what it costs, and how to get at it.

use std::net::Ipv4Addr;

use serde_json::Value;
use windlass_model::{
    Facts, ResourceRef,
    facts::{Console, Money},
};

/// The price of its type where it stands (net; a server's public address isn't in it), and a shell on a server.
pub fn facts(things: &[&ResourceRef], _: &Value, result: &Value) -> Vec<Facts> {
    things.iter().map(|thing| of(thing, result)).collect()
}

fn of(thing: &ResourceRef, made: &Value) -> Facts {
    let cost = made["price_monthly"].as_f64().zip(made["currency"].as_str());
    let monthly_cost = cost.and_then(|(amount, currency)| Money::parse(&format!("{amount:.2} {currency}")).ok());
    // It goes into a shell: an operator may have given the result by hand.
    let address = made["ipv4"].as_str().and_then(|text| text.parse::<Ipv4Addr>().ok());
    let shell = address.filter(|_| *thing.kind == *"server").and_then(|address| {
        let name = thing.id.rsplit('/').next().unwrap_or_default();
        Console::command(&format!("Shell on {name}"), &format!("ssh root@{address}")).ok()
    });
    Facts { monthly_cost, consoles: shell.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_server(made: Value) -> Facts {
        let thing = ResourceRef { provider: "hetzner".into(), kind: "server".into(), id: "main/acme-cp1".into() };
        facts(&[&thing], &json!([]), &made).remove(0)
    }

    #[test]
    fn a_server_has_a_price_and_a_shell() {
        let known = of_server(json!({ "price_monthly": 3.49, "currency": "EUR", "ipv4": "192.0.2.7" }));
        assert_eq!(known.monthly_cost, Some(Money { amount: 349, currency: "EUR".into() }));
        assert_eq!(known.consoles, [Console::command("Shell on acme-cp1", "ssh root@192.0.2.7").unwrap()]);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        for made in [
            json!({ "id": 7 }),
            json!({ "price_monthly": null, "currency": "EUR", "ipv4": null }),
            json!({ "price_monthly": -1.0, "currency": "EUR", "ipv4": "192.0.2.7; reboot" }),
            json!({ "price_monthly": 1e300, "currency": "euro", "ipv4": 7 }),
        ] {
            assert_eq!(of_server(made.clone()), Facts::default(), "{made}");
        }
    }
}
