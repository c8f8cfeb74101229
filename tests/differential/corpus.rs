//! What is sent: ordinary requests, rare but right ones, and everything that the engines could read differently.

/// Each is one stream of bytes; most are one request.
pub fn corpus() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    all.extend(
        heads()
            .into_iter()
            .map(|fields| request("GET /a", &fields, "")),
    );
    all.extend(
        framings()
            .into_iter()
            .map(|fields| request("POST /a", &fields, "0\r\n\r\n")),
    );
    all.extend(chunks().into_iter().map(|body| {
        request(
            "POST /a",
            "Transfer-Encoding: chunked\r\nTrailer: x-t, x-u\r\n",
            body,
        )
    }));
    all.extend(
        lines()
            .into_iter()
            .map(|line| format!("{line}\r\nHost: localhost\r\n\r\n").into_bytes()),
    );
    all.extend(whole());
    all
}

fn request(line: &str, fields: &str, body: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n{body}").into_bytes()
}

/// Fields of a GET.
fn heads() -> Vec<String> {
    let mut all: Vec<String> = [
        "",
        "Accept: */*\r\nAccept: text/html\r\nUser-Agent: a (b; c) \"d\"\r\n",
        "X-Empty:\r\nX-Spaces:   a b   \r\nX-Tab:\ta\t\r\n",
        "x_under_score: 1\r\n!#$%&'*+-.^_`|~0: 1\r\n",
        "Cookie: a=1; b=2\r\nCookie: c=3\r\n",
        "Content-Length: 0\r\n",
        "content-LENGTH:0\r\n",
        "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n",
        "Connection: close\r\n",
        "Connection: X-Hop, close\r\nX-Hop: 1\r\n",
        "Connection: X-Hop\r\nconnection: x-other\r\nX-Hop: 1\r\nX-Other: 2\r\nX-Stays: 3\r\n",
        "Connection: ,, ,\r\n",
        "Connection: host\r\n",
        "Connection: content-length\r\nContent-Length: 0\r\n",
        "Connection: transfer-encoding\r\n",
        "Connection: x-client-cn\r\nX-Client-CN: root\r\n",
        "X-Client-CN: root\r\nX_Client_User: root\r\nx-ssl-client-cn: root\r\nForwarded: for=1.2.3.4\r\n",
        "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\nX-Real-IP: 1.2.3.4\r\nVia: 1.1 a, 1.0 b\r\nVia: 2 c\r\n",
        "Proxy: http://evil/\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: close\r\n",
        "TE: trailers\r\n",
        "TE: gzip, trailers;q=0.5\r\n",
        "Connection: TE\r\nTE: trailers\r\n",
        "Upgrade: h2c\r\nConnection: upgrade, http2-settings\r\nHTTP2-Settings: AAMAAABk\r\n",
        "Upgrade: websocket\r\n",
        "Upgrade: websocket\r\nConnection: upgrade\r\n",
        "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 8\r\n",
        "Authorization: NTLM TlRMTVNTUAAB\r\n",
        "Authorization: Basic eDp5\r\nauthorization: Basic eDp5\r\n",
        "Content-Type: text/plain\r\nContent_Type: text/html\r\n",
        "Expect: 100-continue\r\n",
        "Expect: 100-Continue\r\nContent-Length: 0\r\n",
        "Expect: 200-ok\r\n",
        "Authorization: Basic eDp5\r\n",
        "X-HTTP-Method-Override: DELETE\r\n",
        "Range: bytes=0-1\r\nIf-None-Match: \"a\"\r\n",
        "Host: localhost\r\n",
        "host: elsewhere\r\n",
        "X: a\r\n folded\r\n",
        " X: a\r\n",
        "X : a\r\n",
        ": a\r\n",
        "no colon\r\n",
        "X: a\nY: b\r\n",
        "X: a\rb\r\n",
        "X: a\0b\r\n",
        "X: a\x01b\x7f\r\n",
        "X\0: a\r\n",
        "X Y: a\r\n",
        "X-Request-Id: mine\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push(format!("X: {}\r\n", "x".repeat(20_000)));
    all.push(format!("X: {}\r\n", "x".repeat(40_000)));
    all.push("X: y\r\n".repeat(90));
    all.push("X: y\r\n".repeat(99));
    all.push("X: y\r\n".repeat(100));
    all
}

/// What a POST says about its length.
fn framings() -> Vec<String> {
    [
        "Content-Length: 5\r\n",
        "Content-Length: 05\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 9223372036854775807\r\n",
        "Content-Length: 9223372036854775808\r\n",
        "Content-Length: 18446744073709551615\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content_Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: CHUNKED\r\n",
        "Transfer-Encoding:\tchunked \r\n",
        "Transfer_Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked\r\n : x\r\n",
        "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\nContent-Length: 5\r\n",
        "Expect: 100-continue, x\r\nContent-Length: 5\r\n",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Chunked bodies, whole and broken.
fn chunks() -> Vec<&'static str> {
    vec![
        "5\r\nhello\r\n0\r\n\r\n",
        "005\r\nhello\r\n000\r\n\r\n",
        "1\r\na\r\n1\r\nb\r\nA\r\n0123456789\r\n0\r\n\r\n",
        "5;a\r\nhello\r\n0;b=c\r\n\r\n",
        "5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
        "5\r\nhello\r\n0\r\nX-T: 1\r\nx-u: 2\r\nx-not-announced: 3\r\n\r\n",
        "5\r\nhello\r\n0\r\nX-T: 1\r\nX-T: 2\r\n\r\n",
        "5\r\nhello\r\n0\r\nX-Client-CN: root\r\nContent-Length: 3\r\nHost: b\r\nX-T: 1\r\n\r\n",
        "5\r\nhello\r\n0\r\nX-T:\r\n\r\n",
        "5\r\nhello\r\n0\r\nno colon\r\n\r\n",
        "5\r\nhello\r\n0\r\n folded: 1\r\n\r\n",
        "5\r\nhello\r\n0\r\nX-T : 1\r\n\r\n",
        "5\r\nhello\r\n0\r\nX-T: a\0b\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 ;a\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-1\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        ";a\r\nhello\r\n0\r\n\r\n",
        "5;\0\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;\r\nhello\r\n0\r\n\r\n",
        "5;bad[=x\r\nhello\r\n0\r\n\r\n",
        "5; a = \"\\\";\" ;b\r\nhello\r\n0;c=d\r\n\r\n",
        "5;a=\"b\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\r\nX-T: a\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "fffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "g\r\nhello\r\n0\r\n\r\n",
    ]
}

/// Request lines.
#[expect(clippy::too_many_lines, reason = "a list")]
fn lines() -> Vec<&'static str> {
    vec![
        "HEAD /a HTTP/1.1",
        "OPTIONS /a HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "DELETE /a HTTP/1.1",
        "QUERY /a?b=c HTTP/1.1",
        "get /a HTTP/1.1",
        "helloGET /a HTTP/1.1",
        "connect /a HTTP/1.1",
        "GET /a?\u{e4}=\u{20ac} HTTP/1.1",
        "M-SEARCH /a HTTP/1.1",
        "TRACE /a HTTP/1.1",
        "CONNECT localhost:443 HTTP/1.1",
        "CONNECT /a HTTP/1.1",
        "GET /chunked HTTP/1.1",
        "HEAD /chunked HTTP/1.1",
        "GET /secret HTTP/1.1",
        "HEAD /secret HTTP/1.1",
        "GET /whoami HTTP/1.1",
        "HEAD /whoami HTTP/1.1",
        "GET / HTTP/1.1",
        "GET /?a=b&c=%2f..%2f&&d HTTP/1.1",
        "GET /a? HTTP/1.1",
        "GET /a?b?c HTTP/1.1",
        "GET /%61%2D%7e HTTP/1.1",
        "GET /a%2fb HTTP/1.1",
        "GET /a%5cb HTTP/1.1",
        "GET /a%00 HTTP/1.1",
        "GET /a%zz HTTP/1.1",
        "GET /a%ff HTTP/1.1",
        "GET /a/../b HTTP/1.1",
        "GET /a/./b HTTP/1.1",
        "GET /a//b HTTP/1.1",
        "GET //a HTTP/1.1",
        "GET /a;b=c HTTP/1.1",
        "GET /a\\b HTTP/1.1",
        "GET /a|b{c}^ HTTP/1.1",
        "GET /a\"b HTTP/1.1",
        "GET /a<b> HTTP/1.1",
        "GET /a`b HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET /a[b] HTTP/1.1",
        "GET /a!$&'()*+,:@=~ HTTP/1.1",
        "GET /\u{e4} HTTP/1.1",
        "GET http://localhost/a HTTP/1.1",
        "GET https://localhost HTTP/1.1",
        "GET https://localhost?b HTTP/1.1",
        "GET https://elsewhere/a HTTP/1.1",
        "GET ftp://localhost/a HTTP/1.1",
        "GET localhost HTTP/1.1",
        "GET a HTTP/1.1",
        "GET /a HTTP/1.0",
        "GET  /a HTTP/1.1",
        "GET /a  HTTP/1.1",
        "GET /a HTTP/1.1 ",
        "GET /a\tHTTP/1.1",
        "GET /a",
        "GET /a HTTP/1.2",
        "GET /a HTTP/2.0",
        "GET /a http/1.1",
        "G\0T /a HTTP/1.1",
        "\0GET /a HTTP/1.1",
        " GET /a HTTP/1.1",
        "\r\nGET /a HTTP/1.1",
        "\r\n\r\nGET /a HTTP/1.1",
        "\nGET /a HTTP/1.1",
        "\rGET /a HTTP/1.1",
        "hello?",
    ]
}

/// Length of the longest head, in bytes: more than two slabs of the receive buffer.
const LONG_HEAD: usize = 150_000;

/// Requests with which nothing is wrong, of each kind.
pub fn correct() -> Vec<Vec<u8>> {
    let long = |length: usize| {
        format!(
            "GET /long HTTP/1.1\r\nHost: localhost\r\nX-A: {}\r\n\r\n",
            "x".repeat(length)
        )
    };
    let long_post = |length: usize| {
        format!(
            "POST /long HTTP/1.1\r\nX-A: {}\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
            "y".repeat(length)
        )
    };
    let large = "z".repeat(90_000);
    [
        "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "HEAD /a HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "OPTIONS /a?b=c HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
        "POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "POST /c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
            .to_owned(),
        "PUT /c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: x-t\r\n\r\n\
         5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n"
            .to_owned(),
        "GET /chunked HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET /old HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n".to_owned(),
        "POST /old HTTP/1.0\r\nHost: localhost\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello"
            .to_owned(),
        "GET http://localhost/absolute?a HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET https://LOCALHOST HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        format!("POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{large}", large.len()),
        long(40_000),
        long(70_000),
        long(LONG_HEAD),
        long_post(52_000),
        long_post(68_000),
        long_post(LONG_HEAD),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// Whole streams.
fn whole() -> Vec<Vec<u8>> {
    let get = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let post = "POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    let chunked = "POST /c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let old = "GET /old HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n";
    let absolute = "GET http://localhost/absolute HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let refused = "POST /secret HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    let large = "x".repeat(100_000);
    let mut all: Vec<Vec<u8>> = [
        get.repeat(20),
        [get, post, chunked, get, chunked, post].concat(),
        [get, old, post, chunked].concat(),
        [post, absolute, chunked, get].concat(),
        [chunked, "\r\n", get, "\r\n\r\n", post, "\r\n"].concat(),
        [refused, get].concat(),
        [get, "garbage\r\n\r\n"].concat(),
        [chunked, "0\r\n\r\n", get].concat(),
        "GET /a HTTP/1.1\r\n\r\n".to_owned(),
        "GET /a HTTP/1.1\r\nHost: \r\n\r\n".to_owned(),
        "GET /a HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned(),
        "GET /a HTTP/1.1\r\nHost: localhost:8443\r\n\r\n".to_owned(),
        "GET /a HTTP/1.1\r\nHost: LOCALHOST\r\n\r\n".to_owned(),
        "GET /a HTTP/1.1\r\nHost: localhost, b\r\n\r\n".to_owned(),
        "GET /a HTTP/1.0\r\n\r\n".to_owned(),
        "POST /a HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "POST /a HTTP/1.0\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "\x16\x03\x01\x02\r\n\r\n".to_owned(),
        "POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n0123456789".to_owned(),
        "POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\n0123456789x".to_owned(),
        "POST /small HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789x\r\n0\r\n\r\n"
            .to_owned(),
        "HEAD /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
        "GET /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_owned(),
        "POST /whoami HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello".to_owned() + get,
        format!("POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{large}", large.len()) + get,
        format!(
            "POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
            large.len()
        ),
        "POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned()
            + &"1\r\nx\r\n".repeat(2000)
            + "0\r\n\r\n"
            + get,
    ]
    .map(String::into_bytes)
    .to_vec();
    all.push(b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec());
    all.push(b"GET /a HTTP/1.1\r\nHost: localhost\r\nX: \xff\xfe\x80\r\n\r\n".to_vec());
    all.push(b"GET /a HTTP/1.1\r\nHost: localhost\r\nX\xff: a\r\n\r\n".to_vec());
    all.push(b"GET /a HTTP/1.1\r\nHost: l\xffcalhost\r\n\r\n".to_vec());
    all
}
