//! What rustls's unbuffered connection gives in memory of its own, copied to ours: plaintext, and records that it has made.

use super::Input;
use rustls::Error;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    AppDataRecord, ConnectionState, EncodeError, EncodeTlsData, ReadTraffic, UnbufferedStatus,
};

/// Copies plaintext to where it is sent on from. Gives what is to be discarded besides.
pub(super) fn take_plaintext(
    mut traffic: ReadTraffic<'_, '_, ServerConnectionData>,
    input: &mut Input,
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

/// The records that rustls wants to send before everything else, as an alert.
pub(in crate::tls) fn queued_records(session: &mut UnbufferedServerConnection) -> Vec<u8> {
    let mut records = Vec::new();
    while session.wants_write() {
        // It comes first, so this looks at nothing that was received.
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

/// Puts a record that rustls has made behind those that are here.
pub(in crate::tls) fn encode_record(
    mut data: EncodeTlsData<'_, ServerConnectionData>,
    records: &mut Vec<u8>,
) -> Result<(), Error> {
    let start = records.len();
    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
        records.resize(start + size.required_size, 0);
        let place = records.get_mut(start..).unwrap_or_default();
        data.encode(place)
            .map_err(|error| Error::General(error.to_string()))?;
    }
    Ok(())
}
