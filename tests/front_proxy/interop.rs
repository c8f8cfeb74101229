//! HAProxy and nginx in front of us, as they are documented in the README.

use super::Scene;
use crate::support::client::Version;
use crate::support::{Client, Gateway, Peer, Pki, ReservedPort, eventually, require_program};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

/// A program in front. It ends, with its workers, when this is dropped.
struct Front {
    _process: Peer,
    address: SocketAddr,
    _port: ReservedPort,
}

impl Front {
    fn start(
        program: &str,
        arguments: &[&str],
        file: &Path,
        config: &str,
        port: ReservedPort,
    ) -> Self {
        std::fs::write(file, config).unwrap();
        let mut command = Command::new(program);
        let paths = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        command.env("PATH", paths).args(arguments).arg(file);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut process = Peer::start(&mut command);
        let address = port.address();
        eventually("the proxy in front listens", || {
            assert!(process.ended().is_none(), "{program} ended at once");
            TcpStream::connect(address).ok()
        });
        Self {
            _process: process,
            address,
            _port: port,
        }
    }
}

/// Files as HAProxy wants them: certificate and key in one.
fn bundle(pki: &Pki, name: &str) -> String {
    let read = |suffix| std::fs::read_to_string(pki.path(&format!("{name}.{suffix}"))).unwrap();
    let path = pki.path(&format!("{name}.pem"));
    std::fs::write(&path, read("crt") + &read("key")).unwrap();
    path.display().to_string()
}

/// HAProxy that demands certificates of the partners and speaks for them to the gateway as `edge`.
fn haproxy(scene: &Scene, gateway: &Gateway, lines: &str, server: &str) -> Front {
    let port = ReservedPort::new();
    let address = port.address();
    let config = format!(
        "defaults\n  timeout connect 30s\n  timeout client 30s\n  timeout server 30s\n{lines}\n  bind {address} ssl crt {} \
         ca-file {} verify required\n  server gateway {} ssl crt {} ca-file {} verifyhost localhost sni str(localhost) {server}\n",
        bundle(&scene.ours, "server"),
        scene.partners.ca_file().display(),
        gateway.address(),
        bundle(&scene.ours, "edge"),
        scene.ours.ca_file().display(),
    );
    let file = scene.ours.path("haproxy.cfg");
    Front::start("haproxy", &["-db", "-f"], &file, &config, port)
}

fn status_of(scene: &Scene, name: &str, address: SocketAddr) -> u16 {
    let identity = scene.partners.client(name);
    let client = Client::new(&scene.ours, Some(&identity), address);
    client
        .send(Version::Http1, crate::support::client::get("/"))
        .unwrap()
        .status
}

#[test]
fn haproxy_names_its_clients_in_the_proxy_protocol() {
    if !require_program("haproxy") {
        return;
    }
    let scene = Scene::new();
    let gateway = scene.start("", "identity = \"proxy-v2\"\nbelieve = \"common-name\"");
    let front = haproxy(
        &scene,
        &gateway,
        "listen front\n  mode tcp",
        "send-proxy-v2-ssl-cn",
    );
    assert_eq!(status_of(&scene, "alice", front.address), 200);
    let up = scene.last();
    assert_eq!(
        (
            up.values("x-client-user"),
            up.values("x-client-forwarded-by")
        ),
        (vec!["alice"], vec!["edge"])
    );
    assert_eq!(status_of(&scene, "carol", front.address), 403);
    gateway
        .wait_for_access(|line| line["reason"] == "unknown_user" && line["forwarded_by"] == "edge");
}

#[test]
fn haproxy_names_its_clients_in_a_field() {
    if !require_program("haproxy") {
        return;
    }
    let scene = Scene::new();
    let gateway = scene.start("", "identity = \"rfc9440\"");
    let lines =
        "listen front\n  mode http\n  http-request set-header Client-Cert :%[ssl_c_der,base64]:";
    let front = haproxy(&scene, &gateway, lines, "");
    assert_eq!(status_of(&scene, "alice", front.address), 200);
    let up = scene.last();
    assert_eq!(
        (
            up.values("x-client-user"),
            up.values("x-client-forwarded-by")
        ),
        (vec!["alice"], vec!["edge"])
    );
    assert_eq!(status_of(&scene, "bob", front.address), 403);
    gateway.wait_for_access(|line| line["reason"] == "no_permission" && line["user"] == "bob");
}

#[test]
fn nginx_names_its_clients_as_envoy_does() {
    if !require_program("nginx") {
        return;
    }
    let scene = Scene::new();
    let gateway = scene.start("", "identity = \"xfcc\"");
    let port = ReservedPort::new();
    let (address, folder) = (port.address(), scene.ours.folder.path().display());
    let config = format!(
        "daemon off; error_log /dev/null; pid {folder}/nginx.pid; events {{}}\nhttp {{ access_log off; \
         client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; \
         uwsgi_temp_path {folder}; scgi_temp_path {folder};\nserver {{ listen {address} ssl; \
         ssl_certificate {folder}/server.crt; ssl_certificate_key {folder}/server.key; \
         ssl_client_certificate {}; ssl_verify_client on;\nlocation / {{ proxy_pass https://{}; \
         proxy_set_header Host localhost; proxy_ssl_server_name on; proxy_ssl_name localhost; \
         proxy_ssl_certificate {folder}/edge.crt; proxy_ssl_certificate_key {folder}/edge.key; \
         proxy_ssl_trusted_certificate {folder}/ca.crt; proxy_ssl_verify on; proxy_http_version 1.1;\n\
         proxy_set_header X-Forwarded-Client-Cert 'Cert=\"$ssl_client_escaped_cert\"'; }} }} }}\n",
        scene.partners.ca_file().display(),
        gateway.address(),
    );
    let _front = Front::start(
        "nginx",
        &["-c"],
        &scene.ours.path("nginx.conf"),
        &config,
        port,
    );
    assert_eq!(status_of(&scene, "alice", address), 200);
    assert_eq!(scene.last().values("x-client-user"), ["alice"]);
    assert_eq!(status_of(&scene, "carol", address), 403);
}
