//! The little HTTP/1.1 that measuring needs: heads with a Content-Length. Trusts its peers; nothing here is fit for
//! the outside world.

use memchr::{memchr, memmem};
use std::io;

/// The head of a request or a response, as far as it counts here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The first line, without its end.
    pub first_line: &'a [u8],
    /// Where the body begins.
    pub length: usize,
    /// How long it is.
    pub body: u64,
}

/// Reads the head at the beginning of `bytes`; `None` if it is not complete yet.
///
/// # Errors
/// A body that is chunked or whose length is no number.
pub fn head(bytes: &[u8]) -> io::Result<Option<Head<'_>>> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let mut lines = &bytes[..end + 2];
    let first_line = next_line(&mut lines);
    let mut body = 0;
    while !lines.is_empty() {
        let line = next_line(&mut lines);
        if let Some(value) = value_of(line, b"content-length:") {
            let text = std::str::from_utf8(value).map_err(io::Error::other)?;
            body = text.trim().parse().map_err(io::Error::other)?;
        } else if value_of(line, b"transfer-encoding:").is_some() {
            return Err(io::Error::other(
                "a chunked body, which this program does not read",
            ));
        }
    }
    Ok(Some(Head {
        first_line,
        length: end + 4,
        body,
    }))
}

fn next_line<'a>(lines: &mut &'a [u8]) -> &'a [u8] {
    let end = memchr(b'\n', lines).unwrap_or(lines.len() - 1);
    let (line, rest) = lines.split_at(end + 1);
    *lines = rest;
    &line[..line.len().saturating_sub(2)]
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (begin, value) = line.split_at_checked(name.len())?;
    begin.eq_ignore_ascii_case(name).then_some(value)
}

/// Whether a response's first line says that all is well.
///
/// # Errors
/// Another status, with the line.
pub fn require_ok(first_line: &[u8]) -> io::Result<()> {
    if first_line.starts_with(b"HTTP/1.1 200") {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "answered {}",
        String::from_utf8_lossy(first_line)
    )))
}

#[cfg(test)]
mod tests {
    use super::head;

    #[test]
    fn a_head_is_read_when_it_is_complete() {
        let text = b"HTTP/1.1 200 OK\r\nServer: x\r\ncontent-LENGTH: 12\r\n\r\nbody";
        let found = head(text).unwrap().unwrap();
        assert_eq!(found.first_line, b"HTTP/1.1 200 OK");
        assert_eq!((found.length, found.body), (text.len() - 4, 12));
        assert_eq!(head(&text[..found.length - 1]).unwrap(), None);
        assert_eq!(head(b"GET / HTTP/1.1\r\n\r\n").unwrap().unwrap().body, 0);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        assert!(head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(head(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n").is_err());
    }
}
