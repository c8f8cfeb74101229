//! The only place where traffic keys leave rustls: those of a connection whose handshake is done, and their successors
//! after key updates. What RFC 8446 section 7.2 derives stays in rustls.

use super::error::RecordError;
use super::keys::Direction;
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305};
use rustls::kernel::KernelConnection;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::{ConnectionTrafficSecrets, Error};

/// Both directions of a connection, and where new keys come from.
pub(super) struct Keys {
    pub(super) opener: Direction,
    pub(super) sealer: Direction,
    successors: KernelConnection<ServerConnectionData>,
}

impl Keys {
    /// Takes the keys over. rustls refuses while the handshake lasts or while something is not sent.
    pub(super) fn extract(connection: UnbufferedServerConnection) -> Result<Self, Error> {
        let no_key = |error: RecordError| Error::General(error.to_string());
        let (secrets, successors) = connection.dangerous_into_kernel_connection()?;
        let opener = direction(&secrets.rx.1, secrets.rx.0).map_err(no_key)?;
        let sealer = direction(&secrets.tx.1, secrets.tx.0).map_err(no_key)?;
        Ok(Self {
            opener,
            sealer,
            successors,
        })
    }

    /// The client has changed its key.
    pub(super) fn renew_opener(&mut self) -> Result<(), RecordError> {
        let (sequence, secrets) = self
            .successors
            .update_rx_secret()
            .map_err(|_| RecordError::NoKey)?;
        self.opener = direction(&secrets, sequence)?;
        Ok(())
    }

    /// We have told the client that our key changes.
    pub(super) fn renew_sealer(&mut self) -> Result<(), RecordError> {
        let (sequence, secrets) = self
            .successors
            .update_tx_secret()
            .map_err(|_| RecordError::NoKey)?;
        self.sealer = direction(&secrets, sequence)?;
        Ok(())
    }
}

fn direction(secrets: &ConnectionTrafficSecrets, sequence: u64) -> Result<Direction, RecordError> {
    let (algorithm, key, iv) = match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
        ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
        _ => return Err(RecordError::NoKey),
    };
    Direction::new(algorithm, key.as_ref(), iv.as_ref(), sequence)
}
