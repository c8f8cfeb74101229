//! Writes the heading of the config text: an example of the main config for Icinga. All of it is a comment, since it names
//! files and addresses that only the operator knows.

use super::ListingFormat;
use crate::import::text::{comment, quoted};

pub(super) fn write(config: &mut String, file: &str, format: ListingFormat, nodes: &[String]) {
    let listing = match format {
        ListingFormat::Json => "GET /v1/objects/apiusers",
        ListingFormat::ObjectList => "icinga2 object list",
    };
    let mut line = |text: &str| {
        config.push_str(text);
        config.push('\n');
    };
    for heading in comment(&format!(
        "ApiUsers of Icinga 2, from {file} ({listing}) by `portcullis import icinga2`."
    )) {
        line(&heading);
    }
    line(
        "# Include this file from the main config, `include = [\"users.d/*.toml\"]`, which holds the rest, such as:",
    );
    line("#");
    line("# [listener.main]");
    line("# address = \"0.0.0.0:8443\"");
    line("# certificate = \"pki/server.crt\"");
    line("# private_key = \"pki/server.key\"");
    line(
        "# client_auth = \"optional\"                # for users with passwords; without them leave it out",
    );
    line("#");
    line("# [trust_domain.icinga]");
    line("# anchors = [\"/var/lib/icinga2/certs/ca.crt\"]");
    let names: Vec<String> = nodes.iter().map(|name| quoted(name)).collect();
    match names.is_empty() {
        true => line(
            "# reserved_names = [\"icinga-master*\"]     # the same CA also signs cluster nodes; write their names",
        ),
        false => line(&format!("# reserved_names = [{}]", names.join(", "))),
    }
    line("#");
    line("# [upstream.icinga]");
    line("# endpoints = [\"https://localhost:5665\"]");
    line("# anchors = [\"/var/lib/icinga2/certs/ca.crt\"]");
    line("# server_name = \"NODE\"                    # the name of the Icinga node");
    line(
        "# basic_credentials = \"secrets/icinga\"    # a file with USER:PASSWORD of an ApiUser with all that is used here",
    );
    line(
        "# pool_idle_timeout = \"8s\"                # Icinga closes idle connections after 10 seconds",
    );
    line("#");
    line("# [[route]]");
    line("# path = \"/\"");
    line("# upstream = \"icinga\"");
    line("# preset = \"icinga2\"");
    line("# credentials = [\"certificate\", \"password\"]");
    line("#");
    line(
        "# Icinga sees one user for all users without credentials of their own there, and evaluates `joins` and filters in",
    );
    line(
        "# queries by that user's permissions. `*` is every right on every route of this gateway; `**` is every name,",
    );
    line("# which is what `*` means in Icinga.");
}
