//! The real nginx as an authorizer: it reads the fields that it would get from itself or from Traefik.

use super::{PATIENT, Speaks, asking_route};
use crate::support::client::{BOTH, request};
use crate::support::gateway::{listener, user};
use crate::support::nginx::Nginx;
use crate::support::{Client, Gateway, Pki, Upstream, require_program};

#[test]
fn nginx_rules_become_permissions() {
    if !require_program("nginx") {
        return;
    }
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let nginx = Nginx::start(pki.folder.path(), |address| {
        format!(
            "  map \"$http_x_client_user $http_x_client_verify $http_x_forwarded_method $http_x_forwarded_uri\" $verdict {{\n    \
             default 403;\n    \"alice SUCCESS GET /yes?a=b\" 204;\n    \"bob SUCCESS POST /yes\" 204;\n  }}\n  \
             server {{\n    listen {address};\n    location = /check {{\n      add_header X-Org $http_x_client_cn always;\n      \
             if ($verdict = 204) {{ return 204; }}\n      return 403;\n    }}\n  }}\n"
        )
    });
    let keys = PATIENT.to_owned() + "response_headers = [\"x-org\"]\n";
    let config = listener(&pki)
        + &user("alice", &["*"])
        + &user("bob", &["*"])
        + &Speaks::ForwardAuth.table(nginx.address, &keys)
        + &asking_route(upstream.address);
    let gateway = Gateway::start(&config);
    for version in BOTH {
        for (name, method, path, status) in [
            ("alice", "GET", "/yes?a=b", 200),
            ("alice", "GET", "/%79es?a=b", 200),
            ("alice", "GET", "/yes", 403),
            ("alice", "POST", "/yes?a=b", 403),
            ("bob", "POST", "/yes", 200),
            ("bob", "GET", "/yes?a=b", 403),
        ] {
            let client = Client::new(&pki, Some(&pki.client(name)), gateway.address());
            let mut asked = request(method, path, "");
            asked
                .headers_mut()
                .insert("x-client-user", "alice".parse().unwrap());
            let answer = client.send(version, asked).unwrap();
            assert_eq!(answer.status, status, "{name} {method} {path}");
            if status == 200 {
                let up = upstream.recorded().pop().unwrap();
                assert_eq!(up.values("x-org"), [name]);
            }
        }
    }
}
