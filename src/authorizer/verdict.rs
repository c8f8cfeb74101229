//! What an external authorizer says about a request, or why it says nothing. Asks nobody.

use crate::config::WhenUnavailable;
use crate::endpoint::ConnectError;
use crate::error_text::with_causes;
use http::{HeaderName, HeaderValue, StatusCode};
use std::fmt;
use std::sync::Arc;

/// Fields of an authorizer's answer that go up.
pub type AnswerFields = Vec<(HeaderName, HeaderValue)>;

/// What one authorizer says about one request.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The name of the authorizer. A verdict counts for no other.
    pub by: Arc<str>,
    /// The ApiUser that it was told of. It counts for no other either.
    pub about: Option<Arc<str>>,
    /// What it says.
    pub opinion: Opinion,
}

/// What an authorizer says.
#[derive(Clone, Debug)]
pub enum Opinion {
    /// The request may go on, with these fields.
    Permit(Arc<AnswerFields>),
    /// It may not.
    Deny(Denial),
    /// Nothing that counts; what follows from that was configured.
    Nothing(Arc<Silence>, WhenUnavailable),
}

impl Verdict {
    /// Whether the request may go on.
    pub fn permits(&self) -> bool {
        matches!(
            &self.opinion,
            Opinion::Permit(_) | Opinion::Nothing(_, WhenUnavailable::Permit)
        )
    }

    /// What goes up with the request.
    pub fn fields(&self) -> &[(HeaderName, HeaderValue)] {
        match &self.opinion {
            Opinion::Permit(fields) => fields,
            Opinion::Deny(_) | Opinion::Nothing(..) => &[],
        }
    }

    /// What is worth a word in the log: a refusal, or that nobody answered.
    pub fn detail(&self) -> Option<String> {
        match &self.opinion {
            Opinion::Permit(_) => None,
            Opinion::Deny(denial) => Some(format!("authorizer \"{}\" says {denial}", self.by)),
            Opinion::Nothing(silence, when) => {
                let so = if *when == WhenUnavailable::Permit {
                    ", which permits"
                } else {
                    ""
                };
                Some(format!(
                    "authorizer \"{}\": {}{so}",
                    self.by,
                    with_causes(silence)
                ))
            }
        }
    }
}

/// How an authorizer refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// A status of HTTP.
    Status(StatusCode),
    /// A code of `google.rpc.Status`.
    Code(i32),
    /// What is said beside a status that permits.
    Response,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {}", status.as_u16()),
            Self::Code(code) => write!(f, "code {code}"),
            Self::Response => f.write_str("denied_response"),
        }
    }
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum Silence {
    /// Too late.
    #[error("no answer within the timeout")]
    Timeout,
    /// Too many questions are open.
    #[error("too many questions are open")]
    Busy,
    /// The gateway cannot ask this question.
    #[error("it cannot be asked: {0}")]
    Unaskable(&'static str),
    /// All descriptors for connections to upstreams and authorizers are in use.
    #[error("no file descriptor is left to ask it")]
    NoDescriptors,
    /// No connection, or it broke off.
    #[error("it cannot be reached, or broke off")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It says itself that it cannot tell: a status of HTTP.
    #[error("it answers status {}", .0.as_u16())]
    Failed(StatusCode),
    /// It says itself that it cannot tell: a status of gRPC.
    #[error("it answers grpc-status {0}")]
    Status(u32),
    /// It says something else than a verdict.
    #[error("its answer is malformed: {0}")]
    Malformed(&'static str),
}

impl Silence {
    /// The word in metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Busy => "busy",
            Self::Unaskable(_) => "unaskable",
            Self::NoDescriptors => "no_descriptors",
            Self::Unreachable(_) => "unreachable",
            Self::Failed(_) | Self::Status(_) => "failed",
            Self::Malformed(_) => "malformed",
        }
    }

    /// Whether the gateway itself did not ask, or not in time: questions waited in its own queue, or it lacks something.
    /// Clients can bring that about, so it never permits.
    pub(super) fn is_our_own(&self) -> bool {
        match self {
            Self::Busy | Self::Unaskable(_) | Self::NoDescriptors => true,
            Self::Unreachable(error) => lacks_resources(&**error),
            Self::Timeout | Self::Failed(_) | Self::Status(_) | Self::Malformed(_) => false,
        }
    }

    pub(super) fn not_connected(error: ConnectError) -> Self {
        match error {
            ConnectError::NoDescriptors => Self::NoDescriptors,
            other => Self::unreachable(other),
        }
    }

    pub(super) fn unreachable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unreachable(error.into())
    }
}

/// Whether an error, or a cause of it, says that this process or machine has no descriptor, memory or port left, or that the
/// connection to the peer has no stream left.
fn lacks_resources(error: &(dyn std::error::Error + 'static)) -> bool {
    use nix::errno::Errno;
    let own = [
        Errno::EMFILE,
        Errno::ENFILE,
        Errno::ENOMEM,
        Errno::ENOBUFS,
        Errno::EADDRNOTAVAIL,
        Errno::EAGAIN,
    ];
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| {
        let code = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::raw_os_error);
        let refused = cause
            .downcast_ref::<h2::Error>()
            .and_then(h2::Error::reason);
        // More questions at once than the peer takes, which is said only after the first of them (RFC 9113 section 8.7).
        code.is_some_and(|code| own.contains(&Errno::from_raw(code)))
            || refused == Some(h2::Reason::REFUSED_STREAM)
    })
}

/// What was answered to one question.
pub(super) type Answered = Result<Result<AnswerFields, Denial>, Silence>;
