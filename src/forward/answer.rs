//! Where an upstream's HTTP/1.1 answer ends (RFC 9112 section 6.3). Stricter than the RFC where two readings would be
//! possible, since the connection is used again. Reads bytes that are given; owns no socket.

use super::connection_login::reuse_after_answer;
use super::framing::{FieldSpace, content_length};
use super::reuse::Reuse;
use super::upgrade::{Upgrade, granted_upgrade};
use crate::config::LengthlessRedirect;

/// How long the body behind an answer's head is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFraming {
    /// There is none, whatever the fields say.
    None,
    /// This many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// All until the upstream closes.
    UntilClose,
}

/// What was asked, as far as it decides about the answer's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `HEAD`: the answer has no body.
    Head,
    /// Anything else.
    Other,
}

/// An answer's head, read where it lies.
#[derive(Debug)]
pub struct AnswerHead<'b, 'f> {
    /// The status code, 100 to 999.
    pub status: u16,
    /// The reason phrase, as sent.
    pub reason: &'b str,
    /// In the order of arrival.
    pub fields: &'f [httparse::Header<'b>],
    /// Bytes of the head, empty line included.
    pub length: usize,
    /// The body.
    pub framing: AnswerFraming,
    /// Whether the connection stays.
    pub reuse: Reuse,
    /// Whether the upstream says when the body ends.
    ending: Ending,
}

/// Whether an answer says when its body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// By a length, by chunks, or by saying that the connection does.
    Said,
    /// Neither.
    Unsaid,
}

impl AnswerHead<'_, '_> {
    /// The same, as an upstream means it that sends redirects without a body, and forgets to say so: whoever waited for the
    /// end of that would wait until the upstream tires of an idle connection. It is not used again.
    #[must_use]
    pub fn as_meant(self, rule: LengthlessRedirect) -> Self {
        let redirects = matches!(self.status, 301 | 302 | 303 | 307 | 308);
        match (rule, self.ending) {
            (LengthlessRedirect::Empty, Ending::Unsaid) if redirects => Self {
                framing: AnswerFraming::Length(0),
                reuse: Reuse::Close,
                ..self
            },
            _ => self,
        }
    }

    /// How many bytes head and body are together, if the body is known to be no longer than `most`; otherwise those of the
    /// head.
    pub fn length_until(&self, most: u64) -> usize {
        let body = match self.framing {
            AnswerFraming::Length(length) if length <= most => length,
            _ => 0,
        };
        self.length
            .saturating_add(usize::try_from(body).unwrap_or(usize::MAX))
    }

    /// What the response upgrades to.
    pub fn upgrade(&self) -> Upgrade {
        if self.status == 101 {
            granted_upgrade(self.fields)
        } else {
            Upgrade::None
        }
    }
}

impl Asked {
    /// By the method.
    pub fn by(method: &str) -> Self {
        if method == "HEAD" {
            Self::Head
        } else {
            Self::Other
        }
    }
}

/// Why bytes are no answer that can be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not an answer's head.
    #[error("the answer's head is malformed")]
    Malformed,
    /// More fields than are read.
    #[error("the answer's head has too many fields")]
    TooManyFields,
    /// Longer than is read.
    #[error("the answer's head is too large")]
    TooLarge,
    /// Not one length.
    #[error("the answer's Content-Length is not one number")]
    BadLength,
    /// Content-Length beside Transfer-Encoding.
    #[error("the answer has both Content-Length and Transfer-Encoding")]
    LengthAndChunked,
    /// Anything but one `chunked`.
    #[error("the answer's Transfer-Encoding is not chunked")]
    UnknownCoding,
    /// A chunked body that is none.
    #[error("the answer's chunked body is malformed")]
    BadChunk,
}

/// Reads an answer's head at the start of `bytes`. `None` while it is incomplete.
///
/// # Errors
/// [`AnswerError`] if the answer has no single reading.
pub fn parse_answer<'b, 'f>(
    bytes: &'b [u8],
    asked: Asked,
    space: &'f mut FieldSpace<'b>,
) -> Result<Option<AnswerHead<'b, 'f>>, AnswerError> {
    let mut answer = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let length = match parser.parse_response_with_uninit_headers(&mut answer, bytes, space) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(AnswerError::TooManyFields),
        Err(_) => return Err(AnswerError::Malformed),
    };
    let status = answer.code.unwrap_or_default();
    if status < 100 {
        return Err(AnswerError::Malformed);
    }
    let fields: &'f [httparse::Header<'b>] = answer.headers;
    let said = Said::by(fields)?;
    let bodiless = asked == Asked::Head || matches!(status, 100..=199 | 204 | 304);
    let framing = match (said.coding, said.length) {
        _ if bodiless => AnswerFraming::None,
        (Coding::Chunked, None) if answer.version == Some(1) => AnswerFraming::Chunked,
        (Coding::Chunked, Some(_)) => return Err(AnswerError::LengthAndChunked),
        (Coding::Chunked, None) => return Err(AnswerError::UnknownCoding),
        (Coding::None, Some(length)) => AnswerFraming::Length(length),
        (Coding::None, None) => AnswerFraming::UntilClose,
    };
    let persists = match answer.version {
        Some(1) => !said.closes && framing != AnswerFraming::UntilClose,
        _ => said.keeps_alive && !said.closes && framing != AnswerFraming::UntilClose,
    };
    let reuse = if persists { said.login } else { Reuse::Close };
    let ends = framing != AnswerFraming::UntilClose || said.closes || answer.version != Some(1);
    let ending = if ends { Ending::Said } else { Ending::Unsaid };
    Ok(Some(AnswerHead {
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

/// What an answer's fields say about framing.
struct Said {
    coding: Coding,
    length: Option<u64>,
    closes: bool,
    keeps_alive: bool,
    /// `Close` if a user logs in on the connection itself.
    login: Reuse,
}

impl Said {
    fn by(fields: &[httparse::Header<'_>]) -> Result<Self, AnswerError> {
        let mut said = Self {
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
                        .split(|octet| *octet == b',')
                        .map(<[u8]>::trim_ascii)
                    {
                        said.closes |= option.eq_ignore_ascii_case(b"close");
                        said.keeps_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                14 if is("content-length") => {
                    let length = content_length(field.value).ok_or(AnswerError::BadLength)?;
                    // Two equal ones say the same; two different ones say nothing.
                    if said
                        .length
                        .replace(length)
                        .is_some_and(|before| before != length)
                    {
                        return Err(AnswerError::BadLength);
                    }
                }
                17 if is("transfer-encoding") => {
                    if said.coding == Coding::Chunked
                        || !field.value.eq_ignore_ascii_case(b"chunked")
                    {
                        return Err(AnswerError::UnknownCoding);
                    }
                    said.coding = Coding::Chunked;
                }
                _ if reuse_after_answer(field.name, field.value) == Reuse::Close => {
                    said.login = Reuse::Close
                }
                _ => {}
            }
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests;
