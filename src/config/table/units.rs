//! Values that are a number with a unit, or `"off"`: durations and sizes.

use super::TableReader;
use crate::config::keys::{
    DurationOrOff, DurationOrZero, DurationValue, Key, SizeOrOff, SizeValue,
};
use crate::config::source::Spanned;
use crate::config::unit::{duration_near, expected, size_near};
use std::time::Duration;

impl TableReader<'_> {
    /// A duration above zero, such as `"10s"`.
    pub(in crate::config) fn duration(&mut self, key: &Key<DurationValue>) -> Option<Duration> {
        let text = self.string_with_unit(key, duration_near)?;
        match humantime::parse_duration(&text.value) {
            Ok(duration) if duration > Duration::ZERO => Some(duration),
            _ => {
                let what = "a duration above zero such as \"500ms\", \"10s\" or \"5m\"";
                self.bad_text(key, &text, &expected(what, duration_near(&text.value)))
            }
        }
    }

    /// A string with a unit. `near` turns a number without a unit into a hint.
    pub(in crate::config) fn string_with_unit<K: Copy>(
        &mut self,
        key: &Key<K>,
        near: fn(&str) -> Option<String>,
    ) -> Option<Spanned<String>> {
        let value = self.value(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            return self.text_of(key);
        };
        let example = near(integer.as_str())
            .map(|near| format!(" with its unit: \"{near}\""))
            .unwrap_or_default();
        let message = format!(
            "`{}` is a TOML integer, not a string in quotes",
            self.full_name(key.name())
        );
        self.problems.error(
            self.place_of(value),
            message,
            format!("write a string in quotes{example}"),
        );
        None
    }

    /// As [`Self::duration`], with its place.
    pub(in crate::config) fn spanned_duration(
        &mut self,
        key: &Key<DurationValue>,
    ) -> Option<Spanned<Duration>> {
        let value = self.duration(key)?;
        let place = self.place_of_key(key)?;
        Some(Spanned { value, place })
    }

    pub(in crate::config) fn duration_or_zero(
        &mut self,
        key: &Key<DurationOrZero>,
    ) -> Option<Duration> {
        let text = self.string_with_unit(key, duration_near)?;
        match humantime::parse_duration(&text.value) {
            Ok(duration) => Some(duration),
            Err(_) => {
                let what = "a duration such as \"0s\" or \"5s\"";
                self.bad_text(key, &text, &expected(what, duration_near(&text.value)))
            }
        }
    }

    pub(in crate::config) fn duration_or_off(
        &mut self,
        key: &Key<DurationOrOff>,
    ) -> Option<Option<Duration>> {
        if self.is_off(key) {
            Some(None)
        } else {
            self.duration(&key.with_kind(DurationValue)).map(Some)
        }
    }

    /// A size in bytes such as `"32KiB"`.
    pub(in crate::config) fn size(&mut self, key: &Key<SizeValue>) -> Option<u64> {
        self.size_up_to(
            key,
            u64::MAX,
            "a size above zero such as \"32KiB\" or \"10MiB\"",
        )
    }

    fn size_up_to(&mut self, key: &Key<SizeValue>, most: u64, what: &str) -> Option<u64> {
        let text = self.string_with_unit(key, size_near)?;
        match text.value.parse::<bytesize::ByteSize>() {
            Ok(size) if (1..=most).contains(&size.as_u64()) => Some(size.as_u64()),
            Ok(_) => self.bad_text(key, &text, what),
            Err(_) => self.bad_text(key, &text, &expected(what, size_near(&text.value))),
        }
    }

    /// A size or `"off"`.
    pub(in crate::config) fn size_or_off(&mut self, key: &Key<SizeOrOff>) -> Option<Option<u64>> {
        if self.is_off(key) {
            return Some(None);
        }
        let size = key.with_kind(SizeValue);
        let Some(most) = key.kind().most() else {
            return self.size(&size).map(Some);
        };
        let what = format!(
            "a size above zero and not above {}, or \"off\"",
            bytesize::ByteSize(most)
        );
        self.size_up_to(&size, most, &what).map(Some)
    }

    fn is_off<K: Copy>(&self, key: &Key<K>) -> bool {
        self.value(key).and_then(|value| value.get_ref().as_str()) == Some("off")
    }
}
