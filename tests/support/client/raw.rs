//! Raw bytes over TLS, and what a raw answer says.

use super::*;

/// Raw bytes over TLS.
pub struct Raw {
    pub(super) stream: StreamOwned<ClientConnection, TcpStream>,
}

impl Raw {
    /// The certificate that the server showed in the handshake, in DER.
    pub fn server_certificate(&mut self) -> Vec<u8> {
        while self.stream.conn.is_handshaking() {
            self.stream
                .conn
                .complete_io(&mut self.stream.sock)
                .expect("a handshake");
        }
        let chain = self.stream.conn.peer_certificates().expect("a certificate");
        chain[0].to_vec()
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stream
            .write_all(bytes)
            .expect("a connection that takes bytes");
        self.stream.flush().expect("a connection that takes bytes");
    }

    /// Lets `try_write` fail when nothing is taken for so long. A write that blocks turns to reading in rustls, so it
    /// takes the time of both.
    pub fn give_up_writing_after(&self, time: Duration) {
        self.stream
            .sock
            .set_write_timeout(Some(time))
            .expect("a timeout");
        self.stream
            .sock
            .set_read_timeout(Some(time))
            .expect("a timeout");
    }

    /// Writes to a connection that may be closed already.
    pub fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// The alert with which the other side refuses to go on.
    pub fn alert(&mut self) -> AlertDescription {
        let error = match self.stream.read(&mut [0]) {
            Err(error) => error,
            Ok(read) => panic!("{read} bytes and no alert"),
        };
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(rustls::Error::AlertReceived(alert)) => *alert,
            _ => panic!("no alert: {error:?}"),
        }
    }

    /// Reads some content, or gives the alert that ends the connection.
    pub fn content_or_alert(&mut self) -> Option<AlertDescription> {
        match self.stream.read(&mut [0; 4096]) {
            Ok(0) => panic!("a goodbye and no alert"),
            Ok(_) => None,
            Err(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
                _ => panic!("no alert: {error:?}"),
            },
        }
    }

    /// Reads until the text has come.
    pub fn read_until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        let mut octet = [0];
        while !text.ends_with(end.as_bytes()) {
            match self.stream.read(&mut octet) {
                Ok(1) => text.push(octet[0]),
                other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&text)),
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Reads so many bytes.
    pub fn read_exact(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("that many bytes");
        bytes
    }

    /// What has come by now or comes next; empty at the end, clean or not.
    pub fn read_some(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 64 * 1024];
        let length = match self.stream.read(&mut bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("waited in vain for bytes")
            }
            outcome => outcome.unwrap_or(0),
        };
        bytes.truncate(length);
        bytes
    }

    /// Ends this side of TLS, and goes on reading.
    pub fn close_writing(&mut self) {
        self.stream.conn.send_close_notify();
        self.stream.flush().expect("a connection that takes bytes");
    }

    /// Takes a new key so many times at once, and asks the other side for as many.
    pub fn renew_keys(&mut self, times: usize) {
        let mut wire = Vec::new();
        for _ in 0..times {
            self.stream.conn.refresh_traffic_keys().expect("TLS 1.3");
            self.stream.conn.write_tls(&mut wire).expect("memory");
        }
        self.stream
            .sock
            .write_all(&wire)
            .expect("a connection that takes bytes");
    }

    /// Reads until TLS ends. The alert, if it ends with a fatal one.
    pub fn end_of_tls(&mut self) -> Option<AlertDescription> {
        loop {
            match self.stream.read(&mut [0; 4096]) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                    Some(rustls::Error::AlertReceived(alert)) => return Some(*alert),
                    _ => panic!("cut off: {error:?}"),
                },
            }
        }
    }

    /// Whether the connection ends with a reset, which no client takes for the end of a body.
    pub fn is_reset(&mut self) -> bool {
        loop {
            match self.stream.read(&mut [0; 4096]) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }

    /// Ends TLS with a fatal alert, as a client does that cannot read a record.
    pub fn send_fatal_alert(&mut self) {
        let record = [&[23, 3, 3, 0, 32][..], &[0; 32]].concat();
        let _ = self.stream.conn.read_tls(&mut &*record);
        self.stream
            .conn
            .process_new_packets()
            .expect_err("a record that nobody has sealed");
        self.stream
            .conn
            .write_tls(&mut self.stream.sock)
            .expect("a connection that takes bytes");
    }

    /// The socket below, for those who break the rules.
    pub fn socket(&self) -> &TcpStream {
        &self.stream.sock
    }

    /// Reads until the other side closes, cleanly or not.
    pub fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        let outcome = self.stream.read_to_end(&mut bytes);
        if let Err(error) = &outcome {
            let ends = [
                std::io::ErrorKind::UnexpectedEof,
                std::io::ErrorKind::ConnectionReset,
            ];
            assert!(
                ends.contains(&error.kind()),
                "{error} after {:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The reason word of a raw answer; nothing if it is no rejection.
pub fn reason(answer: &str) -> String {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let problem: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    problem["reason"].as_str().unwrap_or_default().to_owned()
}

/// The status of a raw answer.
pub fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("no status in {answer:?}"))
}
