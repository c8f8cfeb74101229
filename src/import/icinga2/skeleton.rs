//! What stands above the users: where the rest of a config for Icinga goes. All of it is comment, since it names files
//! and addresses that only the operator knows.

use super::Form;
use crate::import::text::{comment, quoted};

pub(super) fn write(config: &mut String, file: &str, form: Form, nodes: &[String]) {
    let listing = match form {
        Form::Json => "GET /v1/objects/apiusers",
        Form::ObjectList => "icinga2 object list",
    };
    let mut say = |text: &str| {
        config.push_str(text);
        config.push('\n');
    };
    for line in comment(&format!(
        "ApiUsers of Icinga 2, from {file} ({listing}) by `portcullis import icinga2`."
    )) {
        say(&line);
    }
    say(
        "# Include this file from the main config, `include = [\"users.d/*.toml\"]`, where the rest stands, such as:",
    );
    say("#");
    say("# [listener.main]");
    say("# address = \"0.0.0.0:8443\"");
    say("# certificate = \"pki/server.crt\"");
    say("# private_key = \"pki/server.key\"");
    say(
        "# client_auth = \"optional\"                # for users with passwords; without them leave it out",
    );
    say("#");
    say("# [trust_domain.icinga]");
    say("# anchors = [\"/var/lib/icinga2/certs/ca.crt\"]");
    let names: Vec<String> = nodes.iter().map(|name| quoted(name)).collect();
    match names.is_empty() {
        true => say(
            "# reserved_names = [\"icinga-master*\"]     # the same CA also signs cluster nodes; write their names",
        ),
        false => say(&format!("# reserved_names = [{}]", names.join(", "))),
    }
    say("#");
    say("# [upstream.icinga]");
    say("# endpoints = [\"https://localhost:5665\"]");
    say("# anchors = [\"/var/lib/icinga2/certs/ca.crt\"]");
    say("# server_name = \"NODE\"                    # the name of the Icinga node");
    say(
        "# basic_credentials = \"secrets/icinga\"    # a file with USER:PASSWORD of an ApiUser with all that is used here",
    );
    say(
        "# pool_idle_timeout = \"8s\"                # Icinga closes idle connections after 10 seconds",
    );
    say("#");
    say("# [[route]]");
    say("# path = \"/\"");
    say("# upstream = \"icinga\"");
    say("# preset = \"icinga2\"");
    say("# credentials = [\"certificate\", \"password\"]");
    say("#");
    say(
        "# Icinga sees one user for all who have no credentials of their own there, and judges `joins` and filters in",
    );
    say(
        "# queries by that user's permissions. `*` is every right on every route of this gateway; `**` is every name,",
    );
    say("# which is what `*` means in Icinga.");
}
