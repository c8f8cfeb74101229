//! Keys of each kind and from each place, how they change, and tokens beside certificates.

use super::*;

#[test]
fn keys_of_each_kind_sign() {
    let ed = Ed25519KeyPair::generate().unwrap();
    let rsa = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let public = rsa.public_key();
    let (n, e) = (
        public.modulus().big_endian_without_leading_zero(),
        public.exponent().big_endian_without_leading_zero(),
    );
    let jwks = [
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encoded(ed.public_key().as_ref())}),
        json!({"kty": "RSA", "kid": "rsa", "n": encoded(n), "e": encoded(e)}),
    ];
    let scene = TokenScene::new(&jwks, "", TOKEN);
    let (client, identity) = scene.device();
    let good = claims(&identity);
    let bearer = |alg: &str, kid: &str, sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        let signed = signed_part(&json!({"alg": alg, "kid": kid}), &good);
        format!("Bearer {signed}.{}", encoded(&sign(signed.as_bytes())))
    };
    let by_rsa = |padding: &'static dyn signature::RsaEncoding, message: &[u8]| {
        let mut signature = vec![0; rsa.public_modulus_len()];
        rsa.sign(padding, &SystemRandom::new(), message, &mut signature)
            .unwrap();
        signature
    };
    for token in [
        bearer("EdDSA", "ed", &|message| ed.sign(message).as_ref().to_vec()),
        bearer("RS256", "rsa", &|message| {
            by_rsa(&signature::RSA_PKCS1_SHA256, message)
        }),
        bearer("PS256", "rsa", &|message| {
            by_rsa(&signature::RSA_PSS_SHA256, message)
        }),
    ] {
        assert_eq!(scene.scene.judge(&client, &[&token]), "200 alice token");
    }
    let swapped = bearer("PS256", "rsa", &|message| {
        by_rsa(&signature::RSA_PKCS1_SHA256, message)
    });
    assert_eq!(scene.scene.judge(&client, &[&swapped]), "401 invalid_token");
}

#[test]
fn only_the_algorithms_of_the_issuer_count() {
    let signer = Signer::new("one");
    let scene = TokenScene::new(
        &[signer.jwk()],
        "algorithms = [\"PS256\", \"EdDSA\"]",
        TOKEN,
    );
    let (client, identity) = scene.device();
    assert_eq!(
        scene
            .scene
            .judge(&client, &[&signer.bearer(&claims(&identity))]),
        "401 invalid_token"
    );
    assert!(scene.detail().contains("algorithm"), "{}", scene.detail());
}

#[test]
fn keys_change_with_their_file_and_what_was_remembered_goes_with_them() {
    let (old, new) = (Signer::new("one"), Signer::new("two"));
    let scene = TokenScene::new(&[old.jwk()], "", TOKEN);
    let (client, identity) = scene.device();
    let (by_old, by_new) = (
        old.bearer(&claims(&identity)),
        new.bearer(&claims(&identity)),
    );
    let mut open = client.connect(Version::Http1).unwrap();
    let mut send = |token: &str| {
        let mut request = get("/");
        request
            .headers_mut()
            .insert("authorization", token.parse().unwrap());
        open.send(request).unwrap().status
    };
    assert_eq!(
        (send(&by_old), send(&by_old), send(&by_new)),
        (200, 200, 401)
    );
    let before = scene.scene.gateway.generation();
    std::fs::write(&scene.keys, json!({"keys": [new.jwk()]}).to_string()).unwrap();
    scene.scene.gateway.wait_for_generation_after(before);
    assert_eq!((send(&by_old), send(&by_new)), (401, 200));
    // What cannot be used does not come into force.
    std::fs::write(&scene.keys, "{}").unwrap();
    eventually("a refused reload", || {
        (scene.scene.gateway.reloads("failure") > 0.0).then_some(())
    });
    assert_eq!(send(&by_new), 200);
}

#[test]
fn certificate_and_token_of_one_user_can_both_be_needed() {
    let signer = Signer::new("one");
    let keys = "credentials = [\"certificate\", \"token\"]\ncredentials_required = \"all\"";
    let more = user("carol", &["*"]);
    let scene = TokenScene::new(&[signer.jwk()], &more, keys);
    let carol = scene.scene.pki.client("carol");
    let client = Client::new(
        &scene.scene.pki,
        Some(&carol),
        scene.scene.gateway.address(),
    );
    assert_eq!(scene.scene.judge(&client, &[]), "401 no_credentials");
    assert_eq!(
        scene
            .scene
            .judge(&client, &[&signer.bearer(&claims(&carol))]),
        "403 contradictory_credentials"
    );
    let users = scene.scene.users.replace(
        "client_token = \"alice-id\"",
        "client_token = \"alice-id\"\nclient_cn = \"alice\"",
    );
    let mut scene = scene;
    scene.scene.reload(&users, keys);
    let alice = scene.scene.pki.client("alice");
    let client = Client::new(
        &scene.scene.pki,
        Some(&alice),
        scene.scene.gateway.address(),
    );
    assert_eq!(
        scene
            .scene
            .judge(&client, &[&signer.bearer(&claims(&alice))]),
        "200 alice token"
    );
}

/// A TLS server that answers with what it is told to.
fn key_server(pki: &Pki, answer: Arc<Mutex<(u16, String)>>) -> Upstream {
    let server = pki.server("idp", &["127.0.0.1"]);
    let chain = CertificateDer::pem_slice_iter(server.certificate.as_bytes())
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = config
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    Upstream::over_tls_answering(config, move |_| {
        let (status, body) = answer.lock().unwrap().clone();
        http::Response::builder()
            .status(status)
            .body(full(body))
            .unwrap()
    })
}

fn fetching_from(server: &Upstream, pki: Pki, upstream: Upstream) -> Scene {
    let users = format!(
        "[token_issuer.idp]\nissuer = \"https://idp.example\"\naudience = \"gateway\"\njwks_url = \"https://{}/keys\"\n\
         anchors = \"{}\"\nrefresh = \"600ms\"\n[api_user.alice]\nclient_token = \"alice-id\"\npermissions = [\"*\"]\n",
        server.address,
        pki.ca_file().display(),
    );
    let gateway = Gateway::start(&Scene::config(&pki, &upstream, &users, TOKEN));
    Scene {
        pki,
        upstream,
        gateway,
        users,
    }
}

#[test]
fn keys_from_a_url_are_fetched_again_and_the_last_good_ones_stay() {
    let (pki, upstream, old, new) = (
        Pki::new(),
        Upstream::start(),
        Signer::new("one"),
        Signer::new("two"),
    );
    let answer = Arc::new(Mutex::new((503, String::new())));
    let server = key_server(&pki, answer.clone());
    let scene = fetching_from(&server, pki, upstream);
    let identity = scene.pki.client("device");
    let client = Client::new(&scene.pki, Some(&identity), scene.gateway.address());
    let (by_old, by_new) = (
        old.bearer(&claims(&identity)),
        new.bearer(&claims(&identity)),
    );
    let fetches = |result| {
        scene
            .gateway
            .metric("portcullis_token_key_fetches_total", &[("result", result)])
    };
    eventually("a failed fetch", || {
        (fetches("failure") > 0.0).then_some(())
    });
    assert_eq!(scene.judge(&client, &[&by_old]), "503 no_keys");
    let serve = |status, text: &str| *answer.lock().unwrap() = (status, text.to_owned());
    let good = json!({"keys": [old.jwk()]}).to_string();
    let first = |token: &str| scene.judge_in(Version::Http1, &client, &[token]);
    serve(200, &good);
    eventually("keys", || {
        (first(&by_old) == "200 alice token").then_some(())
    });
    // Nonsense, and too much, change nothing.
    for nonsense in [
        "<html>",
        &format!("{{\"keys\":[], \"x\":\"{}\"}}", "x".repeat(300_000)),
    ] {
        let (failed, fetched) = (fetches("failure"), fetches("success"));
        serve(200, nonsense);
        eventually("a failed fetch", || {
            (fetches("failure") > failed).then_some(())
        });
        assert_eq!(scene.judge(&client, &[&by_old]), "200 alice token");
        serve(200, &good);
        eventually("a fetch", || (fetches("success") > fetched).then_some(()));
    }
    serve(200, &json!({"keys": [new.jwk()]}).to_string());
    eventually("new keys", || {
        (first(&by_new) == "200 alice token").then_some(())
    });
    assert_eq!(scene.judge(&client, &[&by_old]), "401 invalid_token");
    // A reload that changes nothing about them keeps them, also if nobody answers then.
    serve(500, "");
    let config = Scene::config(&scene.pki, &scene.upstream, &scene.users, TOKEN)
        + "[role.new]\npermissions = [\"x\"]\n";
    scene.gateway.reload_with(&config);
    assert_eq!(scene.judge(&client, &[&by_new]), "200 alice token");
}
