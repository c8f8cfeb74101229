//! Each likely mistake by an example, and no panic for any text.

use super::*;
use proptest::prelude::*;
use toml::de::DeTable;

/// The hint for the first syntax error of a text.
fn hint(text: &str) -> String {
    let (_, errors) = DeTable::parse_recoverable(text);
    let first = errors.first().expect("a syntax error");
    let at = first.span().map_or(0, |span| span.start);
    likely(text, at, first.message())
        .map_or_else(|| format!("none for {first}"), |mistake| mistake.hint)
}

#[test]
fn syntax_of_other_languages_is_reported_with_the_toml_form() {
    assert_eq!(
        hint("address: \"x\""),
        "write `=` in place of `:`: `address = \"x\"`"
    );
    assert_eq!(
        hint("address : 1"),
        "write `=` in place of `:`: `address = 1`"
    );
    assert_eq!(
        hint("listener:\n  main:\n"),
        "write `=` in place of `:`, and a table as `[listener]`"
    );
    for text in [
        "// x",
        "; x",
        "/* x */",
        "-- x",
        "a = 1 // x",
        "a = \"x\" /* y */",
    ] {
        assert_eq!(hint(text), "a comment begins with `#`", "{text}");
    }
    assert_eq!(
        hint("a = \"x\";"),
        "a line ends without `;`, and a comment begins with `#`"
    );
    assert!(hint("listener main {\n}\n").contains("no braces"));
    assert!(hint("}\n").contains("no braces"));
}

#[test]
fn values_without_quotes_or_with_others_are_shown_as_they_should_be() {
    assert_eq!(
        hint("a = “x”"),
        "write straight quotes (`\"`) in place of `“`"
    );
    assert_eq!(
        hint("a = pki/server.crt # x"),
        "write the text in quotes: `a = \"pki/server.crt\"`"
    );
    assert_eq!(
        hint("a = 127.0.0.1:0"),
        "write the text in quotes: `a = \"127.0.0.1:0\"`"
    );
    assert_eq!(hint("a = 30s"), "write the text in quotes: `a = \"30s\"`");
    assert_eq!(hint("a = [GET /*]"), "write the text in quotes: \"GET /*\"");
    assert_eq!(hint("a = [\"x\", y]"), "write the text in quotes: \"y\"");
    assert_eq!(hint("a = \"x"), "a quote is missing: `a = \"x\"`");
    assert_eq!(hint("a = 'x"), "a quote is missing: `a = 'x'`");
    assert_eq!(hint("a = x\""), "a quote is missing: `a = \"x\"`");
    assert_eq!(
        hint("a = \"C:\\xy\""),
        "between `\"`, a `\\` begins an escape: write `\\\\`, or the text between single quotes"
    );
    assert_eq!(
        hint("a = yes"),
        "write `true`, in these letters and without quotes: `a = true`"
    );
    assert_eq!(
        hint("a = False"),
        "write `false`, in these letters and without quotes: `a = false`"
    );
    assert_eq!(
        hint("a = off"),
        "write \"off\" in quotes where the key takes it, or `false`: `a = \"off\"`"
    );
    assert!(hint("a = null").contains("no line at all"));
    assert_eq!(
        hint("a = [yes]"),
        "write `true`, in these letters and without quotes"
    );
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(hint("a = [\"x\" \"y\"]"), "put a comma between the two");
    assert_eq!(
        hint("a = [\n  \"x\"\n  \"y\",\n]"),
        "put a comma between the two"
    );
    assert_eq!(hint("a = { x = 1 y = 2 }"), "put a comma between the two");
    assert_eq!(hint("a = [\"x\"\nb = 1\n"), "close the list with `]`");
    assert_eq!(hint("a = [\"x\"\n[b]\n"), "close the list with `]`");
    assert_eq!(hint("a = [\"x\",\n"), "close the list with `]`");
    assert_eq!(hint("a = [\"x\"\n\n[b.c]\n"), "close the list with `]`");
    assert_eq!(hint("a = [\"x\"\n\n[[b]] # c\n"), "close the list with `]`");
    assert_eq!(hint("a \"x\""), "`=` is missing: `a = \"x\"`");
    assert_eq!(hint("a"), "the value is missing: `a = …`");
    assert_eq!(hint("a =\nb = 1"), "the value is missing: `a = …`");
    assert_eq!(
        hint("[listener.main\n"),
        "write the header `[listener.main]`"
    );
    assert_eq!(hint("[[route]\n"), "write the header `[[route]]`");
    assert_eq!(hint("[route]]\n"), "write the header `[[route]]`");
    assert!(hint("[api_user.a b]\n").ends_with("stands in quotes: `[api_user.\"a b\"]`"));
    assert!(
        hint("[api_user.a@example.org]\n")
            .ends_with("stands in quotes: `[api_user.\"a@example.org\"]`")
    );
}

#[test]
fn commas_and_brackets_that_are_too_many_or_missing_are_named() {
    let comma = "a line ends without a comma, unless it is an element of a list: remove it";
    for text in [
        "a = \"x\",",
        "a = 1,",
        "a = [\"x\"],",
        "a = { x = 1 },",
        "a = true, # x",
    ] {
        assert_eq!(hint(text), comma, "{text}");
    }
    for text in [
        "a = [\"x\",, \"y\"]",
        "a = [,]",
        "a = {, x = 1 }",
        "a = { x = 1,, y = 2 }",
    ] {
        assert_eq!(
            hint(text),
            "there is one comma too many: remove it",
            "{text}"
        );
    }
    assert_eq!(hint("a = [\"x\"]]"), "there is one `]` too many: remove it");
    assert_eq!(
        hint("a = { x = 1 }}"),
        "there is one `}` too many: remove it"
    );
    assert_eq!(hint("a = { x = 1\n"), "close the table with `}`");
    assert_eq!(hint("a = { x = \"y }\n"), "a quote is missing in this line");
    assert_eq!(hint("a = [\"x]\n"), "a quote is missing in this line");
}

#[test]
fn a_comma_behind_the_last_key_of_an_inline_table_is_no_mistake() {
    for text in ["a = { x = 1, }", "a = {\n  x = 1,\n}"] {
        assert!(DeTable::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn errors_in_inline_tables_list_their_keys() {
    assert_eq!(hint("a = { x = }"), "the value is missing: `x = …`");
    assert_eq!(
        hint("a = { y = 1, x = , z = 2 }"),
        "the value is missing: `x = …`"
    );
    assert_eq!(hint("a = { x 1 }"), "put `=` between key and value");
    assert_eq!(hint("a = { x: 1 }"), "write `=` in place of `:`");
    for text in ["a = { \"x\" }", "a = {1, 2}"] {
        assert!(
            hint(text).starts_with("between `{` and `}` stand keys with values"),
            "{text}: {}",
            hint(text)
        );
    }
}

#[test]
fn quotes_that_do_not_end_where_the_text_does_are_explained() {
    let single = "a text between single quotes ends at the next `'`: write it between `\"`";
    assert_eq!(
        hint("a = 'it's mine'"),
        format!("{single}: `a = \"it's mine\"`")
    );
    assert_eq!(hint("a = 'x'y'"), format!("{single}: `a = \"x'y\"`"));
    assert_eq!(hint("a = ['GET /it's']"), single);
    assert_eq!(
        hint("a = \"say \"hi\" now\""),
        "a `\"` inside a text is written `\\\"`: `a = \"say \\\"hi\\\" now\"`"
    );
    assert_eq!(
        hint("a = 'x\""),
        "a text ends with the quote that it begins with: `a = 'x'`"
    );
    assert_eq!(
        hint("a = \"x'"),
        "a text ends with the quote that it begins with: `a = 'x'`"
    );
    assert_eq!(
        hint("a = \"\"\"x\n"),
        "the text ends with \"\"\" as it begins"
    );
    assert_eq!(hint("a = '''x\n"), "the text ends with ''' as it begins");
    assert_eq!(
        hint("a = \"x\" \"y\""),
        "several texts are a list: `a = [\"a\", \"b\"]`"
    );
    assert!(hint("a = \"x\" + \"y\"").starts_with("texts are not joined"));
    assert_eq!(
        hint("a = `x`"),
        "write straight quotes (`\"`) in place of backticks: `a = \"x\"`"
    );
    assert!(hint("a = \"x\u{1}\"").starts_with("remove the control character U+0001"));
}

#[test]
fn keys_headers_and_numbers_are_shown_as_they_should_be() {
    assert_eq!(hint("= 1"), "the key is missing in front of `=`");
    assert_eq!(
        hint("\"a = 1"),
        "a quote is missing behind the key; most keys stand without quotes"
    );
    assert_eq!(
        hint("client cn = \"x\""),
        "a key has no blanks: `client_cn = \"x\"`"
    );
    for text in ["a := 1", "a => 1", "a == 1", "a += 1"] {
        assert_eq!(
            hint(text),
            "write one `=` between key and value: `a = 1`",
            "{text}"
        );
    }
    for text in ["a = \"x\" b = \"y\"", "a = 1 b = 2", "a = [1] b = 2"] {
        assert_eq!(hint(text), "each key stands in a line of its own", "{text}");
    }
    assert!(hint("a = 1\na.b = 2\n").starts_with("a key with a value has no keys below it"));
    assert_eq!(
        hint("[a] b = 1"),
        "a header stands in a line of its own, and its keys in the lines below"
    );
    for text in ["[[]]", "[.a]", "[a.]", "[a..b]"] {
        assert!(
            hint(text).starts_with("a header names a table"),
            "{text}: {}",
            hint(text)
        );
    }
    assert!(hint("[a b]").ends_with("stands in quotes: `[\"a b\"]`"));
    assert_eq!(hint("['a]"), "a quote is missing in the header");
    for (text, number) in [
        ("a = 01", "1"),
        ("a = 1_", "1"),
        ("a = 1,000", "1000"),
        ("a = 007", "7"),
    ] {
        assert_eq!(
            hint(text),
            format!("write the number as `a = {number}`"),
            "{text}"
        );
    }
    assert!(hint("a = $HOME").starts_with("variables of the environment are not replaced"));
}

#[test]
fn the_list_that_is_not_closed_is_found() {
    for (text, expected) in [
        ("a = [\"x\"\n", Some(4)),
        ("[a]\nb = [[1], [2]\n", Some(8)),
        ("a = [\"]\\\"]\"] # [\nb = ['[', '\\']\n", None),
        ("a = [\"]\" # ]\n", Some(4)),
        ("a = \"[\"\n[b]\n[[c]]\n", None),
    ] {
        assert_eq!(first_open(text, Bracket::Square), expected, "{text}");
    }
}

#[test]
fn a_table_twice_is_merged_renamed_or_a_list() {
    assert_eq!(
        hint("[route]\na = 1\n[route]\na = 1"),
        "there may be several of these: write `[[route]]`, also above"
    );
    assert!(hint("[listener.a.host]\n[listener.a.host]\n").contains("`[[listener.a.host]]`"));
    assert!(hint("[log]\n[log]\n").starts_with("`[log]` stands above already"));
    assert!(
        hint("a = 1\na = 2\n").starts_with("none for"),
        "one line is told of elsewhere"
    );
}

#[test]
fn names_with_dots_are_shown_in_quotes() {
    let text = "[api_user.host1.example.org]\n";
    assert_eq!(
        header_with_quotes(text, 17).as_deref(),
        Some("[api_user.\"host1.example.org\"]")
    );
    for text in [
        "[api_user.host1]\n",
        "[limits.a.b]\n",
        "[api_user.\"a\".b]\n",
        "a.b.c = 1",
        "",
    ] {
        assert_eq!(header_with_quotes(text, 3), None, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(?s)([\\[\\]{}=:;,#/\"'“\\\\ \n.a1-]|.){0,60}", at in 0usize..80) {
        for message in ["duplicate key", "unclosed array", "missing comma between array elements", "x"] {
            let _ = likely(&text, at, message);
        }
        let _ = header_with_quotes(&text, at);
        let (_, errors) = DeTable::parse_recoverable(&text);
        for error in errors {
            let _ = likely(&text, error.span().map_or(0, |span| span.start), error.message());
        }
    }
}
