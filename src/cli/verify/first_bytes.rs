//! Attempts that no TLS library makes: plain HTTP, and a client that knows nothing newer than TLS 1.1.

use super::knock::{Door, Seen, exchange, seen_of};
use rustls::AlertDescription;
use std::io::{Read, Write};

/// Plain HTTP on the TLS port.
pub(super) fn plain_http(door: &Door) -> Seen {
    match door.connect() {
        Ok(mut stream) => exchange(
            &mut stream,
            b"GET / HTTP/1.1\r\nHost: portcullis-verify.invalid\r\n\r\n",
        ),
        Err(seen) => seen,
    }
}

/// A ClientHello that offers TLS 1.1.
pub(super) fn tls_1_1(door: &Door) -> Seen {
    const HANDSHAKE: u8 = 22;
    const ALERT: u8 = 21;
    let mut stream = match door.connect() {
        Ok(stream) => stream,
        Err(seen) => return seen,
    };
    let mut head = [0; 5];
    let answered = stream
        .write_all(&client_hello(door.tls_name()))
        .and_then(|()| stream.read_exact(&mut head));
    if let Err(error) = answered {
        return seen_of(&error);
    }
    let mut alert = [0; 2];
    match head {
        [ALERT, ..] => match stream.read_exact(&mut alert) {
            Ok(()) => Seen::Alert(AlertDescription::from(alert[1])),
            Err(error) => seen_of(&error),
        },
        [HANDSHAKE, ..] => Seen::Other("LET IN: the handshake goes on".to_owned()),
        _ => Seen::Other("neither an alert nor a handshake".to_owned()),
    }
}

/// RFC 4346 section 7.4.1.2, with the extensions of a client of its time.
fn client_hello(name: &str) -> Vec<u8> {
    const TLS_1_1: [u8; 2] = [3, 2];
    /// ECDHE and RSA with AES in CBC mode, which every server of that time took.
    const SUITES: [u8; 8] = [0xc0, 0x09, 0xc0, 0x13, 0x00, 0x2f, 0x00, 0x35];
    let server_name = extension(0, &sized(&[&[0][..], &sized(name.as_bytes())].concat()));
    let groups = extension(10, &sized(&[0, 23, 0, 24]));
    let point_formats = extension(11, &[1, 0]);
    // No client of that time sent this one; without it servers of today would refuse for its lack, not for the version.
    let signatures = extension(13, &sized(&[4, 3, 4, 1]));
    let extensions = [server_name, groups, point_formats, signatures].concat();
    let random = crate::tls::random::<32>();
    let body = [
        &TLS_1_1[..],
        &random,
        &[0],
        &sized(&SUITES),
        &[1, 0],
        &sized(&extensions),
    ]
    .concat();
    // A message's length has three octets, and this one is far below what two can say.
    let message = [&[1, 0][..], &sized(&body)].concat();
    [&[22, 3, 1][..], &sized(&message)].concat()
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &sized(data)].concat()
}

/// With its length before it, in two octets.
fn sized(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], data].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_what_follows() {
        let hello = client_hello("api.example.org");
        assert_eq!(
            usize::from(u16::from_be_bytes([hello[3], hello[4]])),
            hello.len() - 5
        );
        assert_eq!(
            usize::from(u16::from_be_bytes([hello[7], hello[8]])),
            hello.len() - 9
        );
        assert_eq!(hello[9..11], [3, 2]);
    }
}
