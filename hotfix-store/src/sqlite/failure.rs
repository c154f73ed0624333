//! What went wrong inside the store, before it is known which call it belongs to: one failed commit fails many calls.

use std::fmt::Display;
use std::sync::Arc;

use hotfix_core::{Error, ErrorKind};
use rusqlite::ffi;

/// A failure that becomes one [`Error`] for every call it concerns.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    kind: ErrorKind,
    message: String,
    context: Vec<(&'static str, String)>,
    source: Option<Arc<rusqlite::Error>>,
}

impl Failure {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), context: Vec::new(), source: None }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.context.push((name, value.to_string()));
        self
    }

    #[cfg(test)]
    pub(super) const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Makes the error of one operation.
    pub(super) fn on(&self, operation: &'static str) -> Error {
        let error = Error::new(self.kind, operation, &*self.message);
        let error = self.context.iter().fold(error, |error, (name, value)| error.with(name, value));
        match &self.source {
            Some(source) => error.with_source(Arc::clone(source)),
            None => error,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        let (kind, message) = classify(&error);
        let mut failure = Self::new(kind, message);
        failure.source = Some(Arc::new(error));
        failure
    }
}

fn classify(error: &rusqlite::Error) -> (ErrorKind, String) {
    use rusqlite::Error as Sql;
    match error {
        Sql::SqliteFailure(code, text) => classify_code(code, text.as_deref()),
        Sql::FromSqlConversionFailure(..)
        | Sql::IntegralValueOutOfRange(..)
        | Sql::InvalidColumnType(..)
        | Sql::Utf8Error(..) => (
            ErrorKind::Corrupt,
            format!("a stored value cannot be read: it was damaged, or written by a newer version: {error}"),
        ),
        _ => (ErrorKind::Unexpected, error.to_string()),
    }
}

fn classify_code(code: &ffi::Error, text: Option<&str>) -> (ErrorKind, String) {
    use ffi::ErrorCode as Code;
    let text = text.map_or_else(|| code.to_string(), str::to_owned);
    let (kind, mend) = match code.code {
        Code::DatabaseBusy | Code::DatabaseLocked => {
            (ErrorKind::Unavailable, "another process kept the database locked for longer than busy_wait")
        }
        Code::DiskFull => {
            (ErrorKind::Full, "the disk is full or size_limit is reached: make room, nothing was written")
        }
        // The shared-memory file could not grow, which only happens without space.
        Code::SystemIoFailure if code.extended_code == ffi::SQLITE_IOERR_SHMSIZE => {
            (ErrorKind::Full, "the disk is full: make room, nothing was written")
        }
        Code::SystemIoFailure => (ErrorKind::Unavailable, "the disk or the file system failed"),
        Code::CannotOpen => (ErrorKind::Unavailable, "the database file or its -wal file cannot be opened"),
        Code::ReadOnly | Code::PermissionDenied | Code::AuthorizationForStatementDenied => (
            ErrorKind::Forbidden,
            "the database cannot be written: check the permissions of the file and its directory",
        ),
        Code::DatabaseCorrupt => (
            ErrorKind::Corrupt,
            "the database file is damaged: restore a backup, or salvage it with `sqlite3 FILE .recover`",
        ),
        Code::NotADatabase => {
            (ErrorKind::Corrupt, "the file is not a database: name another path, or restore a backup")
        }
        Code::TooBig => (ErrorKind::Invalid, "the value is larger than the database takes (1 GB)"),
        _ => (ErrorKind::Unexpected, "the database refused the operation"),
    };
    (kind, format!("{mend}: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_sqlite_is_one_of_our_kinds() {
        for (code, kind) in [
            (ffi::SQLITE_BUSY, ErrorKind::Unavailable),
            (ffi::SQLITE_BUSY_SNAPSHOT, ErrorKind::Unavailable),
            (ffi::SQLITE_LOCKED, ErrorKind::Unavailable),
            (ffi::SQLITE_FULL, ErrorKind::Full),
            (ffi::SQLITE_IOERR_SHMSIZE, ErrorKind::Full),
            (ffi::SQLITE_IOERR_FSYNC, ErrorKind::Unavailable),
            (ffi::SQLITE_CANTOPEN, ErrorKind::Unavailable),
            (ffi::SQLITE_READONLY, ErrorKind::Forbidden),
            (ffi::SQLITE_READONLY_DBMOVED, ErrorKind::Forbidden),
            (ffi::SQLITE_PERM, ErrorKind::Forbidden),
            (ffi::SQLITE_CORRUPT, ErrorKind::Corrupt),
            (ffi::SQLITE_CORRUPT_INDEX, ErrorKind::Corrupt),
            (ffi::SQLITE_NOTADB, ErrorKind::Corrupt),
            (ffi::SQLITE_TOOBIG, ErrorKind::Invalid),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, ErrorKind::Unexpected),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(Failure::from(error).kind(), kind, "{code}");
        }
    }

    #[test]
    fn one_failure_serves_many_calls_with_its_cause() {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), Some("x".into()));
        let failure = Failure::from(error).with("path", "/a/b.db");
        for operation in ["store.append", "store.renew"] {
            let error = failure.on(operation);
            assert_eq!(
                error.to_string(),
                format!(
                    "{operation}: no space: the disk is full or size_limit is reached: make room, nothing was \
                     written: x (path=/a/b.db)"
                )
            );
            assert!(std::error::Error::source(&error).is_some());
        }
    }
}
