//! What must hold for each parser of foreign bytes, whatever the bytes are. Run by cargo-fuzz (`fuzz_targets`) and, over seeds and
//! their mutations, by `cargo test` (`tests/fuzz_smoke.rs`). A parser that panics fails, too.

#[path = "parsers/authority.rs"]
mod authority;
#[path = "parsers/certificates.rs"]
mod certificates;
#[path = "parsers/front_proxy.rs"]
mod front_proxy;
#[path = "parsers/http1.rs"]
mod http1;
#[path = "parsers/record_client.rs"]
mod record_client;
#[path = "parsers/records.rs"]
mod records;
#[path = "parsers/texts.rs"]
mod texts;
#[path = "parsers/token.rs"]
mod token;

pub use certificates::{certificate, crl, der, subject_names};
pub use front_proxy::{client_cert, proxy_v2, xfcc};
pub use http1::{chunks, path, request_head, response_head, trailers};
pub use records::records;
pub use texts::{condition, config, deny_list, import, pattern};
pub use token::jwt;

/// What a parser makes of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The parser accepts it, and what must then hold was compared.
    Accepted,
    Rejected,
}

/// A parser with inputs that it accepts.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]) -> Reading,
    /// At least one of them is accepted.
    pub seeds: &'static [&'static [u8]],
}

/// All targets; each has a file in `fuzz_targets`.
pub const TARGETS: [Target; 19] = [
    Target {
        name: "request_head",
        run: request_head,
        seeds: &[
            b"GET /a?b=c HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\n\r\n",
            b"POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"PUT / HTTP/1.0\r\nHost: [::1]:80\r\nContent-Length: 3\r\nConnection: close, x-a\r\n\r\nabc",
        ],
    },
    Target {
        name: "response_head",
        run: response_head,
        seeds: &[
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            b"HTTP/1.0 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ],
    },
    Target {
        name: "chunks",
        run: chunks,
        seeds: &[
            b"3\r\nabc\r\n0\r\n\r\n",
            b"1;name=value\r\na\r\n0a;x=\"y\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET ",
        ],
    },
    Target {
        name: "trailers",
        run: trailers,
        seeds: &[b"\r\n", b"X-Sum: 1\r\nServer-Timing: a;dur=1\r\n\r\n"],
    },
    Target {
        name: "path",
        run: path,
        seeds: &[
            b"/a/b/../c//d?x=%20&y=1",
            b"/%E2%82%AC/%2e%2e/a;b=c/./%41",
            b"/api/{x}/%c3%bc",
        ],
    },
    Target {
        name: "proxy_v2",
        run: proxy_v2,
        seeds: &[
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x7f\0\0\x01\x7f\0\0\x01\x10\0\x01\xbb",
            b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00",
        ],
    },
    Target {
        name: "condition",
        run: condition,
        seeds: &[
            b"request.method == \"GET\" && captures.kind in [\"a\", \"b\"]",
            b"has(certificate.cn) && certificate.cn.startsWith(\"x\") || now < timestamp(\"2030-01-01T00:00:00Z\")",
            b"!(user in [\"a\"]) ? source.startsWith(\"10.\") : request.path.matches(\"^/a\")",
        ],
    },
    Target {
        name: "deny_list",
        run: deny_list,
        seeds: &[
            b"# comment\nuser alice\ncn bob\n",
            b"fingerprint 0000000000000000000000000000000000000000000000000000000000000000\n",
        ],
    },
    Target {
        name: "certificate",
        run: certificate,
        seeds: &[
            b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            include_bytes!("seeds/certificate.pem"),
        ],
    },
    Target {
        name: "der",
        run: der,
        seeds: &[
            b"\x30\x06\x02\x01\x05\x04\x01x",
            b"\x17\x0d491231235959Z\x18\x0f20500229000000Z",
        ],
    },
    Target {
        name: "subject_names",
        run: subject_names,
        seeds: &[
            b"\x30\x14\x82\x04A.de\x82\x05*.b.c\x81\x05a@b.C",
            b"\x30\x13\x86\x0cspiffe://a/b\x87\x03\x01\x02\x03",
        ],
    },
    Target {
        name: "crl",
        run: crl,
        seeds: &[
            b"\x01\x17\x0d250101000000Z",
            b"\x02\x17\x0d250101000000Z\x18\x0f20500101000000Z\x30\x14\x30\x12\x02\x01\x05\x17\x0d250101000000Z\
                \xa0\x0e\x30\x0c\x30\x0a\x06\x03\x55\x1d\x14\x04\x03\x02\x01\x07",
            b"\x02\x17\x0d250101000000Z\x30\x22\x30\x20\x02\x01\x05\x17\x0d250101000000Z\
                \x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x01",
        ],
    },
    Target {
        name: "xfcc",
        run: xfcc,
        seeds: &[
            b"Cert=\"-----BEGIN%20CERTIFICATE-----%0AAQID%0A-----END%20CERTIFICATE-----%0A\"",
            b"Subject=\"CN=a\\\",Cert=b\";URI=u;cert=-----BEGIN%20CERTIFICATE-----%0AAQID%0A-----END%20CERTIFICATE-----",
        ],
    },
    Target {
        name: "client_cert",
        run: client_cert,
        seeds: &[b":AQI=:", b" :AQI=: \n:Aw==:,\t:BAUG:"],
    },
    Target {
        name: "jwt",
        run: jwt,
        seeds: &[
            br#"{"alg":"EdDSA","typ":"at+jwt"}
{"iss":"https://idp.example","aud":"portcullis","sub":"a","exp":1700000060,"cnf":{"x5t#S256":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}"#,
            br#"{"alg":"EdDSA","kid":null}
{"aud":["portcullis"],"exp":1.7e9}"#,
        ],
    },
    Target {
        name: "records",
        run: records,
        seeds: &[
            b"\0\x05\x02\x09\x03\0\x01\x20\x0b\0\x04\0\x0c\0",
            b"\0\x01\x05\x05\x18\0\0\x01\x02\0\x01",
            b"\x01\xff\x01\xff\x01\xff\x07\x05\x17\x03\x03\0\x11\0\x01",
        ],
    },
    Target {
        name: "pattern",
        run: pattern,
        seeds: &[b"/a*/?\\*\0\0/A**\0\0/ab/c*", b"*\0\0?\0\0"],
    },
    Target {
        name: "config",
        run: config,
        seeds: &[
            b"[[listener]]\naddress = \"[::1]:1\"\nclient_auth = \"require\"\n",
            b"[user.a]\npermissions = [\"GET /a/*\"]\nroles = [\"b\"]\n[route.r]\npath = \"/{x}\"\n",
        ],
    },
    Target {
        name: "import",
        run: import,
        seeds: &[
            b"\0Object 'a' of type 'ApiUser':\n  % declared in 'x.conf', lines 1:1-1:2\n  * __name = \"a\"\n  * client_cn = \"b\"\n  * password = \"\"\n  * password_hash = \"\"\n  * permissions = [ \"objects/query/*\" ]\n  * type = \"ApiUser\"\n",
            br#"0{"results":[{"attrs":{"client_cn":"b","permissions":["objects/query/*"]},"name":"a","type":"ApiUser"}]}"#,
            b"\x01map $ssl_client_s_dn_cn $ok {\n default 0;\n \"~^a$\" 1;\n b 1;\n}\n",
            b"\x02frontend f\n acl ok ssl_c_s_dn(CN) -m str a b\n http-request deny unless ok\n",
        ],
    },
];
