//! The state of an upload, for both HTTP engines. Sends nothing.

use super::{AttemptFailure, Link};
use std::io;

/// What an upload waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadState {
    /// The upstream has all available bytes, and the client will send more.
    WaitsForClient,
    /// The upstream is to take more bytes.
    WaitsForUpstream,
    /// The request is sent completely.
    Complete,
    /// The upstream takes no more bytes. It may have responded.
    Stopped,
}

impl Link {
    /// Evaluates a write to the upstream. `None` if it takes no more bytes: it may have responded before it closed.
    ///
    /// # Errors
    /// [`AttemptFailure::Unsent`] if it is certain that the upstream got no byte. `has_sent` is whether an earlier write of the
    /// request succeeded.
    pub fn bytes_written(
        &self,
        written: io::Result<usize>,
        has_sent: bool,
    ) -> Result<Option<usize>, AttemptFailure> {
        match written {
            Ok(count @ 1..) => Ok(Some(count)),
            Err(error) if !has_sent && self.says_what_it_sent() => {
                Err(AttemptFailure::Unsent(error))
            }
            Ok(_) | Err(_) => Ok(None),
        }
    }
}
