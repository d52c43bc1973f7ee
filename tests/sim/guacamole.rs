//! Apache Guacamole, simulated: a client that others have written can't tell.

use std::sync::Arc;

use windlass_sim::{
    Clock, Control,
    guacamole::{BASE, Config, Guacamole, PASSWORD, USER},
    serve,
};
use windlass_tests::clients::{drive, python_of};

#[test]
fn a_client_that_others_have_written_is_content() {
    let Some(python) = python_of("guacamole") else { return };
    let control = Control::new(Clock::system());
    let web = Arc::new(Guacamole::new(Config::default(), control.clock.clone()));
    let server = serve(([127, 0, 0, 1], 0).into(), web.clone(), &control).unwrap();
    let address = server.address();
    let said =
        drive(&python, "guacamole.py", &[&address.ip().to_string(), &address.port().to_string(), BASE, USER, PASSWORD]);
    assert!(said.contains("everything was made and removed"), "{said}");
    assert_eq!(web.count(), 0, "nothing is left");
    assert!(control.seen().len() > 30, "so few requests: {}", control.seen().len());
}
