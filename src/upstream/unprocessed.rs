//! The statement of an HTTP/2 upstream that it did not process a request, as an I/O error. Decides on no retry.

use std::io;

/// The upstream states that it did not process a request: REFUSED_STREAM, or GOAWAY with a lower last stream (RFC 9113
/// section 8.7). A retry is safe for every method.
#[derive(Debug, thiserror::Error)]
#[error("the upstream did not process the request")]
pub(super) struct Unprocessed(#[source] pub(super) h2::Error);

/// Whether an error is such a statement.
pub(super) fn is_unprocessed(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<Unprocessed>())
}

/// The failure of a stream without a response. `error` may be such a statement.
pub(super) fn unanswered(error: h2::Error) -> io::Error {
    let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
    if error.is_remote() && (error.is_go_away() || refused) {
        io::Error::other(Unprocessed(error))
    } else {
        broken(error)
    }
}

/// The failure of a stream.
pub(super) fn broken(error: h2::Error) -> io::Error {
    if error.is_io() {
        error
            .into_io()
            .unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())
    } else {
        io::Error::other(error)
    }
}
