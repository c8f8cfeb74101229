//! Attempts that TLS libraries do not support: plain HTTP on the TLS port, and a client limited to TLS 1.1.

use super::probe::{Observation, ProbeTarget, exchange, observation_of};
use rustls::AlertDescription;
use std::io::{Read, Write};

/// Plain HTTP on the TLS port.
pub(super) fn plain_http(target: &ProbeTarget) -> Observation {
    match target.connect() {
        Ok(mut stream) => exchange(
            &mut stream,
            b"GET / HTTP/1.1\r\nHost: portcullis-verify.invalid\r\n\r\n",
        ),
        Err(observation) => observation,
    }
}

/// A ClientHello that offers TLS 1.1.
pub(super) fn tls_1_1(target: &ProbeTarget) -> Observation {
    const HANDSHAKE: u8 = 22;
    const ALERT: u8 = 21;
    let mut stream = match target.connect() {
        Ok(stream) => stream,
        Err(observation) => return observation,
    };
    let mut head = [0; 5];
    let received = stream
        .write_all(&client_hello(target.tls_name()))
        .and_then(|()| stream.read_exact(&mut head));
    if let Err(error) = received {
        return observation_of(&error);
    }
    let mut alert = [0; 2];
    match head {
        [ALERT, ..] => match stream.read_exact(&mut alert) {
            Ok(()) => Observation::Alert(AlertDescription::from(alert[1])),
            Err(error) => observation_of(&error),
        },
        [HANDSHAKE, ..] => Observation::Other("LET IN: the handshake goes on".to_owned()),
        _ => Observation::Other("neither an alert nor a handshake".to_owned()),
    }
}

/// A ClientHello of TLS 1.1 (RFC 4346 section 7.4.1.2), with the extensions of clients of that time.
fn client_hello(name: &str) -> Vec<u8> {
    const TLS_1_1: [u8; 2] = [3, 2];
    /// ECDHE and RSA with AES in CBC mode, which every server of that time accepted.
    const SUITES: [u8; 8] = [0xc0, 0x09, 0xc0, 0x13, 0x00, 0x2f, 0x00, 0x35];
    let server_name = extension(0, &sized(&[&[0][..], &sized(name.as_bytes())].concat()));
    let groups = extension(10, &sized(&[0, 23, 0, 24]));
    let point_formats = extension(11, &[1, 0]);
    // Clients of that time did not send this extension. Without it, current servers would reject for its absence, not for the
    // version.
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
    // The length of a message has three bytes; two suffice for this message, so the first is 0.
    let message = [&[1, 0][..], &sized(&body)].concat();
    [&[22, 3, 1][..], &sized(&message)].concat()
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &sized(data)].concat()
}

/// Data with a length prefix of two bytes.
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
