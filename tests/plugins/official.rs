//! Simulators of registrars, asked by the registrars' own clients.

use windlass_sim::registrars::{self, book};
use windlass_tests::clients;

#[test]
fn the_official_clients_take_the_simulators_for_the_registrars() {
    let Some(python) = clients::python() else { return };
    let start = |name: &str| registrars::start(name, ([127, 0, 0, 1], 0).into()).unwrap().unwrap();
    let (ovh, godaddy) = (start("ovh"), start("godaddy"));
    let urls = (format!("{}/1.0", ovh.server.url()), format!("{}/v1", godaddy.server.url()));
    let output =
        clients::drive(&python, "registrars.py", &[&urls.0, &urls.1, book::GOOD, book::READ_ONLY, book::SECRET]);
    assert!(output.contains("ovh: fine") && output.contains("godaddy: fine"), "{output}");
    let servers = ["ns1.example.org", "ns2.example.org"];
    assert_eq!(ovh.book.get("ours.example").unwrap().nameservers, servers);
    assert_eq!(godaddy.book.get("ours.example").unwrap().nameservers, servers);
}
