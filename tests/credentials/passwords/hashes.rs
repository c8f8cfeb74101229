//! Hashes that change, that take long, and that come from a file or from `hash-password`; permissions and order.

use super::*;

/// A hash of `correct horse` that takes a second or so.
fn dear_hash() -> String {
    use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
    let (costs, salt, mut hash) = (
        argon2::Params::new(65_536, 8, 1, None).unwrap(),
        b"somesalt",
        [0; 32],
    );
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, costs);
    argon2
        .hash_password_into(b"correct horse", salt, &mut hash)
        .unwrap();
    format!(
        "$argon2id$v=19$m=65536,t=8,p=1${}${}",
        BASE64.encode(salt),
        BASE64.encode(hash)
    )
}

#[test]
fn a_right_that_goes_while_its_password_is_hashed_is_gone() {
    let dear = dear_hash();
    let user = |permissions: &str| {
        format!(
            "[api_user.alice]\npassword_hash = '{dear}'\npermissions = [{permissions}]\n[passwords]\nremember = \"off\"\n"
        )
    };
    let mut scene = Scene::new(&user("\"*\""), PASSWORD);
    let good = basic("alice", "correct horse");
    let clients = [Version::Http1, Version::Http2].map(|version| (version, scene.anonymous()));
    for (version, client) in &clients {
        assert_eq!(
            scene.judge_in(*version, client, &[&good]),
            "200 alice password"
        );
    }
    let asked = std::thread::scope(|threads| {
        let asked = clients.each_ref().map(|(version, client)| {
            let mut request = get("/");
            request
                .headers_mut()
                .insert("authorization", good.parse().unwrap());
            threads.spawn(move || {
                (
                    client.send(*version, request).unwrap().status,
                    Instant::now(),
                )
            })
        });
        scene.reload(&user(""), PASSWORD);
        // Nearly always both are still being hashed.
        let reloaded = Instant::now();
        asked
            .map(|asked| asked.join().unwrap())
            .map(|(status, answered)| status == 403 || answered < reloaded)
    });
    assert_eq!(asked, [true, true]);
}

#[test]
fn two_hashes_let_a_password_change_without_a_gap() {
    let both = format!(
        "[api_user.alice]\npassword_hash = ['{ARGON2}', '{SHA512}']\npermissions = [\"*\"]\n"
    );
    let scene = Scene::new(&both, PASSWORD);
    for password in ["correct horse", "password"] {
        assert_eq!(
            scene.judge(&scene.anonymous(), &[&basic("alice", password)]),
            "200 alice password"
        );
    }
}

#[test]
fn a_hash_from_a_file_is_read_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hashes");
    std::fs::write(&file, format!("# alice\n{SHA512}\n")).unwrap();
    let users = format!(
        "[api_user.alice]\npassword_hash_file = \"{}\"\npermissions = [\"*\"]\n",
        file.display()
    );
    let scene = Scene::new(&users, PASSWORD);
    assert_eq!(
        scene.judge(&scene.anonymous(), &[&basic("alice", "correct horse")]),
        "200 alice password"
    );
    let before = scene.gateway.generation();
    std::fs::write(&file, format!("{ARGON2}\n")).unwrap();
    scene.gateway.wait_for_generation_after(before);
    assert_eq!(
        scene.judge(&scene.anonymous(), &[&basic("alice", "correct horse")]),
        "401 wrong_password"
    );
    assert_eq!(
        scene.judge(&scene.anonymous(), &[&basic("alice", "password")]),
        "200 alice password"
    );
}

#[test]
fn permissions_and_deny_count_as_for_certificates() {
    let users =
        format!("[api_user.alice]\npassword_hash = '{SHA512}'\npermissions = [\"POST /*\"]\n");
    let scene = Scene::new(&users, PASSWORD);
    assert_eq!(
        scene.judge(&scene.anonymous(), &[&basic("alice", "correct horse")]),
        "403 no_permission"
    );
}

#[test]
fn whoami_names_a_password_user() {
    let scene = Scene::new(
        &password_user("alice", SHA512),
        "[[route]]\npath = \"/v1\"\nrespond = \"whoami\"\ncredentials = \"password\"",
    );
    for version in [Version::Http1, Version::Http2] {
        let mut request = get("/v1");
        request.headers_mut().insert(
            "authorization",
            basic("alice", "correct horse").parse().unwrap(),
        );
        let answer = scene.anonymous().send(version, request).unwrap();
        assert!(
            answer.status == 200 && answer.body.contains("\"user\":\"alice\""),
            "{answer:?}"
        );
    }
}

#[test]
fn requests_behind_one_that_waits_for_its_password_keep_their_order() {
    let scene = Scene::new(&password_user("alice", ARGON2), PASSWORD);
    let good = basic("alice", "password");
    let first = format!(
        "POST /1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {good}\r\nContent-Length: 3\r\n\r\nabc"
    );
    let last = format!(
        "GET /2 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {good}\r\nConnection: close\r\n\r\n"
    );
    let answers = scene
        .anonymous()
        .exchange(&format!("{first}{last}").into_bytes());
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    let up = scene.upstream.recorded();
    assert_eq!(
        (&*up[0].target, &up[0].body[..], &*up[1].target),
        ("/1", &b"abc"[..], "/2")
    );
}

#[test]
fn what_hash_password_prints_is_taken() {
    let mut child = Command::new(PORTCULLIS)
        .arg("hash-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all("geheim äöü\n".as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let hash = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && hash.starts_with("$argon2id$"),
        "{hash}"
    );
    let scene = Scene::new(&password_user("alice", hash.trim_end()), PASSWORD);
    assert_eq!(
        scene.judge(&scene.anonymous(), &[&basic("alice", "geheim äöü")]),
        "200 alice password"
    );
}
