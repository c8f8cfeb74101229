//! What the pure work of a request costs: `cargo bench --bench decide`. Shows that a judgement does not get dearer with
//! the number of ApiUsers and routes, what permissions, parsing and header edits cost, and that an ordinary request
//! needs no heap. Measures no network. Without `--bench` (under `cargo test`) it only checks that it works.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a program that prints figures, and stops at whatever goes wrong"
)]

mod counting;
mod scene;

use counting::{Counting, allocations_of};
use portcullis::authorize::Permit;
use portcullis::forward::{
    ClientAddress, ContentLength, ExpiryField, ExpiryFieldName, FieldNames, FieldPolicy,
    HeadWriter, RequestEdit, ResponseEdit, Upgrade, UpstreamAuthorization, request_fields,
    response_fields,
};
use portcullis::identity::{IdentityBlock, IdentitySet};
use portcullis::pattern::{Case, Pattern};
use scene::{ANSWER, BROWSER, CURL, Scene, Size, write_certificates};
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::path::Path;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How much is measured.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    calls: u32,
    most_users: usize,
}

fn main() {
    let measures = std::env::args().any(|argument| argument == "--bench");
    let effort = if measures {
        Effort {
            rounds: 400,
            calls: 2_000,
            most_users: 100_000,
        }
    } else {
        Effort {
            rounds: 1,
            calls: 50,
            most_users: 100,
        }
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_certificates(folder.path());
    judgements(folder.path(), effort);
    permissions(folder.path(), effort);
    patterns(effort);
    heads(folder.path(), effort);
    println!("\n1 passed, 0 failed");
}

/// ns for one call of each work: the best of many short rounds, which was disturbed least. The works take turns, so that
/// they are comparable.
fn fastest<W: Fn()>(effort: Effort, works: &[W]) -> Vec<f64> {
    let mut best = vec![f64::INFINITY; works.len()];
    for _ in 0..effort.rounds {
        for (work, best) in works.iter().zip(&mut best) {
            let begun = Instant::now();
            (0..effort.calls).for_each(|_| work());
            *best = best.min(begun.elapsed().as_secs_f64() * 1e9 / f64::from(effort.calls));
        }
    }
    best
}

/// Judges once, and stops if the outcome is not what it must be.
fn judge(scene: &Scene, path: &str, fields: &[httparse::Header<'_>], permitted: bool) {
    let judgement = scene.judge(black_box(path), fields);
    assert!(
        black_box(judgement.decision.permit().is_some()) == permitted,
        "the judgement of {path}"
    );
}

fn host_fields() -> [httparse::Header<'static>; 3] {
    let field = |name, value| httparse::Header { name, value };
    [
        field("Host", b"localhost:8443"),
        field("User-Agent", b"curl/8.5.0"),
        field("Accept", b"*/*"),
    ]
}

fn judgements(folder: &Path, effort: Effort) {
    println!(
        "{:>8}  {:>6}  {:>10}  {:>10}  {:>10}  {:>6}",
        "users", "routes", "decide", "captures", "refuse", "ratio"
    );
    let most = effort.most_users;
    let sizes = [
        (1, 1),
        (10, 1),
        (10, 200),
        (1_000.min(most), 200),
        (most, 1),
        (most, 200),
    ];
    let scenes = sizes.map(|(users, routes)| {
        Scene::new(
            folder,
            Size {
                users,
                routes,
                permissions: 20,
            },
        )
    });
    let fields = host_fields();
    let measure = |path: &str, permitted| {
        let works: Vec<_> = scenes
            .iter()
            .map(|scene| || judge(scene, path, &fields, permitted))
            .collect();
        for work in &works {
            // The first one of all makes tables of field names.
            work();
            assert_eq!(
                allocations_of(work),
                0,
                "a judgement of {path} needs the heap"
            );
        }
        fastest(effort, &works)
    };
    let (granted, refused) = (
        measure("/v0/objects/hosts", true),
        measure("/nothing/here", false),
    );
    for (at, scene) in scenes.iter().enumerate() {
        let captures = match scene.size.routes {
            1 => String::new(),
            _ => format!("{:.0} ns", with_captures(scene, effort)),
        };
        let of = |figures: &[f64], at: usize| figures.get(at).copied().unwrap_or(f64::NAN);
        println!(
            "{:>8}  {:>6}  {:>7.0} ns  {captures:>10}  {:>7.0} ns  {:>6.2}",
            scene.size.users,
            scene.size.routes,
            of(&granted, at),
            of(&refused, at),
            of(&granted, at) / of(&granted, 1),
        );
    }
}

/// ns for a judgement that captures.
fn with_captures(scene: &Scene, effort: Effort) -> f64 {
    let fields = host_fields();
    let work = || judge(scene, "/captured/hosts/web-1", &fields, true);
    assert_eq!(allocations_of(work), 0, "captures need the heap");
    fastest(effort, &[work]).into_iter().sum::<f64>()
}

fn permissions(folder: &Path, effort: Effort) {
    println!("\n{:>12}  {:>10}", "permissions", "decide");
    let scenes = [1, 10, 100, 1_000].map(|permissions| {
        Scene::new(
            folder,
            Size {
                users: 1,
                routes: 1_000,
                permissions,
            },
        )
    });
    let fields = host_fields();
    for scene in &scenes {
        // The last one grants it.
        let path = format!("/v{}/objects/hosts", scene.size.permissions - 1);
        let figures = fastest(effort, &[|| judge(scene, &path, &fields, true)]);
        println!(
            "{:>12}  {:>7.0} ns",
            scene.size.permissions,
            figures.into_iter().sum::<f64>()
        );
    }
}

/// Patterns that make other matchers try everything, on texts that match up to their last octet.
fn patterns(effort: Effort) {
    println!(
        "\n{:>28}  {:>10}  {:>10}",
        "pattern", "100 octets", "1,000 octets"
    );
    let texts = [100, 1_000].map(|length| vec![b'a'; length]);
    for text in [
        "*a*a*a*b",
        "*aaaaaaaaaaaaaaaab",
        "a*a*a*a*a*a*a*a*a*a*a*a*a*b",
        "*a?a?a?a?b",
    ] {
        let pattern = Pattern::new(text, Case::Folds);
        let few = Effort {
            calls: effort.calls / 50,
            ..effort
        };
        let figures = texts.each_ref().map(|text| {
            let matching = || {
                assert!(
                    !black_box(&pattern).matches(black_box(text)),
                    "it ends otherwise"
                )
            };
            assert_eq!(allocations_of(matching), 0, "matching needs the heap");
            fastest(few, &[matching]).into_iter().sum::<f64>()
        });
        println!("{text:>28}  {:>7.0} ns  {:>9.0} ns", figures[0], figures[1]);
    }
}

fn heads(folder: &Path, effort: Effort) {
    println!(
        "\n{:>8}  {:>10}  {:>10}  {:>16}",
        "head", "parse", "edit", "parse+decide+edit"
    );
    let scene = Scene::new(
        folder,
        Size {
            users: 10,
            routes: 1,
            permissions: 3,
        },
    );
    let about = About::new();
    // What is made once is made now.
    let fields = host_fields();
    let permit = scene
        .judge("/v0/objects/hosts", &fields)
        .decision
        .into_result()
        .expect("a permit");
    about.edit(&permit, &fields, &mut Vec::new());
    for (name, head) in [("curl", CURL), ("browser", BROWSER)] {
        let mut room = [const { MaybeUninit::uninit() }; 100];
        let request = parse(head, &mut room);
        let permit = scene
            .judge("/v0/objects/hosts", request.headers)
            .decision
            .into_result()
            .expect("a permit");
        let parsing = || {
            parse(black_box(head), &mut [const { MaybeUninit::uninit() }; 100]);
        };
        let mut figures = fastest(effort, &[parsing]);
        let room = std::cell::RefCell::new(Vec::with_capacity(4096));
        let editing = || about.edit(&permit, request.headers, &mut room.borrow_mut());
        assert_eq!(
            allocations_of(editing),
            0,
            "the edit of {name} needs the heap"
        );
        figures.extend(fastest(effort, &[editing]));
        let whole = || {
            let mut fields = [const { MaybeUninit::uninit() }; 100];
            let request = parse(black_box(head), &mut fields);
            let judgement = scene.judge(request.path.unwrap_or_default(), request.headers);
            let permit = judgement.decision.permit().expect("a permit");
            about.edit(permit, request.headers, &mut room.borrow_mut());
        };
        assert_eq!(allocations_of(whole), 0, "{name} needs the heap");
        figures.extend(fastest(effort, &[whole]));
        let figures: Vec<_> = figures
            .iter()
            .map(|figure| format!("{figure:>7.0} ns"))
            .collect();
        println!("{name:>8}  {}", figures.join("  "));
    }
    answers(effort);
}

fn answers(effort: Effort) {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut response = httparse::Response::new(&mut fields);
    assert!(
        response
            .parse(ANSWER.as_bytes())
            .is_ok_and(|status| status.is_complete()),
        "the answer"
    );
    let room = std::cell::RefCell::new(Vec::with_capacity(4096));
    let answer = |expiry: Option<&ExpiryField>| {
        let mut room = room.borrow_mut();
        room.clear();
        let edit = ResponseEdit {
            length: ContentLength::FromField,
            request_id: "id-1",
            expiry,
        };
        response_fields(&*response.headers, &edit, &mut HeadWriter(&mut room));
    };
    let name = ExpiryFieldName::parse("client-cert-expires").expect("a name");
    let expiry = ExpiryField::saying(&name, 1_800_000_000);
    assert_eq!(
        allocations_of(|| answer(Some(&expiry))),
        0,
        "an answer that tells of an expiry needs the heap"
    );
    let editing = || answer(None);
    assert_eq!(
        allocations_of(editing),
        0,
        "the edit of an answer needs the heap"
    );
    println!(
        "{:>8}  {:>10}  {:>7.0} ns",
        "answer",
        "",
        fastest(effort, &[editing]).into_iter().sum::<f64>()
    );
}

fn parse<'h, 'b>(
    head: &'b str,
    fields: &'h mut [MaybeUninit<httparse::Header<'b>>],
) -> httparse::Request<'h, 'b> {
    let mut request = httparse::Request::new(&mut []);
    let status = request.parse_with_uninit_headers(head.as_bytes(), fields);
    assert!(status.is_ok_and(|status| status.is_complete()), "a head");
    request
}

/// What is known before the head of a request.
struct About {
    identity: IdentityBlock,
    client: ClientAddress,
    reserved: FieldNames,
}

impl About {
    fn new() -> Self {
        Self {
            identity: IdentityBlock::without_user(&[IdentitySet::XClient]),
            client: ClientAddress::new(std::net::Ipv4Addr::new(192, 0, 2, 1).into()),
            reserved: FieldNames::default(),
        }
    }

    fn edit(&self, permit: &Permit<'_>, fields: &[httparse::Header<'_>], room: &mut Vec<u8>) {
        room.clear();
        let edit = RequestEdit {
            policy: FieldPolicy {
                reserved: &self.reserved,
                decision_fields: &self.reserved,
                kept: &[],
            },
            authorizer: &[],
            identity: Some(&self.identity),
            client: &self.client,
            requested_host: "localhost:8443",
            request_id: "0123456789abcdef",
            client_version: "1.1",
            authorization: UpstreamAuthorization::OfClient,
            upgrade: Upgrade::None,
        };
        request_fields(permit, black_box(fields), &edit, &mut HeadWriter(room));
        black_box(room);
    }
}
