//! Corrections of malformed durations, sizes and rates, for hints.

/// The likely intended duration: `30` becomes `30s`, and `5 min.` becomes `5m`.
pub(super) fn duration_near(text: &str) -> Option<String> {
    let Quantity { number, unit } = Quantity::read(text)?;
    let unit = unit_with_prefix(
        unit,
        &[
            ("ms", "ms"),
            ("milli", "ms"),
            ("s", "s"),
            ("m", "m"),
            ("h", "h"),
            ("d", "d"),
        ],
        "s",
    )?;
    Some(format!("{number}{unit}"))
}

/// The likely intended size: `10 MB/s` becomes `10MB`, and `10 mega` becomes `10MiB`.
pub(super) fn size_near(text: &str) -> Option<String> {
    let Quantity { number, unit } = Quantity::read(text)?;
    let unit = unit.split('/').next()?.trim();
    let exact = [
        ("b", "B"),
        ("byte", "B"),
        ("bytes", "B"),
        ("kb", "KB"),
        ("mb", "MB"),
        ("gb", "GB"),
    ];
    let exact = exact
        .into_iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(unit))
        .map(|(_, unit)| unit);
    let unit = exact
        .or_else(|| unit_with_prefix(unit, &[("k", "KiB"), ("m", "MiB"), ("g", "GiB")], "B"))?;
    Some(format!("{number}{unit}"))
}

/// The unit of the first prefix that matches a word, ignoring case; `default` for an empty word.
fn unit_with_prefix<'u>(
    word: &str,
    units: &[(&str, &'u str)],
    default: &'u str,
) -> Option<&'u str> {
    let word = word.to_ascii_lowercase();
    if word.is_empty() {
        return Some(default);
    }
    units
        .iter()
        .find(|(prefix, _)| word.starts_with(prefix))
        .map(|(_, unit)| *unit)
}

/// The likely intended request rate: `100` and `100r/s` become `100/s`.
pub(super) fn rate_near(text: &str) -> Option<String> {
    let Quantity { number, unit } = Quantity::read(text)?;
    let (what, per) = unit
        .split_once('/')
        .or_else(|| unit.split_once("per"))
        .unwrap_or((unit, "s"));
    let is_of_requests = matches!(
        what.trim().to_ascii_lowercase().as_str(),
        "" | "r" | "req" | "requests" | "request"
    );
    let per = match per.trim().to_ascii_lowercase().chars().next() {
        Some('s') => "s",
        Some('m') => "m",
        Some('h') => "h",
        _ => return None,
    };
    is_of_requests.then(|| format!("{number}/{per}"))
}

/// The expected form, with the likely intended value.
pub(super) fn expected(what: &str, near: Option<String>) -> String {
    near.map_or_else(
        || what.to_owned(),
        |near| format!("{what}; did you mean \"{near}\"?"),
    )
}

/// A whole number above zero and the text after it.
struct Quantity<'t> {
    number: u32,
    unit: &'t str,
}

impl<'t> Quantity<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let text = text.trim();
        let end = text
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(end)?;
        let number = number.parse().ok().filter(|number| *number > 0)?;
        Some(Self {
            number,
            unit: unit.trim(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_missing_or_foreign_unit_is_replaced() {
        let all = |near: fn(&str) -> Option<String>, pairs: &[(&str, Option<&str>)]| {
            for (text, meant) in pairs {
                assert_eq!(near(text).as_deref(), *meant, "{text}");
            }
        };
        all(
            duration_near,
            &[
                ("30", Some("30s")),
                ("30 seks", Some("30s")),
                ("5 Min.", Some("5m")),
                ("7 milli", Some("7ms")),
                ("0", None),
                ("soon", None),
                ("-1s", None),
                ("10 x", None),
            ],
        );
        all(
            size_near,
            &[
                ("10 MB/s", Some("10MB")),
                ("10 mega", Some("10MiB")),
                ("5", Some("5B")),
                ("big", None),
            ],
        );
        all(
            rate_near,
            &[
                ("100", Some("100/s")),
                ("100r/m", Some("100/m")),
                ("100 requests per hour", Some("100/h")),
                ("100/sec", Some("100/s")),
                ("10 MB/s", None),
                ("10/d", None),
            ],
        );
    }

    proptest! {
        #[test]
        fn what_is_suggested_can_be_read(text in "[0-9]{0,12} ?[a-zA-Z/.\u{e4}]{0,6}") {
            if let Some(near) = duration_near(&text) {
                prop_assert!(humantime::parse_duration(&near).is_ok(), "{}", near);
            }
            if let Some(near) = size_near(&text) {
                prop_assert!(near.parse::<bytesize::ByteSize>().is_ok(), "{}", near);
            }
            let _ = rate_near(&text);
        }
    }
}
