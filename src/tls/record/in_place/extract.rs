//! The only file that extracts traffic keys from rustls: after the handshake, and after key updates. The key derivation
//! of RFC 8446 section 7.2 stays in rustls.

use super::error::RecordError;
use super::keys::Direction;
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305};
use rustls::kernel::KernelConnection;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::{ConnectionTrafficSecrets, Error};

/// Both directions of a connection, and the source of new keys.
pub(super) struct TrafficKeys {
    pub(super) opener: Direction,
    pub(super) sealer: Direction,
    successors: KernelConnection<ServerConnectionData>,
}

impl TrafficKeys {
    /// Extracts the keys. rustls returns an error if the handshake is not complete or data is not sent.
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

    /// Switches to the client's next key.
    pub(super) fn renew_opener(&mut self) -> Result<(), RecordError> {
        let (sequence, secrets) = self
            .successors
            .update_rx_secret()
            .map_err(|_| RecordError::NoKey)?;
        self.opener = direction(&secrets, sequence)?;
        Ok(())
    }

    /// Switches to the next sending key, after the key update was sent.
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
