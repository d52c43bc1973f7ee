//! Three routers with OSPF, as the example has them: they find each other, and traffic finds the other way when a link fails.

use serde_json::{Value, json};
use windlass_tests::{Docker, skip};

use super::{Place, containers};

#[test]
fn three_routers_converge_and_survive_a_link() {
    let Some(docker) = Docker::shared() else { return };
    if let Err(reason) = docker.make_router_image() {
        return skip(&reason);
    }
    let capabilities = "images = [\"frr:*\"]\ncapabilities = [\"NET_ADMIN\", \"NET_RAW\", \"SYS_ADMIN\"]\n";
    let Some(mut place) = Place::with_docker(&docker, capabilities) else { return };
    place.labs.push("three-routers".into());
    let began = std::time::Instant::now();
    let output = place.windlass(None, &["run", "lab/deploy", "--input", "examples/labs/three-routers.yaml"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let deployed = place.newest();
    assert!(
        deployed["output"]["checks"].as_array().unwrap().iter().all(|check| check["holds"] == true),
        "{deployed:#}"
    );
    let drilled = &deployed["output"]["drills"][0];
    assert!((5..15_000).contains(&drilled["failover_ms"].as_u64().unwrap()), "{drilled:#}");
    eprintln!("three routers: {:?}, checks {}", began.elapsed(), deployed["output"]["checks"]);

    let ask = |node: &str, command: &str| -> String {
        let argv: Value = json!(["vtysh", "-c", command]);
        let run = place.run("lab/exec", &json!({ "lab": "three-routers", "node": node, "argv": argv }));
        assert_eq!(run["output"]["code"], 0, "{run:#}");
        run["output"]["stdout"].as_str().unwrap().to_owned()
    };
    // The link that the deployment pulled is a neighbour's again after some seconds.
    windlass_tests::wait_until(
        "traffic to go the direct way again, there and back",
        std::time::Duration::from_secs(60),
        || {
            ask("r1", "show ip route 10.2.0.0/24").contains("10.0.12.2")
                && ask("r2", "show ip route 10.1.0.0/24").contains("10.0.12.1")
                && ask("r1", "show ip ospf neighbor").matches("Full/").count() == 2
        },
    );
    let neighbours = ask("r1", "show ip ospf neighbor");
    assert_eq!(neighbours.matches("Full/").count(), 2, "{neighbours}");

    let failover_ms = |at: &str| {
        let input = json!({ "lab": "three-routers", "at": at, "from": "h1", "to": "10.2.0.10" });
        let drill = place.run("lab/drill", &input);
        assert_eq!(drill["state"], "succeeded", "{at}: {:#}", drill["problem"]);
        eprintln!("{at}: {}", drill["output"]);
        drill["output"]["failover_ms"].as_u64().unwrap()
    };
    assert_eq!(failover_ms("r3:eth2"), 0, "traffic doesn't go there");
    // A router sees at once that a cable is pulled at its own end, and takes the other way.
    let direct = failover_ms("r1:eth1");
    assert!((5..15_000).contains(&direct), "{direct}");
    place.verified("three-routers").expect("the link is plugged in again");
    place.run("lab/destroy", &json!({ "lab": "three-routers" }));
    assert!(containers(&docker, "three-routers").is_empty() && place.kernel("three-routers").is_empty());
}
