//! Turns single values of a policy document into what they mean, with a sentence about what is wrong with them that
//! begins after the key's name. It knows nothing of where a value stands.

use chrono::NaiveDate;
use globset::{Glob, GlobMatcher};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use toml::de::DeValue;

use crate::policy::quantity;
use crate::throttle::LoadLimit;

/// Reads a text.
pub(super) fn text(value: &DeValue<'_>) -> Result<String, String> {
    let text = value.as_str().ok_or_else(|| format!("is a text in quotes, not {}", kind(value)))?;
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    Ok(text.to_owned())
}

/// Reads one of the words of an enum.
pub(super) fn word<T: for<'de> Deserialize<'de>>(value: &DeValue<'_>) -> Result<T, String> {
    let text = text(value)?;
    let deserializer: StrDeserializer<'_, Error> = text.as_str().into_deserializer();
    T::deserialize(deserializer).map_err(|error| {
        // serde names the words: "unknown variant `x`, expected one of `a`, `b`".
        let error = error.to_string();
        let words = error.split_once("expected ").map_or(error.as_str(), |(_, words)| words);
        format!("is {words}, not {text:?}")
    })
}

/// Reads a duration in seconds, `min_s` or longer.
pub(super) fn duration_s(min_s: u64) -> impl Fn(&DeValue<'_>) -> Result<u64, String> {
    move |value| {
        let text = value.as_str().ok_or_else(|| format!("is a duration such as \"5m\", not {}", kind(value)))?;
        let seconds = quantity::duration_s(text)?;
        if seconds < min_s { Err(format!("is at least {min_s} s, not {text:?}")) } else { Ok(seconds) }
    }
}

/// Reads a size in bytes, `min` or larger.
pub(super) fn size_bytes(min: u64) -> impl Fn(&DeValue<'_>) -> Result<u64, String> {
    move |value| {
        let text = value.as_str().ok_or_else(|| format!("is a size such as \"16 MiB\", not {}", kind(value)))?;
        let bytes = quantity::size_bytes(text)?;
        if bytes < min { Err(format!("is at least {min} bytes, not {text:?}")) } else { Ok(bytes) }
    }
}

/// Reads a whole number from `min` to `max`.
pub(super) fn count(min: u64, max: u64) -> impl Fn(&DeValue<'_>) -> Result<u64, String> {
    move |value| {
        let integer = value.as_integer().ok_or_else(|| format!("is a whole number, not {}", kind(value)))?;
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        number.filter(|number| (min..=max).contains(number)).ok_or_else(|| match max {
            u64::MAX => format!("is {min} or more, not {integer}"),
            max => format!("lies between {min} and {max}, not {integer}"),
        })
    }
}

/// Reads a whole number from `min` to `max`, or `"auto"`, which is none.
pub(super) fn number_or_auto(min: u64, max: u64) -> impl Fn(&DeValue<'_>) -> Result<Option<usize>, String> {
    move |value| match value.as_str() {
        Some("auto") => Ok(None),
        Some(other) => Err(format!("is \"auto\" or a whole number, not {other:?}")),
        None => count(min, max)(value).map(|number| usize::try_from(number).ok()),
    }
}

/// Reads how busy the source may be: a text, or a number of threads alone.
pub(super) fn load_limit(value: &DeValue<'_>) -> Result<LoadLimit, String> {
    match value.as_integer() {
        Some(_) => Ok(LoadLimit { threads: Some(count(0, u64::MAX)(value)?), history: None }),
        None => text(value)?.parse(),
    }
}

/// Reads a share of one: above 0 and up to 1.
pub(super) fn share(value: &DeValue<'_>) -> Result<f64, String> {
    number(value).and_then(|share| match share > 0.0 && share <= 1.0 {
        true => Ok(share),
        false => Err(format!("is a share above 0 and up to 1 (0.05 is five per cent), not {share}")),
    })
}

/// Reads a share of one that may be 0.
pub(super) fn share_or_none(value: &DeValue<'_>) -> Result<f64, String> {
    number(value).and_then(|share| match (0.0..=1.0).contains(&share) {
        true => Ok(share),
        false => Err(format!("is a share from 0 to 1 (0.05 is five per cent), not {share}")),
    })
}

/// Reads a factor of 1 or more.
pub(super) fn factor(value: &DeValue<'_>) -> Result<f64, String> {
    number(value).and_then(|factor| match factor.is_finite() && factor >= 1.0 {
        true => Ok(factor),
        false => Err(format!("is a factor of 1 or more, not {factor}")),
    })
}

/// Reads `true` or `false`.
pub(super) fn yes_or_no(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("is true or false, not {}", kind(value)))
}

/// Reads a day, given as a TOML date or as a text of the same form.
pub(super) fn day(value: &DeValue<'_>) -> Result<NaiveDate, String> {
    let form = || format!("is a day such as 2027-01-31, not {}", kind(value));
    match value {
        DeValue::Datetime(time) if time.time.is_none() && time.offset.is_none() => {
            let date = time.date.ok_or_else(form)?;
            NaiveDate::from_ymd_opt(i32::from(date.year), u32::from(date.month), u32::from(date.day)).ok_or_else(form)
        }
        DeValue::String(text) => NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| form()),
        _ => Err(form()),
    }
}

/// Reads a list of texts.
pub(super) fn texts(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let list = value.as_array().ok_or_else(|| format!("is a list of texts, not {}", kind(value)))?;
    list.iter().map(|entry| text(entry.get_ref()).map_err(|error| format!("has an entry that {error}"))).collect()
}

/// Reads a list of globs over `user@host`.
pub(super) fn account_globs(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let globs = texts(value)?;
    match globs.iter().find_map(|text| compile(text).err()) {
        Some(error) => Err(format!("has an entry that {error}")),
        None => Ok(globs),
    }
}

/// Reads a list of globs over `database.table`.
pub(super) fn globs(value: &DeValue<'_>) -> Result<Vec<GlobMatcher>, String> {
    let globs = texts(value)?;
    globs.iter().map(|text| compile(text).map_err(|error| format!("has an entry that {error}"))).collect()
}

/// Compiles a glob.
pub(super) fn compile(text: &str) -> Result<GlobMatcher, String> {
    let glob = Glob::new(text).map_err(|error| format!("is not a glob: {text:?}: {}", error.kind()))?;
    Ok(glob.compile_matcher())
}

fn number(value: &DeValue<'_>) -> Result<f64, String> {
    let text = match value {
        DeValue::Float(float) => float.as_str(),
        DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
        _ => return Err(format!("is a number, not {}", kind(value))),
    };
    let number: f64 = text.parse().map_err(|_| format!("is a number, not {text}"))?;
    // Six digits are plenty for a share, and so few survive JSON exactly, which a plan's name depends on.
    Ok((number * 1e6).round() / 1e6)
}

/// Names what a value is, as a person would.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
