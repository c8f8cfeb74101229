//! Where answers end, and which have no single reading.

use super::super::framing::field_space;
use super::*;

fn framing(
    text: &str,
    asked: RequestKind,
) -> Result<Option<(ResponseFraming, Reuse)>, ResponseHeadError> {
    let mut space = field_space();
    parse_response_head(text.as_bytes(), asked, &mut space)
        .map(|head| head.map(|head| (head.framing, head.reuse)))
}

#[test]
fn a_response_has_one_length() {
    for (fields, expected) in [
        (
            "content-length: 5\r\n",
            (ResponseFraming::Length(5), Reuse::Keep),
        ),
        (
            "content-length: 5\r\nContent-Length: 5\r\n",
            (ResponseFraming::Length(5), Reuse::Keep),
        ),
        (
            "transfer-encoding: chunked\r\n",
            (ResponseFraming::Chunked, Reuse::Keep),
        ),
        (
            "transfer-encoding: chunked\r\nconnection: x, Close\r\n",
            (ResponseFraming::Chunked, Reuse::Close),
        ),
        (
            "content-length: 5\r\nwww-authenticate: Basic realm=x\r\n",
            (ResponseFraming::Length(5), Reuse::Keep),
        ),
        (
            "content-length: 5\r\nWWW-Authenticate: NTLM\r\n",
            (ResponseFraming::Length(5), Reuse::Close),
        ),
        ("", (ResponseFraming::UntilClose, Reuse::Close)),
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        assert_eq!(
            framing(&text, RequestKind::Other),
            Ok(Some(expected)),
            "{fields:?}"
        );
        assert_eq!(
            framing(&text, RequestKind::Head).unwrap().unwrap().0,
            ResponseFraming::None,
            "{fields:?}"
        );
    }
    for status in [100, 103, 204, 304] {
        let text = format!("HTTP/1.1 {status} x\r\ncontent-length: 5\r\n\r\n");
        assert_eq!(
            framing(&text, RequestKind::Other).unwrap().unwrap(),
            (ResponseFraming::None, Reuse::Keep)
        );
    }
    let old = "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n";
    assert_eq!(
        framing(&format!("{old}\r\n"), RequestKind::Other)
            .unwrap()
            .unwrap()
            .1,
        Reuse::Close
    );
    let kept = format!("{old}connection: keep-alive\r\n\r\n");
    assert_eq!(
        framing(&kept, RequestKind::Other).unwrap().unwrap().1,
        Reuse::Keep
    );
    assert_eq!(framing("HTTP/1.1 200 OK\r\n", RequestKind::Other), Ok(None));
}

#[test]
fn a_redirect_that_says_nothing_of_its_end_may_be_meant_to_be_empty() {
    let read = |text: &str, rule: LengthlessRedirect| {
        let mut space = field_space();
        let head = parse_response_head(text.as_bytes(), RequestKind::Other, &mut space)
            .unwrap()
            .unwrap()
            .as_meant(rule);
        (head.framing, head.reuse)
    };
    let until_close = (ResponseFraming::UntilClose, Reuse::Close);
    for (head, expected) in [
        (
            "HTTP/1.1 302 Found\r\nlocation: /v1\r\n",
            (ResponseFraming::Length(0), Reuse::Close),
        ),
        (
            "HTTP/1.1 302 Found\r\nlocation: /v1\r\nconnection: close\r\n",
            until_close,
        ),
        ("HTTP/1.0 302 Found\r\nlocation: /v1\r\n", until_close),
        (
            "HTTP/1.1 302 Found\r\ncontent-length: 3\r\n",
            (ResponseFraming::Length(3), Reuse::Keep),
        ),
        (
            "HTTP/1.1 302 Found\r\ntransfer-encoding: chunked\r\n",
            (ResponseFraming::Chunked, Reuse::Keep),
        ),
        ("HTTP/1.1 200 OK\r\n", until_close),
    ] {
        let text = format!("{head}\r\n");
        assert_eq!(read(&text, LengthlessRedirect::Empty), expected, "{head:?}");
        let ordinary = framing(&text, RequestKind::Other).unwrap().unwrap();
        assert_eq!(
            read(&text, LengthlessRedirect::UntilClose),
            ordinary,
            "{head:?}"
        );
    }
}

#[test]
fn an_ambiguous_response_is_rejected() {
    for (fields, error) in [
        (
            "content-length: 5\r\ncontent-length: 6\r\n",
            ResponseHeadError::BadLength,
        ),
        ("content-length: 5, 5\r\n", ResponseHeadError::BadLength),
        ("content-length: -1\r\n", ResponseHeadError::BadLength),
        (
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            ResponseHeadError::LengthAndChunked,
        ),
        (
            "transfer-encoding: gzip, chunked\r\n",
            ResponseHeadError::UnknownCoding,
        ),
        (
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            ResponseHeadError::UnknownCoding,
        ),
        ("a b: c\r\n", ResponseHeadError::Malformed),
    ] {
        assert_eq!(
            framing(
                &format!("HTTP/1.1 200 OK\r\n{fields}\r\n"),
                RequestKind::Other
            ),
            Err(error),
            "{fields:?}"
        );
    }
    assert_eq!(
        framing("SSH-2.0-x\r\n", RequestKind::Other),
        Err(ResponseHeadError::Malformed)
    );
    let chunked = "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(
        framing(chunked, RequestKind::Other),
        Err(ResponseHeadError::UnknownCoding)
    );
}
