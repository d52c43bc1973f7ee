//! The PROXY protocol, versions 1 and 2: what a proxy says of the other end before the connection begins.

use std::{
    io::{Error, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The first twelve bytes of version 2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1.
const LINE_BYTES: usize = 107;
/// Addresses and extensions of version 2 that are read.
const BLOCK_BYTES: usize = 4_096;

/// Reads the preface; the address that it tells, or none if the proxy speaks for itself. Addresses of IPv4 that were
/// written as IPv6's are what they are: networks are compared with them.
pub(crate) async fn read_preface(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<IpAddr>, Error> {
    Ok(preface(stream).await?.map(|address| address.to_canonical()))
}

async fn preface(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<IpAddr>, Error> {
    let wrong = |why: &str| Error::new(ErrorKind::InvalidData, why.to_owned());
    let mut head = vec![0; 12];
    stream.read_exact(&mut head).await?;
    if head == SIGNATURE {
        let mut rest = [0; 4];
        stream.read_exact(&mut rest).await?;
        let [command, family, high, low] = rest;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if command >> 4 != 2 || length > BLOCK_BYTES {
            return Err(wrong("not version 2, or too long"));
        }
        let mut block = vec![0; length];
        stream.read_exact(&mut block).await?;
        return match (command & 0x0f, family >> 4) {
            (0, _) => Ok(None),
            (1, 1) => block
                .first_chunk::<12>()
                .map(|b| Some(Ipv4Addr::new(b[0], b[1], b[2], b[3]).into()))
                .ok_or_else(|| wrong("cut off")),
            (1, 2) => match block.first_chunk::<36>().and_then(|block| block.first_chunk::<16>()) {
                Some(bytes) => Ok(Some(Ipv6Addr::from(*bytes).into())),
                None => Err(wrong("cut off")),
            },
            (1, _) => Ok(None),
            _ => Err(wrong("an unknown command")),
        };
    }
    if !head.starts_with(b"PROXY ") {
        return Err(wrong("no preface"));
    }
    while !head.ends_with(b"\r\n") {
        if head.len() >= LINE_BYTES {
            return Err(wrong("the line is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    let line = std::str::from_utf8(&head).map_err(|_| wrong("not text"))?;
    let mut words = line.trim_end().split(' ').skip(1);
    match (words.next(), words.next().map(str::parse::<IpAddr>)) {
        (Some("UNKNOWN"), _) => Ok(None),
        (Some("TCP4" | "TCP6"), Some(Ok(address))) => Ok(Some(address)),
        _ => Err(wrong("no address in the line")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> Result<(Option<IpAddr>, usize), String> {
        let told = read_preface(&mut bytes).await.map_err(|error| error.to_string())?;
        Ok((told, bytes.len()))
    }

    #[tokio::test]
    async fn both_versions_are_read_to_their_end_and_no_further() {
        let address: IpAddr = "192.0.2.7".parse().unwrap();
        assert_eq!(read(b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\nGET").await.unwrap(), (Some(address), 3));
        assert_eq!(read(b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n").await.unwrap(), (Some(address), 0));
        assert_eq!(read(b"PROXY UNKNOWN\r\nGET").await.unwrap(), (None, 3));
        let mut second = SIGNATURE.to_vec();
        second.extend([0x21, 0x11, 0, 12, 192, 0, 2, 7, 10, 0, 0, 1, 0, 1, 0, 2]);
        second.extend(b"GET");
        assert_eq!(read(&second).await.unwrap(), (Some(address), 3));
        let mut local = SIGNATURE.to_vec();
        local.extend([0x20, 0, 0, 0]);
        assert_eq!(read(&local).await.unwrap(), (None, 0));
    }

    #[tokio::test]
    async fn what_is_no_preface_is_refused() {
        let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        for bytes in [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &long, b"PROXY TCP4 nobody\r\n.....", b"PROX"] {
            assert!(read(bytes).await.is_err(), "{bytes:?}");
        }
    }
}
