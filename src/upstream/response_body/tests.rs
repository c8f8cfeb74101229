//! The end of chunked bodies, at any split over reads.

use super::*;
use proptest::prelude::*;

type Chunked = ResponseBody<UnsyncBoxBody<Bytes, BodyFailure>>;

fn chunked() -> Chunked {
    ResponseBody {
        link: None,
        upload: None,
        buffer: BytesMut::new(),
        passed: None,
        rest: ResponseBodyScanner::new(ResponseFraming::Chunked),
        reuse: Reuse::Keep,
        room: FIRST_READ,
    }
}

/// The data received so far.
fn data(body: &mut Chunked) -> Vec<u8> {
    let frames = std::iter::from_fn(|| body.next().unwrap());
    frames
        .flat_map(|frame| frame.into_data().unwrap())
        .collect()
}

#[test]
fn data_that_looks_like_the_end_is_data() {
    let mut body = chunked();
    body.buffer
        .extend_from_slice(format!("{:x}\r\n", MAX_FRAME + CHUNKS_END.len() + 1).as_bytes());
    body.buffer.extend_from_slice(&vec![b'x'; MAX_FRAME]);
    body.buffer.extend_from_slice(CHUNKS_END);
    assert_eq!(data(&mut body).len(), MAX_FRAME + CHUNKS_END.len());
    assert!(!body.is_end_stream());
    body.buffer.extend_from_slice(b"y\r\n0\r\n\r\n");
    assert_eq!(data(&mut body), b"y");
    assert!(body.is_end_stream());
}

proptest! {
    #[test]
    fn chunks_are_read_alike_however_they_come(
        chunks in prop::collection::vec("(x{1,5}|\r\n0\r\n\r\n|0\r\n|[\r\n]{1,4}){1,4}", 0..5),
        cut in 1_usize..30,
    ) {
        let mut message = String::new();
        for chunk in &chunks {
            message += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
        }
        message += "0\r\n\r\n";
        let mut body = chunked();
        let mut seen = Vec::new();
        for piece in message.as_bytes().chunks(cut) {
            prop_assert!(!body.is_end_stream());
            body.buffer.extend_from_slice(piece);
            seen.extend(data(&mut body));
        }
        prop_assert!(body.is_end_stream());
        prop_assert_eq!(String::from_utf8(seen).unwrap(), chunks.concat());
    }
}
