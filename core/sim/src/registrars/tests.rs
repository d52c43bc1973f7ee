//! Every simulator starts and answers; what they say is looked at through plugins and official clients.

use super::{KINDS, start};

#[test]
fn each_starts_and_stops() {
    for kind in KINDS {
        let running = start(kind.name, ([127, 0, 0, 1], 0).into()).unwrap().unwrap();
        assert!(running.server.address().port() > 0);
        assert_eq!(running.book.names().len(), 4);
        assert!(kind.credentials.iter().any(|(name, _)| *name == kind.key));
        running.server.stop();
    }
    assert!(start("nobody", ([127, 0, 0, 1], 0).into()).is_none());
}
