//! Parses an upstream's HTTP/1.1 response head and finds the end of its body (RFC 9112 section
//! 6.3). Stricter than the RFC where two readings are possible, since the connection is reused.
//! Reads given bytes; owns no socket.

use super::connection_login::reuse_after_response;
use super::framing::{FieldSpace, content_length};
use super::reuse::Reuse;
use super::upgrade::{Upgrade, granted_upgrade};
use crate::config::LengthlessRedirect;

/// Length of the body after a response head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFraming {
    /// No body, independent of the fields.
    None,
    /// Number of bytes.
    Length(u64),
    /// Chunked transfer coding.
    Chunked,
    /// All bytes until the upstream closes the connection.
    UntilClose,
}

/// The kind of the upstream request, as far as it decides about the response body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// `HEAD`: the response has no body.
    Head,
    /// Every other method.
    Other,
}

/// A parsed response head. Borrows the input bytes.
#[derive(Debug)]
pub struct ResponseHead<'b, 'f> {
    /// The status code, 100 to 999.
    pub status: u16,
    /// The reason phrase, as sent.
    pub reason: &'b str,
    /// In the order of arrival.
    pub fields: &'f [httparse::Header<'b>],
    /// Bytes of the head, empty line included.
    pub length: usize,
    /// How the body is framed.
    pub framing: ResponseFraming,
    /// Whether the connection is reused.
    pub reuse: Reuse,
    /// Whether the head marks the end of the body.
    ending: Ending,
}

/// Whether a response head marks the end of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// By a length, by chunks, or by announcing the close of the connection.
    Explicit,
    /// By none of these.
    Unmarked,
}

impl ResponseHead<'_, '_> {
    /// Applies `rule` for upstreams that send redirects without a body and without a length. Such a
    /// redirect gets an empty body; otherwise the client waits until the upstream closes the idle
    /// connection. The connection is not reused.
    #[must_use]
    pub fn as_meant(self, rule: LengthlessRedirect) -> Self {
        let redirects = matches!(self.status, 301 | 302 | 303 | 307 | 308);
        match (rule, self.ending) {
            (LengthlessRedirect::Empty, Ending::Unmarked) if redirects => Self {
                framing: ResponseFraming::Length(0),
                reuse: Reuse::Close,
                ..self
            },
            _ => self,
        }
    }

    /// Bytes of head and body together if the body has a length of at most `most`; otherwise bytes
    /// of the head.
    pub fn length_until(&self, most: u64) -> usize {
        let body = match self.framing {
            ResponseFraming::Length(length) if length <= most => length,
            _ => 0,
        };
        self.length
            .saturating_add(usize::try_from(body).unwrap_or(usize::MAX))
    }

    /// The upgrade that the response grants.
    pub fn upgrade(&self) -> Upgrade {
        if self.status == 101 {
            granted_upgrade(self.fields)
        } else {
            Upgrade::None
        }
    }
}

impl RequestKind {
    /// The kind for a method.
    pub fn by(method: &str) -> Self {
        if method == "HEAD" {
            Self::Head
        } else {
            Self::Other
        }
    }
}

/// Errors of a response that cannot be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseHeadError {
    /// Not a response head.
    #[error("the answer's head is malformed")]
    Malformed,
    /// More fields than [`MAX_FIELDS`](super::MAX_FIELDS).
    #[error("the answer's head has too many fields")]
    TooManyFields,
    /// Longer than the read limit.
    #[error("the answer's head is too large")]
    TooLarge,
    /// Not one valid length.
    #[error("the answer's Content-Length is not one number")]
    BadLength,
    /// Content-Length beside Transfer-Encoding.
    #[error("the answer has both Content-Length and Transfer-Encoding")]
    LengthAndChunked,
    /// Other than one `chunked`.
    #[error("the answer's Transfer-Encoding is not chunked")]
    UnknownCoding,
    /// Malformed chunked body.
    #[error("the answer's chunked body is malformed")]
    BadChunk,
}

/// Parses the response head at the start of `bytes`. `None` while it is incomplete.
///
/// # Errors
/// [`ResponseHeadError`] if the response is malformed or ambiguous.
pub fn parse_response_head<'b, 'f>(
    bytes: &'b [u8],
    asked: RequestKind,
    space: &'f mut FieldSpace<'b>,
) -> Result<Option<ResponseHead<'b, 'f>>, ResponseHeadError> {
    let mut answer = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let length = match parser.parse_response_with_uninit_headers(&mut answer, bytes, space) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(ResponseHeadError::TooManyFields),
        Err(_) => return Err(ResponseHeadError::Malformed),
    };
    let status = answer.code.unwrap_or_default();
    if status < 100 {
        return Err(ResponseHeadError::Malformed);
    }
    let fields: &'f [httparse::Header<'b>] = answer.headers;
    let framing_fields = FramingFields::parse(fields)?;
    let bodiless = asked == RequestKind::Head || matches!(status, 100..=199 | 204 | 304);
    let framing = match (framing_fields.coding, framing_fields.length) {
        _ if bodiless => ResponseFraming::None,
        (Coding::Chunked, None) if answer.version == Some(1) => ResponseFraming::Chunked,
        (Coding::Chunked, Some(_)) => return Err(ResponseHeadError::LengthAndChunked),
        (Coding::Chunked, None) => return Err(ResponseHeadError::UnknownCoding),
        (Coding::None, Some(length)) => ResponseFraming::Length(length),
        (Coding::None, None) => ResponseFraming::UntilClose,
    };
    let persists = match answer.version {
        Some(1) => !framing_fields.closes && framing != ResponseFraming::UntilClose,
        _ => {
            framing_fields.keeps_alive
                && !framing_fields.closes
                && framing != ResponseFraming::UntilClose
        }
    };
    let reuse = if persists {
        framing_fields.login
    } else {
        Reuse::Close
    };
    let ends = framing != ResponseFraming::UntilClose
        || framing_fields.closes
        || answer.version != Some(1);
    let ending = if ends {
        Ending::Explicit
    } else {
        Ending::Unmarked
    };
    Ok(Some(ResponseHead {
        status,
        reason: answer.reason.unwrap_or_default(),
        fields,
        length,
        framing,
        reuse,
        ending,
    }))
}

#[derive(PartialEq, Eq)]
enum Coding {
    None,
    Chunked,
}

/// The fields of a response that decide about framing and reuse.
struct FramingFields {
    coding: Coding,
    length: Option<u64>,
    closes: bool,
    keeps_alive: bool,
    /// `Close` if a user is authenticated on the connection itself (NTLM).
    login: Reuse,
}

impl FramingFields {
    fn parse(fields: &[httparse::Header<'_>]) -> Result<Self, ResponseHeadError> {
        let mut framing_fields = Self {
            coding: Coding::None,
            length: None,
            closes: false,
            keeps_alive: false,
            login: Reuse::Keep,
        };
        for field in fields {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            match field.name.len() {
                10 if is("connection") => {
                    for option in field
                        .value
                        .split(|byte| *byte == b',')
                        .map(<[u8]>::trim_ascii)
                    {
                        framing_fields.closes |= option.eq_ignore_ascii_case(b"close");
                        framing_fields.keeps_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                14 if is("content-length") => {
                    let length = content_length(field.value).ok_or(ResponseHeadError::BadLength)?;
                    // Equal values are one length; different values are an error.
                    if framing_fields
                        .length
                        .replace(length)
                        .is_some_and(|earlier| earlier != length)
                    {
                        return Err(ResponseHeadError::BadLength);
                    }
                }
                17 if is("transfer-encoding") => {
                    if framing_fields.coding == Coding::Chunked
                        || !field.value.eq_ignore_ascii_case(b"chunked")
                    {
                        return Err(ResponseHeadError::UnknownCoding);
                    }
                    framing_fields.coding = Coding::Chunked;
                }
                _ if reuse_after_response(field.name, field.value) == Reuse::Close => {
                    framing_fields.login = Reuse::Close
                }
                _ => {}
            }
        }
        Ok(framing_fields)
    }
}

#[cfg(test)]
mod tests;
