//! How a setting that can be absent is written although its default is not: as the word `none`, because TOML has no
//! null and a missing key means the default.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const NONE: &str = "none";

/// A cell that was written: a value, or the word `none`.
pub(super) struct OrNone<T>(pub(super) Option<T>);

impl<'de, T: TryFrom<String>> Deserialize<'de> for OrNone<T>
where
    T::Error: std::fmt::Display,
{
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text == NONE {
            return Ok(Self(None));
        }
        T::try_from(text).map(|value| Self(Some(value))).map_err(serde::de::Error::custom)
    }
}

pub(super) fn serialize<T: Serialize, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => value.serialize(to),
        None => to.serialize_str(NONE),
    }
}

pub(super) fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
where
    T: TryFrom<String>,
    T::Error: std::fmt::Display,
    D: Deserializer<'de>,
{
    OrNone::deserialize(from).map(|cell| cell.0)
}
