//! One question to one name server: over UDP, over TCP where the answer doesn't fit; and a whole zone (AXFR).

use std::{net::SocketAddr, time::Duration};

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query},
    rr::{Name, RData, Record, RecordType},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

/// How long one attempt waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Attempts over UDP, where datagrams get lost.
const ATTEMPTS: usize = 2;

/// Bytes of a datagram: what passes every network unfragmented.
const DATAGRAM: u16 = 1_232;

/// Records of a zone that is transferred, at most.
const TRANSFERRED: usize = 1_000_000;

/// What to ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// The type.
    pub(super) kind: RecordType,
    /// Whether the server is to find the answer elsewhere.
    pub(super) recursive: bool,
    /// Whether signatures are to come along.
    pub(super) signatures: bool,
}

/// Asks; the error is a sentence for people.
pub(super) async fn ask(server: SocketAddr, name: &Name, wanted: Wanted) -> Result<Message, String> {
    let question = question(name, wanted);
    let mut why = String::new();
    for _ in 0..ATTEMPTS {
        match timeout(PATIENCE, by_udp(server, &question)).await {
            Ok(Ok(answer)) if answer.metadata.truncation => {
                return timeout(PATIENCE, by_tcp(server, &question)).await.unwrap_or_else(|_| {
                    Err(format!("{server} doesn't answer over TCP within {} s", PATIENCE.as_secs()))
                });
            }
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => why = error,
            Err(_) => why = format!("{server} doesn't answer within {} s", PATIENCE.as_secs()),
        }
    }
    Err(why)
}

fn question(name: &Name, wanted: Wanted) -> Message {
    let mut message = Message::new(rand::random(), MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = wanted.recursive;
    message.add_query(Query::query(name.clone(), wanted.kind));
    let mut edns = Edns::new();
    edns.set_max_payload(DATAGRAM).set_version(0).set_dnssec_ok(wanted.signatures);
    message.set_edns(edns);
    message
}

fn encoded(message: &Message) -> Result<Vec<u8>, String> {
    message.to_vec().map_err(|error| format!("the question can't be written: {error}"))
}

/// Whether this answers that question, and not another one.
fn answers(answer: &Message, question: &Message) -> bool {
    answer.metadata.id == question.metadata.id
        && answer.metadata.message_type == MessageType::Response
        && answer.queries.first().map(|query| (query.name(), query.query_type()))
            == question.queries.first().map(|query| (query.name(), query.query_type()))
}

async fn by_udp(server: SocketAddr, question: &Message) -> Result<Message, String> {
    let broken = |error: std::io::Error| format!("{server} can't be reached: {error}");
    let own = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(own).await.map_err(broken)?;
    // Datagrams of anybody else aren't received then.
    socket.connect(server).await.map_err(broken)?;
    socket.send(&encoded(question)?).await.map_err(broken)?;
    let mut buffer = vec![0; 65_535];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(broken)?;
        if let Ok(answer) = Message::from_vec(&buffer[..length])
            && answers(&answer, question)
        {
            return Ok(answer);
        }
    }
}

async fn by_tcp(server: SocketAddr, question: &Message) -> Result<Message, String> {
    let mut stream =
        TcpStream::connect(server).await.map_err(|error| format!("{server} can't be reached over TCP: {error}"))?;
    send(&mut stream, question).await?;
    let answer = receive(&mut stream).await?;
    match answers(&answer, question) {
        true => Ok(answer),
        false => Err(format!("{server} answered another question than was asked")),
    }
}

async fn send(stream: &mut TcpStream, question: &Message) -> Result<(), String> {
    let bytes = encoded(question)?;
    let length = u16::try_from(bytes.len()).map_err(|_| "the question is too long".to_owned())?;
    let framed = [&length.to_be_bytes()[..], &bytes].concat();
    stream.write_all(&framed).await.map_err(|error| format!("the connection broke: {error}"))
}

async fn receive(stream: &mut TcpStream) -> Result<Message, String> {
    let broken = |error: std::io::Error| format!("the connection broke: {error}");
    let length = stream.read_u16().await.map_err(broken)?;
    let mut buffer = vec![0; usize::from(length)];
    stream.read_exact(&mut buffer).await.map_err(broken)?;
    Message::from_vec(&buffer).map_err(|error| format!("the answer can't be read: {error}"))
}

/// A whole zone, as its server hands it out.
pub(super) async fn transfer(server: SocketAddr, zone: &Name) -> Result<Vec<Record>, String> {
    let mut question = Message::new(rand::random(), MessageType::Query, OpCode::Query);
    question.add_query(Query::query(zone.clone(), RecordType::AXFR));
    let late = |_| format!("{server} doesn't go on with the transfer");
    let connecting = timeout(PATIENCE, TcpStream::connect(server)).await.map_err(late)?;
    let mut stream = connecting.map_err(|error| format!("{server} can't be reached over TCP: {error}"))?;
    send(&mut stream, &question).await?;
    let mut records: Vec<Record> = Vec::new();
    loop {
        let message = timeout(PATIENCE * 3, receive(&mut stream)).await.map_err(late)??;
        if message.metadata.id != question.metadata.id {
            return Err(format!("{server} answered another question than was asked"));
        }
        if message.metadata.response_code != hickory_proto::op::ResponseCode::NoError {
            return Err(format!("{server} refuses the transfer: {}", message.metadata.response_code));
        }
        if message.answers.is_empty() {
            return Err(format!("{server} ended the transfer without the whole zone"));
        }
        for record in message.answers {
            let ends = matches!(record.data, RData::SOA(_)) && !records.is_empty();
            if ends {
                return Ok(records);
            }
            if records.is_empty() && !matches!(record.data, RData::SOA(_)) {
                return Err(format!("{server} began the transfer with something else than the zone's SOA"));
            }
            if records.len() >= TRANSFERRED {
                return Err(format!("the zone has more than {TRANSFERRED} records"));
            }
            records.push(record);
        }
    }
}
