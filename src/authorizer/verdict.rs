//! The verdict of an external authorizer about a request, or the reason why there is none.

use crate::config::WhenUnavailable;
use crate::endpoint::ConnectError;
use crate::error_text::with_causes;
use http::{HeaderName, HeaderValue, StatusCode};
use std::fmt;
use std::sync::Arc;

/// Fields of an authorizer's response that are added to the upstream request.
pub type VerdictFields = Vec<(HeaderName, HeaderValue)>;

/// The verdict of one authorizer about one request.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The name of the authorizer. The verdict is valid only for this authorizer.
    pub by: Arc<str>,
    /// The ApiUser in the question. The verdict is valid only for this user.
    pub about: Option<Arc<str>>,
    /// The answer.
    pub opinion: Opinion,
}

/// The answer of an authorizer.
#[derive(Clone, Debug)]
pub enum Opinion {
    /// The request is permitted, with these additional fields.
    Permit(Arc<VerdictFields>),
    /// The request is denied.
    Deny(Denial),
    /// There is no verdict; the error and the configured decision.
    Nothing(Arc<AuthorizerError>, WhenUnavailable),
}

impl Verdict {
    /// Whether the request is permitted.
    pub fn permits(&self) -> bool {
        matches!(
            &self.opinion,
            Opinion::Permit(_) | Opinion::Nothing(_, WhenUnavailable::Permit)
        )
    }

    /// The fields that are added to the upstream request.
    pub fn fields(&self) -> &[(HeaderName, HeaderValue)] {
        match &self.opinion {
            Opinion::Permit(fields) => fields,
            Opinion::Deny(_) | Opinion::Nothing(..) => &[],
        }
    }

    /// The detail for the log: a denial, or the error. `None` if permitted.
    pub fn detail(&self) -> Option<String> {
        match &self.opinion {
            Opinion::Permit(_) => None,
            Opinion::Deny(denial) => Some(format!("authorizer \"{}\" says {denial}", self.by)),
            Opinion::Nothing(error, decision) => {
                let consequence = if *decision == WhenUnavailable::Permit {
                    ", which permits"
                } else {
                    ""
                };
                Some(format!(
                    "authorizer \"{}\": {}{consequence}",
                    self.by,
                    with_causes(error)
                ))
            }
        }
    }
}

/// How an authorizer denied a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// An HTTP status.
    Status(StatusCode),
    /// A code of `google.rpc.Status`.
    Code(i32),
    /// A `denied_response` beside a status that permits.
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

/// The reason why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizerError {
    /// The timeout expired.
    #[error("no answer within the timeout")]
    Timeout,
    /// Too many requests to the authorizer are open.
    #[error("too many requests to it are open")]
    Busy,
    /// The gateway cannot send the question; a description.
    #[error("the question cannot be sent: {0}")]
    Unaskable(&'static str),
    /// All descriptors for connections to upstreams and authorizers are in use.
    #[error("no file descriptor is left to connect to it")]
    NoDescriptors,
    /// The connection failed.
    #[error("it cannot be reached, or closed the connection")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The authorizer failed: an HTTP status.
    #[error("it answers status {}", .0.as_u16())]
    Failed(StatusCode),
    /// The authorizer failed: a gRPC status.
    #[error("it answers grpc-status {0}")]
    Status(u32),
    /// The response is not a verdict; a description.
    #[error("its answer is malformed: {0}")]
    Malformed(&'static str),
}

impl AuthorizerError {
    /// The reason word in metrics.
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

    /// Whether the gateway itself caused the error: the question waited in its queue, or a resource was exhausted. Clients
    /// can provoke that, so it never permits.
    pub(super) fn is_local(&self) -> bool {
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

/// Whether an error, or one of its causes, means that this process or machine has no descriptor, memory or port left, or
/// that the connection to the peer has no stream left.
fn lacks_resources(error: &(dyn std::error::Error + 'static)) -> bool {
    use nix::errno::Errno;
    let exhausted = [
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
        let stream_reason = cause
            .downcast_ref::<h2::Error>()
            .and_then(h2::Error::reason);
        // More concurrent streams than the peer allows. The limit is known only after the first response (RFC 9113 section
        // 8.7).
        code.is_some_and(|code| exhausted.contains(&Errno::from_raw(code)))
            || stream_reason == Some(h2::Reason::REFUSED_STREAM)
    })
}

/// The result of one question: the fields of a permit, a denial, or no verdict.
pub(super) type VerdictResult = Result<Result<VerdictFields, Denial>, AuthorizerError>;
