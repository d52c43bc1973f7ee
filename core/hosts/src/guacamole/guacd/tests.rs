//! The client against guacd's double, and against somebody who means harm.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use windlass_sim::{
    Clock, Failure, Fault, Faults,
    guacd::{Config as Behaviour, Guacd, Seen},
};

use super::*;

/// guacd, and a machine that it can reach.
struct World {
    guacd: Guacd,
    faults: Faults,
    machine: TcpListener,
}

impl World {
    async fn new(behaviour: Behaviour) -> Self {
        let faults = Faults::new(Clock::system());
        let guacd = Guacd::start(([127, 0, 0, 1], 0).into(), behaviour, faults.clone()).unwrap();
        Self { guacd, faults, machine: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn config(&self) -> Config {
        Config::new(&self.guacd.address().to_string())
    }

    fn handshake(&self, protocol: &str) -> Handshake {
        let port = self.machine.local_addr().unwrap().port().to_string();
        Handshake::new(protocol).parameter("hostname", "127.0.0.1").parameter("port", port)
    }

    /// Waits until a session is as it should be.
    async fn until(&self, what: &str, fits: impl Fn(&Seen) -> bool) -> Seen {
        let begin = Instant::now();
        loop {
            if let Some(seen) = self.guacd.sessions().iter().find(|seen| fits(seen)) {
                return seen.clone();
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "{what}: {:?}", self.guacd.sessions());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn quick() -> Behaviour {
    Behaviour { sync: Duration::from_millis(20), patience: Duration::from_millis(400), ..Behaviour::default() }
}

async fn find(reader: &mut Reader, opcode: &str) -> Instruction {
    loop {
        let instruction = reader.next().await.unwrap().unwrap();
        if instruction.opcode == opcode {
            return instruction;
        }
    }
}

#[tokio::test]
async fn a_session_gets_what_it_was_told_in_guacds_order() {
    // Nobody answers syncs here.
    let world = World::new(Behaviour { sync: Duration::from_millis(20), ..Behaviour::default() }).await;
    let mut wanted = world.handshake("telnet").parameter("username", "Jürgen 日本🥑").parameter("password", "hunter2");
    wanted.timezone = Some("Europe/Berlin".into());
    let tunnel = open(&world.config(), wanted).await.unwrap();
    let seen = world.until("it is there", |seen| seen.users == 1).await;
    assert_eq!((seen.id.as_str(), seen.protocol.as_str()), (tunnel.id.as_str(), "telnet"));
    assert_eq!(seen.parameters["username"], "Jürgen 日本🥑");
    assert_eq!((seen.parameters["hostname"].as_str(), seen.parameters["password"].as_str()), ("127.0.0.1", "given"));
    assert_eq!(
        (&seen.told["size"], &seen.told["timezone"]),
        (&vec!["1024".into(), "768".into(), "96".into()], &vec!["Europe/Berlin".into()])
    );
    // What is typed reaches the machine, and a key is drawn for everybody.
    let (mut machine, _) = world.machine.accept().await.unwrap();
    let mut reader = tunnel.reader;
    tunnel.writer.send(&Instruction::new("key", ["104", "1"])).await.unwrap();
    let mut byte = [0];
    machine.read_exact(&mut byte).await.unwrap();
    assert_eq!(byte, [b'h']);
    assert_eq!(find(&mut reader, "rect").await.args[1], "104");
    tunnel.writer.disconnect().await.unwrap();
    world.until("it ends", |seen| seen.ended).await;
}

#[tokio::test]
async fn syncs_are_answered_or_the_session_ends() {
    let patience = Duration::from_secs(3);
    let world = World::new(Behaviour { patience, ..quick() }).await;
    let mut tunnel = open(&world.config(), world.handshake("vnc")).await.unwrap();
    tunnel.reader.answer_syncs();
    let begin = Instant::now();
    while begin.elapsed() < patience + Duration::from_secs(1) {
        tunnel.reader.next().await.unwrap().unwrap();
    }
    let seen = world.until("answers", |seen| seen.syncs > 5).await;
    assert!(!seen.ended, "it goes on for longer than guacd waits for an answer");
    drop(tunnel);
    world.until("it ends with its tunnel", |seen| seen.ended).await;

    let world = World::new(quick()).await;
    let mut deaf = open(&world.config(), world.handshake("vnc")).await.unwrap();
    let problem = loop {
        match deaf.reader.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("guacd says why"),
            Err(problem) => break problem,
        }
    };
    assert_eq!((problem.code, &problem.data["status"]), (Code::Unavailable, &776.into()));
}

#[tokio::test]
async fn a_quiet_client_is_kept_alive() {
    let behaviour =
        Behaviour { sync: Duration::from_secs(60), patience: Duration::from_secs(60), ..Behaviour::default() };
    let world = World::new(behaviour).await;
    let config =
        Config { keep_alive: Duration::from_millis(10), silence: Duration::from_millis(300), ..world.config() };
    let mut tunnel = open(&config, world.handshake("vnc")).await.unwrap();
    world.until("it hears of us", |seen| seen.nops > 3).await;
    let problem = loop {
        match tunnel.reader.next().await {
            Ok(_) => {}
            Err(problem) => break problem,
        }
    };
    assert!(problem.message.contains("said nothing for 300 ms"), "{problem}");
}

#[tokio::test]
async fn others_join_and_only_look() {
    let world = World::new(Behaviour { sync: Duration::from_millis(20), ..Behaviour::default() }).await;
    let first = open(&world.config(), world.handshake("vnc")).await.unwrap();
    let mut look = Handshake::new(&first.id);
    look.read_only = true;
    let mut second = open(&world.config(), look).await.unwrap();
    assert_eq!(second.id, first.id);
    world.until("both are in it", |seen| seen.users == 2).await;
    let key = Instruction::new("key", ["65", "1"]);
    assert_eq!(second.writer.send(&key).await.unwrap_err().code, Code::PermissionDenied);
    assert!(second.writer.is_read_only());
    second.writer.send(&Instruction::new("sync", ["0"])).await.unwrap();
    first.writer.send(&key).await.unwrap();
    assert_eq!(find(&mut second.reader, "rect").await.args[1], "65", "they see the same");
    let gone = open(&world.config(), Handshake::new("$nobody")).await.unwrap_err();
    assert!(gone.message.contains("no tunnel with this id"), "{gone}");
}

#[tokio::test]
async fn refusals_are_told_in_words() {
    let world = World::new(quick()).await;
    let unknown = open(&world.config(), world.handshake("vnc").parameter("hostnam", "x")).await.unwrap_err();
    assert!(unknown.code == Code::InvalidArgument && unknown.message.contains("hostnam"), "{unknown}");
    let protocol = open(&world.config(), Handshake::new("spice")).await.unwrap_err();
    assert!(protocol.message.contains("doesn't know this protocol"), "{protocol}");
    assert_eq!(open(&world.config(), Handshake::new("a b")).await.unwrap_err().code, Code::InvalidArgument);
    for (status, code) in
        [(769, Code::PermissionDenied), (513, Code::Unavailable), (516, Code::NotFound), (7, Code::Unavailable)]
    {
        let failure = Failure { status, code: "no".into(), message: Some("Not today: grüße".into()) };
        world.faults.add([Fault::Fail { operation: "guacd.connect".into(), times: 1, failure }]);
        let problem = open(&world.config(), world.handshake("ssh").parameter("password", "hunter2")).await.unwrap_err();
        assert_eq!((problem.code, problem.data["status"].as_u64()), (code, Some(status.into())));
        assert!(
            problem.message.contains("Not today: grüße") && !format!("{problem:?}").contains("hunter2"),
            "{problem}"
        );
    }
    // A machine that isn't there is told in the tunnel, as guacd does.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port().to_string();
    let wanted = Handshake::new("vnc").parameter("hostname", "127.0.0.1").parameter("port", nobody);
    let mut tunnel = open(&world.config(), wanted).await.unwrap();
    let problem = tunnel.reader.next().await.unwrap_err();
    assert!(problem.message.contains("nothing answers at the machine's address"), "{problem}");
    let absent = open(&Config::new("127.0.0.1:1"), Handshake::new("vnc")).await.unwrap_err();
    assert!(absent.no_effect && absent.retryable, "{absent}");
}

/// Somebody who says this to whoever connects, and keeps the connection open.
async fn impostor(says: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let says = says.clone();
            tokio::spawn(async move {
                let _ = stream.write_all(&says).await;
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn who_means_harm_is_refused_within_bounds() {
    let giant = [b"4.args,65000.".to_vec(), vec![b'x'; 10 << 20]].concat();
    let wide = format!("4.args,65000.{}", "é".repeat(5 << 20)).into_bytes();
    for (says, why) in [
        (b"999999999999.".to_vec(), "5 digits"),
        (giant, "doesn't fit"),
        (wide, "more than 65536 bytes"),
        (b"4.argsX".to_vec(), "doesn't fit"),
        ("1.a,".repeat(1_000).into_bytes(), "128 elements"),
        ("3.nop;".repeat(1_000).into_bytes(), "and never `args`"),
        (b"5.ready,2.$x;".to_vec(), "`args` was due"),
        (b"4.args,13.VERSION_1_5_0,8.hostname;5.ready,3.abc;".to_vec(), "an id that isn't one"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec(), "isn't the Guacamole protocol"),
        (Vec::new(), "took longer than 300 ms"),
    ] {
        let handshake = if says.is_empty() { Duration::from_millis(300) } else { Duration::from_secs(60) };
        let config = Config { handshake, ..Config::new(&impostor(says.clone()).await.to_string()) };
        let problem = open(&config, Handshake::new("vnc")).await.unwrap_err();
        let begin = String::from_utf8_lossy(&says[..says.len().min(20)]).into_owned();
        assert!(problem.message.contains(why), "{begin}: {problem}");
    }
}

#[tokio::test]
async fn an_older_guacd_tells_no_version_and_gets_none() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let old = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // In pieces that cut lengths and characters.
        for piece in ["4.ar", "gs,8.host", "name,9.read-only", ";5.ready,4.$", "日本", "語", ";"] {
            stream.write_all(piece.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut heard = vec![0; 4_096];
        let mut length = 0;
        while !String::from_utf8_lossy(&heard[..length]).contains("7.connect") {
            length += stream.read(&mut heard[length..]).await.unwrap();
        }
        String::from_utf8_lossy(&heard[..length]).into_owned()
    });
    let mut wanted = Handshake::new("vnc").parameter("hostname", "grüße");
    wanted.timezone = Some("Europe/Berlin".into());
    wanted.read_only = true;
    let tunnel = open(&Config::new(&address), wanted).await.unwrap();
    assert_eq!(tunnel.id, "$日本語");
    let heard = old.await.unwrap();
    assert!(heard.contains("7.connect,5.grüße,4.true;"), "{heard}");
    assert!(!heard.contains("timezone"), "{heard}");
}
