//! The crate's own interpreter as the oracle: where it gives an outcome, so do we, and the same.

use super::arbitrary::cases;
use super::*;
use cel::{Context, Env, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// What a request is to the interpreter: maps of texts and lists of texts.
fn context(request: &Request) -> Context<'static, 'static> {
    type Texts = HashMap<String, String>;
    let mut context = Context::with_env(Arc::new(Env::stdlib()));
    let pairs = request
        .query
        .as_deref()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    let query: Texts = pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let headers: Texts = request
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.to_ascii_lowercase(),
                String::from_utf8_lossy(value).into_owned(),
            )
        })
        .collect();
    let named: HashMap<String, Value> = [
        ("method", Value::from(request.method.as_str())),
        ("path", Value::from(request.path.as_str())),
        ("host", Value::from("api.example")),
        ("query", Value::from(query)),
        ("headers", Value::from(headers)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    context.add_variable_from_value("request", named);
    context.add_variable_from_value(
        "captures",
        request.captures.iter().cloned().collect::<Texts>(),
    );
    context.add_variable_from_value("user", "alice");
    let fields: HashMap<String, Value> = request.certificate.iter().flat_map(fields).collect();
    context.add_variable_from_value("certificate", fields);
    context
}

fn fields(certificate: &PeerCertificate) -> Vec<(String, Value)> {
    let list = |names: &[Box<str>]| {
        names
            .iter()
            .map(|name| Value::from(&**name))
            .collect::<Vec<_>>()
    };
    let mut fields = vec![
        ("dns".to_owned(), Value::from(list(&certificate.dns_names))),
        ("uris".to_owned(), Value::from(list(&certificate.uris))),
        (
            "serial".to_owned(),
            Value::from(certificate.serial.as_str()),
        ),
    ];
    if let Ok(name) = &certificate.common_name {
        fields.push(("cn".to_owned(), Value::from(name.as_str())));
    }
    fields
}

fn any_of(texts: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(texts).prop_map(str::to_owned).boxed()
}

/// Expressions of each kind, by how deep they are.
#[derive(Clone)]
struct Expressions {
    bools: BoxedStrategy<String>,
    ints: BoxedStrategy<String>,
    texts: BoxedStrategy<String>,
    lists: BoxedStrategy<String>,
}

fn leaves() -> Expressions {
    Expressions {
        bools: any_of(&[
            "true",
            "false",
            "('a' in request.query)",
            "('z' in request.query)",
            "has(captures.type)",
            "has(captures.no)",
            "has(certificate.cn)",
            "('x-team' in request.headers)",
        ]),
        ints: any_of(&[
            "0",
            "1",
            "-1",
            "2",
            "3",
            "9223372036854775807",
            "-9223372036854775808",
        ]),
        texts: any_of(&[
            "''",
            "'a'",
            "'b'",
            "'\\u00e4b'",
            "\"1\"",
            "r'\\d'",
            "user",
            "request.method",
            "request.path",
            "request.host",
            "request.query['a']",
            "request.query.z",
            "request.headers['x-team']",
            "captures.type",
            "captures['no']",
            "certificate.cn",
            "certificate.serial",
        ]),
        lists: any_of(&[
            "certificate.dns",
            "certificate.uris",
            "['a', 'b', 'a']",
            "[user, request.method, '1']",
        ]),
    }
}

/// What macros ask of an element.
fn of_element() -> BoxedStrategy<String> {
    any_of(&[
        "x == 'a'",
        "x.startsWith('web')",
        "x < user",
        "x.size() == 1",
        "int(x) == 1",
        "x in ['a', 'alice']",
        "x == request.query.z",
    ])
}

fn two(
    one: &BoxedStrategy<String>,
    signs: &'static [&'static str],
) -> impl Strategy<Value = String> + use<> {
    (one.clone(), any_of(signs), one.clone())
        .prop_map(|(left, sign, right)| format!("({left} {sign} {right})"))
}

fn deeper(below: &Expressions) -> Expressions {
    let Expressions {
        bools,
        ints,
        texts,
        lists,
    } = below.clone();
    let chosen = |one: &BoxedStrategy<String>| {
        (bools.clone(), one.clone(), one.clone())
            .prop_map(|(asked, yes, no)| format!("({asked} ? {yes} : {no})"))
    };
    let comparisons: &[&str] = &["==", "!=", "<", "<=", ">", ">="];
    let find = any_of(&["startsWith", "endsWith", "contains"]);
    let each = any_of(&["exists", "all", "exists_one"]);
    Expressions {
        bools: prop_oneof![
            bools.clone(),
            two(&bools, &["&&", "||", "&&", "||", "==", "!="]),
            bools.clone().prop_map(|one| format!("!({one})")),
            chosen(&bools),
            two(&ints, comparisons),
            two(&texts, comparisons),
            (texts.clone(), find, texts.clone())
                .prop_map(|(text, find, part)| format!("{text}.{find}({part})")),
            (texts.clone(), lists.clone()).prop_map(|(text, list)| format!("({text} in {list})")),
            (lists.clone(), each, of_element())
                .prop_map(|(list, each, body)| format!("{list}.{each}(x, {body})")),
        ]
        .boxed(),
        ints: prop_oneof![
            ints.clone(),
            two(&ints, &["+", "-", "*", "/", "%"]),
            ints.clone().prop_map(|one| format!("-({one})")),
            chosen(&ints),
            texts.clone().prop_map(|text| format!("size({text})")),
            lists.clone().prop_map(|list| format!("{list}.size()")),
            texts.clone().prop_map(|text| format!("int({text})")),
        ]
        .boxed(),
        texts: prop_oneof![
            texts.clone(),
            two(&texts, &["+"]),
            chosen(&texts),
            ints.clone().prop_map(|number| format!("string({number})")),
            (lists.clone(), ints).prop_map(|(list, at)| format!("{list}[{at}]")),
        ]
        .boxed(),
        lists: prop_oneof![
            lists.clone(),
            chosen(&lists),
            (lists.clone(), of_element())
                .prop_map(|(list, body)| format!("{list}.filter(x, {body})")),
            (
                lists,
                any_of(&["x + 'a'", "x", "user", "x + request.query.z"])
            )
                .prop_map(|(list, body)| format!("{list}.map(x, {body})")),
            (texts.clone(), texts).prop_map(|(one, other)| format!("[{one}, {other}]")),
        ]
        .boxed(),
    }
}

fn expressions() -> BoxedStrategy<String> {
    deeper(&deeper(&deeper(&leaves()))).bools
}

fn requests() -> impl Strategy<Value = Request> {
    let with = prop::option::of(Just(certificate()));
    let query = any_of(&["a=1", "a=b&c=d", "z=", "b=1"]);
    (with, prop::option::of(query), any_of(&["GET", "", "a"])).prop_map(
        |(certificate, query, method)| Request {
            certificate,
            query,
            method,
            headers: vec![("X-Team".to_owned(), b"blue".to_vec())],
            ..Request::plain()
        },
    )
}

fn oracle(text: &str, request: &Request) -> Result<bool, String> {
    let program = Env::stdlib()
        .compile(text)
        .map_err(|error| error.to_string())?;
    match program.execute(&context(request)) {
        Ok(Value::Bool(outcome)) => Ok(outcome),
        other => Err(format!("{other:?}")),
    }
}

fn on_a_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(32 << 20)
            .spawn_scoped(scope, work)
            .unwrap();
        thread.join().unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn expressions_mean_what_the_interpreter_says(text in expressions(), request in requests()) {
        let ours = match Condition::compile(&text) {
            // Ours are bounded.
            Err(error) => {
                let bounded = error.message.contains("too deep") || error.message.contains("longer");
                prop_assert!(bounded, "{}: {:?}", text, error);
                return Ok(());
            }
            Ok(condition) => request.with_facts(|facts| condition.holds(facts)),
        };
        let oracle = on_a_large_stack(|| oracle(&text, &request));
        prop_assert_eq!(ours.as_ref().ok(), oracle.as_ref().ok(), "{}: {:?} but {:?}", text, ours, oracle);
    }
}
