//! Lint of routes with `client_auth = "off"` on listeners that require a certificate.

use super::super::Assembly;
use crate::config::{ClientAuth, RouteEntry};
use crate::snapshot::ListenerPolicy;

impl Assembly<'_> {
    /// Warns about `client_auth = "off"` of a route where the TLS handshake rejects every client without a certificate.
    pub(in super::super) fn lint_open_route(
        &self,
        entry: &RouteEntry,
        serving: &[&ListenerPolicy],
    ) {
        let Some(off) = entry
            .client_auth
            .as_ref()
            .filter(|auth| auth.value == ClientAuth::Off)
        else {
            return;
        };
        let mut hosts = serving.iter().flat_map(|listener| listener.hosts.iter());
        if serving.is_empty() || hosts.any(|host| host.client_auth != ClientAuth::Required) {
            return;
        }
        let names: Vec<String> = serving
            .iter()
            .map(|listener| format!("\"{}\"", listener.name))
            .collect();
        let (of, listeners) = match names.as_slice() {
            [one] => ("its listener", format!("listener {one}")),
            several => (
                "each of its listeners",
                format!("a listener of it ({})", several.join(", ")),
            ),
        };
        let message = format!(
            "`client_auth = \"off\"` opens this route to every client, but no client without a certificate reaches it: {of} \
             requires one in the TLS handshake (`client_auth = \"required\"`)"
        );
        let hint = format!(
            "write `client_auth = \"optional\"` on {listeners}: its other routes still require a certificate; or \
             `client_auth = \"optional\"` on this route, if it is meant for every client with a certificate"
        );
        self.problems.warning(off.place, message, hint);
    }
}
