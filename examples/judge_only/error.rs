//! Why there is no answer, by the field that is wrong.

use std::fmt;
use std::io;

use hotfix_core::judge::kayenta::InvalidCase;
use hotfix_core::model::InvalidValue;
use serde_json::Value;
use thiserror::Error;

/// Why a case cannot be judged, with the path of the field where there is one.
#[derive(Debug, Error)]
pub(crate) enum InputError {
    /// There is nothing to read.
    #[error("{from}: {why}")]
    Read { from: String, why: io::Error },
    /// It is no JSON.
    #[error("the case is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It is neither kind of case.
    #[error("kind is {found}; allowed are \"sequential\" and \"kayenta\"")]
    Kind { found: Value },
    /// A field is missing, unknown or of another type.
    #[error("{path}: {why}")]
    Field { path: String, why: String },
    /// A value is not allowed.
    #[error("{path}: {why}")]
    Value { path: String, why: InvalidValue },
    /// A config or its metrics make no sense.
    #[error(transparent)]
    Kayenta(#[from] InvalidCase),
}

impl InputError {
    pub(crate) fn read(from: &dyn fmt::Display, why: io::Error) -> Self {
        Self::Read { from: from.to_string(), why }
    }

    /// A value of the case, with where it is.
    pub(crate) fn field(error: serde_path_to_error::Error<serde_json::Error>) -> Self {
        let path = error.path().to_string();
        let path = if path == "." { "the case".to_owned() } else { path };
        Self::Field { path, why: error.into_inner().to_string() }
    }

    pub(crate) fn at(path: &str, why: impl fmt::Display) -> Self {
        Self::Field { path: path.to_owned(), why: why.to_string() }
    }

    pub(crate) fn value(path: impl Into<String>, why: InvalidValue) -> Self {
        Self::Value { path: path.into(), why }
    }
}
