//! The forms of strings as regular expressions, for JSON Schema. They use only what all engines understand.

use super::shape::TextForm;

const DURATION: &str = "^\\s*([0-9][0-9\\s]*(\\.\\s*[0-9][0-9\\s]*)?(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds|second|secs|sec|s|\
                        minutes|minute|mins|min|m|hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|M|\
                        years|year|yrs|yr|y)\\s*)+$";
const SIZE: &str =
    "^([0-9]+|([0-9]+(\\.[0-9]*)?|\\.[0-9]+)\\s*([bB]|[kKmMgGtTpPeE]([iI]?[bB]|[iI])?))$";
const RATE: &str = "^0*([1-9][0-9]{0,5}|1000000)/[smh]$";
const PERCENTAGE: &str = "^0*[0-9]{1,2}(\\.[0-9]{1,4})?%$";
const ABOVE_ZERO: &str = "[1-9]";

/// Regular expressions that must all be found in a string of this form. None means that every string is accepted.
pub(super) fn patterns(form: TextForm) -> &'static [&'static str] {
    match form {
        TextForm::Duration => &[DURATION, ABOVE_ZERO],
        TextForm::DurationOrZero => &[DURATION],
        TextForm::Size => &[SIZE, ABOVE_ZERO],
        TextForm::Rate => &[RATE],
        TextForm::Percentage => &[PERCENTAGE, ABOVE_ZERO],
        TextForm::Any
        | TextForm::Path
        | TextForm::PathPattern
        | TextForm::SecretSource
        | TextForm::Address
        | TextForm::Url
        | TextForm::Name
        | TextForm::Network
        | TextForm::Host
        | TextForm::Time
        | TextForm::Condition
        | TextForm::HeaderName
        | TextForm::Permission => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex_automata::meta::Regex;

    /// Whether the patterns accept a text.
    fn accepts(form: TextForm, text: &str) -> bool {
        let mut patterns = patterns(form).iter();
        patterns.all(|pattern| Regex::new(pattern).unwrap().is_match(text))
    }

    #[test]
    fn what_operators_write_is_accepted_and_what_they_mistake_is_not() {
        for (form, good, bad) in [
            (
                TextForm::Duration,
                &["30s", "1h 30min", "1.5 hours", "500ms", "7d"][..],
                &["30", "0s", "", "5 seks", "-1s"][..],
            ),
            (TextForm::DurationOrZero, &["0s", "1m"], &["0", "off"]),
            (
                TextForm::Size,
                &["1GiB", "32 KiB", "10MB", "1048576", "1.5m", "5b"],
                &["0", "0KiB", "big", "-1B", "10 MB/s", "5iB"],
            ),
            (
                TextForm::Rate,
                &["100/s", "1000000/h", "1/m"],
                &["0/s", "1000001/s", "100", "+1/s", "1/d"],
            ),
            (
                TextForm::Percentage,
                &["1%", "0.05%", "99.9999%"],
                &["0%", "100%", "0.00001%", "1", "1 %", "-1%"],
            ),
        ] {
            for text in good {
                assert!(accepts(form, text), "{form:?}: {text}");
            }
            for text in bad {
                assert!(!accepts(form, text), "{form:?}: {text}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_duration_is_accepted_as_the_decoder_reads_it(text in "[0-9]{1,4}(\\.[0-9]{1,3})?[ ]{0,2}[a-zA-Zµ]{0,7}([0-9]{1,2}(h|min|ms|mon))?") {
            // A fraction below the resolution is an error that no pattern can say.
            let is_read = match humantime::parse_duration(&text) {
                Ok(_) => true,
                Err(humantime::DurationError::NumberOverflow) => return Ok(()),
                Err(_) => false,
            };
            prop_assert_eq!(accepts(TextForm::DurationOrZero, &text), is_read, "{}", text);
        }

        #[test]
        fn a_size_is_accepted_as_the_decoder_reads_it(text in "[0-9.]{0,5}[ ]{0,2}[bBkKiIgGeEx]{0,4}") {
            let size = text.parse::<bytesize::ByteSize>();
            // Less than a byte.
            prop_assume!(!size.is_ok_and(|size| size.as_u64() == 0));
            let is_read = text.parse::<bytesize::ByteSize>().is_ok();
            prop_assert_eq!(accepts(TextForm::Size, &text), is_read, "{}", text);
        }
    }
}
