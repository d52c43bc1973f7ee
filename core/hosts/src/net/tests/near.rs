//! Where this machine is near a lab.

use serde_json::json;

use super::{
    super::{
        Near, bridges, rehearsal,
        types::{Address, Place},
    },
    own, two_nodes,
};
use crate::{
    lab_id::LabId,
    net::change::{Batch, Change},
    owner::PLATFORM,
    testing::Bench,
};

#[test]
fn this_machine_is_near_a_lab_where_it_has_an_address_on_its_bridge() {
    let stack = rehearsal();
    let bench = Bench::new(own(stack.clone()), &["net.write:*"]);
    two_nodes(&bench);
    let made = |lab: &str| {
        let made = bench.call("create_bridge", json!([lab, "lan2"])).unwrap();
        made["interface"].as_str().unwrap().to_owned()
    };
    let (mine, others) = (made("t"), made("t2"));
    let near = |lab: &str| bridges(&*stack, LabId::new(PLATFORM, lab), "test-instance").unwrap();
    assert_eq!(near("t"), []);
    let give = |link: &str, prefix: &str| {
        let address = Address { link: link.to_owned(), prefix: prefix.parse().unwrap() };
        let done = stack.apply(&[Batch { place: Place::Host, changes: vec![Change::AddAddress(address)] }]);
        assert!(done.iter().flatten().all(Result::is_ok), "{done:?}");
    };
    give(&mine, "10.72.0.1/24");
    give(&others, "10.73.0.1/24");
    // A device of the machine isn't the lab's, even in its network.
    bench.call("attach_device", json!(["t", "up0", "lan2"])).unwrap();
    give("up0", "192.0.2.1/24");
    assert_eq!(near("t"), [Near { bridge: mine, prefix: "10.72.0.1/24".parse().unwrap() }]);
    assert_eq!(near("t2"), [Near { bridge: others, prefix: "10.73.0.1/24".parse().unwrap() }]);
    assert_eq!(near("t3"), []);
    // Another instance of this machine has labs of the same name.
    assert_eq!(bridges(&*stack, LabId::new(PLATFORM, "t"), "another").unwrap(), []);
}
