//! Headers of the PROXY protocol as front proxies send them, and those that are none.

use super::*;
use proptest::prelude::*;

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    [
        &[kind],
        &u16::try_from(value.len()).unwrap().to_be_bytes()[..],
        value,
    ]
    .concat()
}

fn header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, body].concat()
}

fn ssl(flags: u8, verdict: u32, fields: &[u8]) -> Vec<u8> {
    tlv(
        TYPE_SSL,
        &[&[flags], &verdict.to_be_bytes()[..], fields].concat(),
    )
}

fn client(body: &[u8]) -> Result<ProxiedClient, ProxyHeaderError> {
    match ProxyHeader::read(&header(0x21, 0, body))? {
        ProxyHeader::Client(client) => Ok(*client),
        ProxyHeader::Local => panic!("not local"),
    }
}

#[test]
fn addresses_are_read_in_each_family() {
    let read = |family, body: &[u8]| match ProxyHeader::read(&header(0x21, family, body)) {
        Ok(ProxyHeader::Client(client)) => Ok(client.addresses),
        Ok(ProxyHeader::Local) => panic!("not local"),
        Err(error) => Err(error),
    };
    let four = [192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x34, 1, 0xbb];
    let expected = (
        "192.0.2.1:4660".parse().unwrap(),
        "198.51.100.2:443".parse().unwrap(),
    );
    assert_eq!(read(0x11, &four), Ok(Some(expected)));
    let six: [u8; 36] = std::array::from_fn(|at| u8::from(at == 15 || at == 33));
    assert_eq!(
        read(0x21, &six),
        Ok(Some((
            "[::1]:1".parse().unwrap(),
            "[::]:0".parse().unwrap()
        )))
    );
    assert_eq!((read(0, &[]), read(0x31, &[0; 216])), (Ok(None), Ok(None)));
    for (family, body) in [
        (0x11, &four[..11]),
        (0x21, &six[..35]),
        (0x31, &[0; 215]),
        (0x12, &four),
        (0x41, &[]),
    ] {
        assert!(
            matches!(read(family, body), Err(ProxyHeaderError::Malformed(_))),
            "{family}"
        );
    }
    assert_eq!(
        ProxyHeader::read(&header(0x20, 0x99, b"whatever")),
        Ok(ProxyHeader::Local)
    );
    assert!(
        ProxyHeader::read(&header(0x22, 0, &[])).is_err()
            && ProxyHeader::read(&header(0x11, 0, &[])).is_err()
    );
}

#[test]
fn what_is_no_header_is_known_early() {
    assert_eq!(
        ProxyHeader::may_begin(&[22, 3, 1]),
        Err(ProxyHeaderError::Missing)
    );
    assert_eq!(
        ProxyHeader::may_begin(b"PROXY TCP4"),
        Err(ProxyHeaderError::Version1)
    );
    assert_eq!(ProxyHeader::may_begin(b"\r\n\r\n"), Ok(()));
    assert_eq!(
        ProxyHeader::read(&header(0x21, 0, &[0; ProxyHeader::MOST + 1])),
        Err(ProxyHeaderError::TooLong)
    );
}

#[test]
fn only_a_verified_client_is_identified() {
    let certificate = || tlv(SUBTYPE_SSL_CLIENT_CERT, b"der");
    let name = || tlv(SUBTYPE_SSL_CN, b"alice");
    let both = [name(), certificate()].concat();
    let identity = |body: Vec<u8>, belief| client(&body).unwrap().identity(belief);
    let chain = Ok(Forwarded::Chain(vec![CertificateDer::from(
        b"der".to_vec(),
    )]));
    for flags in [3, 5, 7] {
        assert_eq!(identity(ssl(flags, 0, &both), Belief::CommonName), chain);
    }
    assert_eq!(
        identity(ssl(7, 0, &name()), Belief::CommonName),
        Ok(Forwarded::CommonName("alice".into()))
    );
    let refused = identity(ssl(7, 0, &name()), Belief::Certificate);
    assert!(matches!(
        refused,
        Err(ForwardedRejection::WithoutCertificate(_))
    ));
    assert_eq!(
        identity(ssl(7, 1, &both), Belief::CommonName),
        Err(ForwardedRejection::Unverified)
    );
    for body in [ssl(1, 0, &both), ssl(6, 0, &both), ssl(7, 0, &[]), vec![]] {
        assert_eq!(
            identity(body, Belief::CommonName),
            Err(ForwardedRejection::Missing)
        );
    }
    for bad in [
        ssl(7, 0, &[both.clone(), name()].concat()),
        [ssl(7, 0, &both), ssl(7, 0, &both)].concat(),
    ] {
        assert!(matches!(client(&bad), Err(ProxyHeaderError::Malformed(_))));
    }
}

#[test]
fn a_checksum_that_is_there_is_right() {
    assert_eq!(crc32c(b"123456789".iter().copied()), 0xe306_9283);
    let mut with = header(
        0x21,
        0,
        &[tlv(TYPE_CRC32C, &[0; 4]), ssl(7, 0, &[])].concat(),
    );
    let sum = crc32c(with.iter().copied()).to_be_bytes();
    assert!(ProxyHeader::read(&with).is_err());
    with[19..23].copy_from_slice(&sum);
    assert!(ProxyHeader::read(&with).is_ok());
    assert!(client(&tlv(TYPE_CRC32C, &[0; 3])).is_err());
}

proptest! {
    #[test]
    fn nothing_panics_and_every_cut_is_seen(
        body in proptest::collection::vec(any::<u8>(), 0..80), family in any::<u8>(), cut in any::<proptest::sample::Index>(),
    ) {
        let whole = header(0x21, family, &body);
        let _ = ProxyHeader::read(&whole);
        prop_assert!(ProxyHeader::read(&whole[..cut.index(whole.len())]).is_err());
    }

    #[test]
    fn what_we_write_we_read(name in "[a-z]{1,20}", version in 0..2u8) {
        let fields = [tlv(0x21, b"TLSv1.3"), tlv(SUBTYPE_SSL_CN, name.as_bytes())].concat();
        let read = client(&[tlv(1, &[version]), ssl(7, 0, &fields)].concat()).unwrap();
        prop_assert_eq!(read.identity(Belief::CommonName), Ok(Forwarded::CommonName(name.into())));
    }
}
