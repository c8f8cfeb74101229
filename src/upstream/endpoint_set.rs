//! A set of endpoints of one upstream, by number. Fits into a register.

/// Endpoints by number. Numbers that are equal modulo 64 are one element, so with more than 64 endpoints a retry has fewer
/// endpoints to choose from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct EndpointSet(u64);

impl EndpointSet {
    /// Adds an endpoint.
    pub(super) fn insert(&mut self, number: usize) {
        self.0 |= Self::bit(number);
    }

    /// Whether the endpoint is in the set.
    pub(super) fn contains(self, number: usize) -> bool {
        self.0 & Self::bit(number) != 0
    }

    fn bit(number: usize) -> u64 {
        1 << (number % 64)
    }
}
