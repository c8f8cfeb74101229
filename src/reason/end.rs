//! How the transfer of a response or of a tunnel ended. Decides nothing.

/// How the transfer of a response or of a tunnel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// Both sides transferred everything.
    Complete,
    /// The client disconnected.
    ClientGone,
    /// The upstream disconnected, or its message was malformed.
    UpstreamBrokeOff,
    /// The upstream sent nothing for too long.
    UpstreamStalled,
    /// The permit was withdrawn.
    Cut,
    /// A side of the tunnel failed.
    Broken,
    /// The tunnel transferred nothing for too long.
    Idle,
    /// The gateway is shutting down.
    Drained,
}

impl EndReason {
    /// The word in logs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientGone => "client_gone",
            Self::UpstreamBrokeOff => "upstream_broke_off",
            Self::UpstreamStalled => "upstream_stalled",
            Self::Cut => "cut",
            Self::Broken => "broken",
            Self::Idle => "idle",
            Self::Drained => "drained",
        }
    }
}
