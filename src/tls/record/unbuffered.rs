//! Copies data from the memory of rustls' unbuffered connection: plaintext, and records that rustls makes.

use super::ReceiveBuffer;
use rustls::Error;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    AppDataRecord, ConnectionState, EncodeError, EncodeTlsData, ReadTraffic, UnbufferedStatus,
};

/// Copies plaintext to `input`. Returns the number of received bytes to discard in addition.
pub(super) fn take_plaintext(
    mut traffic: ReadTraffic<'_, '_, ServerConnectionData>,
    input: &mut ReceiveBuffer,
) -> Result<usize, Error> {
    let mut discard = 0;
    while let Some(record) = traffic.next_record() {
        let AppDataRecord {
            discard: more,
            payload,
            ..
        } = record?;
        discard += more;
        if !input.append(payload) {
            return Err(Error::General(
                "more plaintext than a record may have".to_owned(),
            ));
        }
    }
    Ok(discard)
}

/// The records that rustls wants to send first, such as an alert.
pub(in crate::tls) fn queued_records(session: &mut UnbufferedServerConnection) -> Vec<u8> {
    let mut records = Vec::new();
    while session.wants_write() {
        // rustls returns queued records first, so it needs no received bytes.
        let UnbufferedStatus { state, .. } = session.process_tls_records(&mut []);
        let Ok(ConnectionState::EncodeTlsData(data)) = state else {
            break;
        };
        if encode_record(data, &mut records).is_err() {
            break;
        }
    }
    records
}

/// Appends a record that rustls made to `records`.
pub(in crate::tls) fn encode_record(
    mut data: EncodeTlsData<'_, ServerConnectionData>,
    records: &mut Vec<u8>,
) -> Result<(), Error> {
    let start = records.len();
    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
        records.resize(start + size.required_size, 0);
        let target = records.get_mut(start..).unwrap_or_default();
        data.encode(target)
            .map_err(|error| Error::General(error.to_string()))?;
    }
    Ok(())
}
