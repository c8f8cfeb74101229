//! The whole way from a new CA to a response with our own commands alone.

use super::*;

/// The way of the seed text, with our own binary alone: CA, request, signature, ApiUser, reload, curl.
#[test]
fn portcullis_pki_leads_from_a_new_authority_to_a_response() {
    if !require_program("curl") {
        return;
    }
    let (desk, upstream) = (tempfile::tempdir().unwrap(), Upstream::start());
    let root = desk.path().to_owned();
    for line in [
        "pki new-ca",
        "pki new-cert --cn gateway --key server.key --csr server.csr",
        "pki sign-csr --csr server.csr --cert server.crt --server --dns localhost --ip 127.0.0.1",
        "pki new-cert --cn my-api-client --key my.key --csr my.csr",
    ] {
        portcullis(&root, line);
    }
    let signed = portcullis(&root, "pki sign-csr --csr my.csr --cert my.crt");
    let config = format!(
        "[listener.main]\naddress = \"127.0.0.1:0\"\ncertificate = \"server.crt\"\nprivate_key = \"server.key\"\n\
         [trust_domain.internal]\nanchors = [\"pki/ca.crt\"]\n{}{}",
        crate::support::gateway::process(),
        route_to(upstream.address)
    );
    std::fs::write(root.join("gateway.toml"), &config).unwrap();
    let gateway = Gateway::start_in(desk, root.join("gateway.toml"));
    let ask = || {
        let url = format!("https://localhost:{}/hello", gateway.address().port());
        let files = [
            "--cacert",
            "pki/ca.crt",
            "--cert",
            "my.crt",
            "--key",
            "my.key",
        ];
        let output = Command::new("curl")
            .args(files)
            .args(["-sS", "-w", " %{http_code}", &url])
            .current_dir(&root)
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert!(ask().ends_with(" 403"), "nobody has added the user yet");
    // What the signing printed is what is added. Without its permission there is no right.
    let (_, hint) = signed.split_once("add to the config:\n").expect("a hint");
    let without_permission = hint.replace("permissions = [\"GET /*\"]", "permissions = []");
    assert_ne!(without_permission, hint);
    gateway.reload_with(&format!("{config}{without_permission}"));
    let answer = ask();
    assert!(
        answer.contains("no_permission") && answer.ends_with(" 403"),
        "{answer}"
    );
    gateway.reload_with(&format!("{config}{hint}"));
    assert_eq!(ask(), "hello 200");
    assert_eq!(upstream.only().values("x-client-user"), ["my-api-client"]);
}
