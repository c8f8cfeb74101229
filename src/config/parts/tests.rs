//! A file in parts against the same file at once.

use super::*;
use crate::config::source::Sources;
use proptest::prelude::*;

/// Users, problems and how the rest reads: what has to be the same.
fn in_parts(text: &str) -> Option<(String, String, String)> {
    let (file, text) = file(text);
    let Parts {
        rest,
        mut api_users,
        problems,
    } = read(file, &text, 1)?;
    api_users.sort_by(|one, other| one.name.value.cmp(&other.name.value));
    let (root, _) = DeTable::parse_recoverable(&rest);
    Some((
        format!("{api_users:?}"),
        format!("{:?}", problems.into_sorted()),
        format!("{:?}", root.get_ref()),
    ))
}

fn at_once(text: &str) -> (String, String, String) {
    let (file, text) = file(text);
    let (root, errors) = DeTable::parse_recoverable(&text);
    assert!(
        errors.is_empty(),
        "what is read in parts is well-formed: {errors:?}\n{text}"
    );
    let problems = Problems::default();
    let users: Vec<ApiUserTable> = {
        let users: DeTable<'_> = root
            .get_ref()
            .iter()
            .filter(|(key, _)| key.get_ref() == "api_user")
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        let context = ReaderContext {
            problems: &problems,
            text: &text,
            offset: 0,
        };
        let mut reader = TableReader::new(
            String::new(),
            &ROOT,
            &users,
            Place::new(file, &(0..0)),
            context,
        );
        decode::api_users(&mut reader).collect()
    };
    let rest: DeTable<'_> = root
        .get_ref()
        .iter()
        .filter(|(key, _)| key.get_ref() != "api_user")
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    (
        format!("{users:?}"),
        format!("{:?}", problems.into_sorted()),
        format!("{rest:?}"),
    )
}

fn file(text: &str) -> (FileId, Arc<String>) {
    let mut sources = Sources::default();
    let file = sources.add("test".into(), text.to_owned()).unwrap();
    let text = sources.file(file).unwrap().text.clone();
    (file, text)
}

#[test]
fn plain_files_are_read_in_parts_and_read_the_same() {
    for text in [
        "",
        "[api_user.a]\nclient_cn = \"a\"\n[api_user.b]\npermissions = [\"GET /\", \"x\\\"\"]\n",
        "include = \"x\"\n[log]\nlevel = \"info\"\n\n[api_user.\"a b\"]\nclient_cn = 'x'\n[api_user.'c']\nwrong = 1\n[[route]]\npath = \"/\"\n",
        "[[route]]\npath = \"/a\"\n[api_user.a]\n[[route]]\npath = \"/b\"\n[api_user.b]\n[route.requirement]\nGET = \"x\"\n",
        "[api_user.a]\n[api_user.a.deeper]\nx = 1\n  [api_user.b] # indented\npermissions = [\n  \"a\",\n]",
    ] {
        assert_eq!(in_parts(text).expect(text), at_once(text), "{text}");
    }
}

#[test]
fn what_would_read_otherwise_in_parts_is_not_read_so() {
    for text in [
        // A text that looks like a heading.
        "[log]\nlevel = \"\"\"\n[api_user.evil]\nclient_cn = \"x\"\n[foo]\n\"\"\"\n",
        "x = '''\n[api_user.evil]\n'''\n",
        // One user in two places, or in two forms.
        "[api_user.a]\n[api_user.b]\n[api_user.a.x]\n",
        "[api_user.a]\n[api_user.\"a\"]\n",
        "[api_user.a]\n[api_user.b]\n[api_user.a]\n",
        "[api_user]\nb = {}\n[api_user.a]\n",
        "api_user.b.client_cn = \"x\"\n[api_user.a]\n",
        "[ api_user . b ]\n[api_user.a]\n",
        "[\"api_user\".a]\n",
        "[[api_user.b]]\n[api_user.a]\n",
        "[api_user.\"\\u0061\"]\n[api_user.a]\n",
        // Broken, and broken only as a whole.
        "[api_user.a]\nclient_cn = \"\n",
        "[log]\n[api_user.a]\n[log]\n",
        "[api_user.a]\nx = [\n[1]\n]\n",
        "a = 1\n[api_user.a]\n[a]\n",
    ] {
        assert!(in_parts(text).is_none(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn partial_reads_give_the_same_result(
        pieces in proptest::collection::vec(prop_oneof![
            Just("[api_user.a]\n"), Just("[api_user.b]\n"), Just("[api_user.\"a\"]\n"), Just("[api_user.a.x]\n"),
            Just("[api_user]\n"), Just("[log]\n"), Just("[[route]]\n"), Just("[route.x]\n"), Just("  [api_user.c]"),
            Just("\n"), Just("client_cn = \"x\"\n"), Just("y = \"\"\"\n"), Just("\"\"\"\n"), Just("z = [\n"), Just("]\n"),
            Just("\"q\",\n"), Just("#\n"), Just("permissions = [\"a\", 1]\n"), Just("api_user.d.x = 1\n"), Just("'''\n"),
        ], 0..9)
    ) {
        let text = pieces.concat();
        if let Some(parts) = in_parts(&text) {
            prop_assert_eq!(parts, at_once(&text), "{}", text);
        }
    }
}
