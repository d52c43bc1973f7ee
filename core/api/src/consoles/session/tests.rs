//! One console and several people at it.

use tokio::{io::DuplexStream, sync::oneshot, task::JoinHandle};

use super::{super::outbox::Item, *};

const SIZE: Size = Size { cols: 80, rows: 24 };

/// A session with the other end of its console.
fn session(change: impl FnOnce(&mut ConsoleConfig)) -> (Arc<Session>, DuplexStream, JoinHandle<()>) {
    let mut config = ConsoleConfig::default();
    change(&mut config);
    let (ours, theirs) = tokio::io::duplex(1 << 10);
    let (exit, code) = oneshot::channel();
    exit.send(Some(7)).unwrap();
    let (session, typed) = Session::new(&config, watch::Sender::new(SIZE));
    let source = ConsoleSource { stream: Box::new(ours), exit: code };
    let (running, stop) = (session.clone(), watch::channel(false));
    let task = tokio::spawn(async move {
        let (_told, stopping) = stop;
        running.run(source, typed, std::future::pending(), stopping).await;
    });
    (session, theirs, task)
}

async fn shown(outbox: &Outbox) -> Bytes {
    loop {
        if let Item::Shown(bytes) = outbox.next().await {
            return bytes;
        }
    }
}

#[tokio::test]
async fn the_keyboard_is_taken_given_up_and_passed_on() {
    let (session, mut node, _task) = session(|_| ());
    let larger = Size { cols: 120, rows: 40 };
    let (ann, _) = session.join("ann", true, SIZE);
    let (ben, _) = session.join("ben", true, larger);
    let (eve, _) = session.join("eve", false, larger);
    assert_eq!(session.state(ben).typist.as_deref(), Some("ann"));
    assert_eq!(session.size(), SIZE, "the size is that of who types");
    assert_eq!(session.typed(ben, "x".into()).await.unwrap_err().code, Code::Conflict);
    assert_eq!(session.keyboard(eve, true).unwrap_err().code, Code::PermissionDenied);
    session.keyboard(ben, true).unwrap();
    assert_eq!((session.state(ben).typing, session.size()), (true, larger));
    session.typed(ben, "b".into()).await.unwrap();
    session.leave(ben);
    assert!(session.state(ann).typing, "it passes on");
    session.typed(ann, "a".into()).await.unwrap();
    let mut typed = [0; 2];
    node.read_exact(&mut typed).await.unwrap();
    assert_eq!(&typed, b"ba");
    session.keyboard(ann, false).unwrap();
    assert_eq!(session.state(eve), State { viewers: 2, typist: None, typing: false, size: SIZE, recording: None });
}

#[tokio::test]
async fn who_comes_late_sees_the_last_of_it_and_the_end_comes_with_its_code() {
    let (session, mut node, task) = session(|config| config.scrollback_bytes = 16);
    let (_, ann) = session.join("ann", true, SIZE);
    for piece in ["first line\n", "second\nthird\n"] {
        node.write_all(piece.as_bytes()).await.unwrap();
        assert_eq!(shown(&ann).await, piece);
    }
    let (_, ben) = session.join("ben", true, SIZE);
    assert_eq!(shown(&ben).await, "third\n", "from the first whole line of what is kept");
    drop(node);
    assert_eq!(ann.ended().await, End::Exited(Some(7)));
    task.await.unwrap();
    assert_eq!(session.join("cleo", true, SIZE).1.ended().await, End::Exited(Some(7)));
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_goes_and_who_is_alone_is_waited_for() {
    let (session, mut node, _task) = session(|config| config.queue_bytes = 2 << 10);
    let (_, fast) = session.join("ann", true, SIZE);
    let (_, slow) = session.join("ben", true, SIZE);
    let writer = tokio::spawn(async move {
        node.write_all(&[b'x'; 64 << 10]).await.unwrap();
        node
    });
    let mut count = 0;
    while count < 64 << 10 {
        count += shown(&fast).await.len();
        session.taken();
    }
    assert_eq!((slow.ended().await, session.state(1).viewers), (End::TooSlow, 1));
    let mut node = writer.await.unwrap();
    // Alone and slow: each piece is waited for, but not for ever.
    let writer = tokio::spawn(async move { node.write_all(&[b'y'; 64 << 10]).await });
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(shown(&fast).await[0], b'y');
        session.taken();
    }
    assert_eq!(fast.ended().await, End::TooSlow);
    drop(writer);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_nobody_is_there_or_nothing_happens() {
    let (alone, _node, task) = session(|config| (config.linger_ms, config.idle_ms) = (1_000, 60_000));
    let (ann, _) = alone.join("ann", true, SIZE);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(!alone.is_over());
    alone.leave(ann);
    task.await.unwrap();
    assert!(alone.is_over());
    let (idle, mut node, task) = session(|config| config.idle_ms = 60_000);
    let (ben, outbox) = idle.join("ben", true, SIZE);
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(50)).await;
        node.write_all(b"x").await.unwrap();
        assert_eq!(shown(&outbox).await, "x");
        tokio::time::sleep(Duration::from_secs(50)).await;
        idle.typed(ben, "y".into()).await.unwrap();
    }
    task.await.unwrap();
    assert_eq!(outbox.ended().await, End::Idle);
}
