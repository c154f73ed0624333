//! How the values of hotfix-core look in a column. Reading checks: what does not parse is corrupt, never a default.

use std::str::FromStr;

use chrono::DateTime;
use hotfix_core::model::{InvalidValue, Timestamp};
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// An id, stored as it prints.
pub(super) struct Id<T>(pub(super) T);

impl<T: FromStr<Err = InvalidValue>> FromSql for Id<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map(Self).map_err(unreadable)
    }
}

/// A moment, stored in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Micros(pub(super) Timestamp);

impl FromSql for Micros {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let micros = value.as_i64()?;
        let time = DateTime::from_timestamp_micros(micros);
        time.map(Self).ok_or(FromSqlError::OutOfRange(micros))
    }
}

impl ToSql for Micros {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.timestamp_micros().into())
    }
}

/// A number that is never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Count(pub(super) u64);

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        let count = u64::try_from(number).map_err(|_| FromSqlError::OutOfRange(number))?;
        Ok(Self(count))
    }
}

impl ToSql for Count {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let number =
            i64::try_from(self.0).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok(number.into())
    }
}

/// An enum without fields, stored as the word serde gives it.
pub(super) struct Word<T>(pub(super) T);

impl<T: DeserializeOwned> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = StrDeserializer::<serde::de::value::Error>::new(value.as_str()?);
        T::deserialize(word).map(Self).map_err(unreadable)
    }
}

impl<T: Serialize> ToSql for Word<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match serde_json::to_value(&self.0) {
            Ok(serde_json::Value::String(word)) => Ok(ToSqlOutput::Owned(Value::Text(word))),
            Ok(other) => {
                Err(rusqlite::Error::ToSqlConversionFailure(format!("{other} is not a word").into()))
            }
            Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(error.into())),
        }
    }
}

/// Anything with serde, stored as JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: for<'a> Deserialize<'a>> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(unreadable)
    }
}

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(&self.0)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok(ToSqlOutput::Owned(Value::Text(text)))
    }
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> FromSqlError {
    FromSqlError::Other(Box::new(error))
}
