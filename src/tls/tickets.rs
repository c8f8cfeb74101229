//! A limit for session tickets, so that they fit into a ClientHello. Encrypts nothing itself.

use rustls::server::ProducesTickets;
use std::sync::Arc;

/// Maximum size of a session in a ticket, in bytes. A session contains the client's certificate chain, and the client
/// returns it in its ClientHello of at most 16 KiB. A client with a larger chain does a full handshake each time.
const MAX_SESSION: usize = 8 * 1024;

/// The tickets of another producer, without those that are too long for a ClientHello.
#[derive(Debug)]
pub(super) struct BoundedTickets {
    producer: Arc<dyn ProducesTickets>,
}

impl BoundedTickets {
    pub(super) fn of(producer: Arc<dyn ProducesTickets>) -> Self {
        Self { producer }
    }
}

impl ProducesTickets for BoundedTickets {
    fn enabled(&self) -> bool {
        self.producer.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.producer.lifetime()
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        if session.len() > MAX_SESSION {
            return None;
        }
        self.producer.encrypt(session)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.producer.decrypt(ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::crypto::aws_lc_rs::Ticketer;

    #[test]
    fn sessions_up_to_the_limit_become_tickets_and_longer_ones_do_not() {
        let tickets = BoundedTickets::of(Ticketer::new().unwrap());
        let longest = vec![7; MAX_SESSION];
        let ticket = tickets.encrypt(&longest).unwrap();
        assert_eq!(tickets.decrypt(&ticket), Some(longest));
        assert_eq!(tickets.encrypt(&vec![7; MAX_SESSION + 1]), None);
    }
}
