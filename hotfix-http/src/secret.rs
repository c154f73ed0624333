//! Where a secret comes from: a file, an environment variable, or the configuration itself.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::error::ConfigError;

/// Where to read a secret. It is read again for each use, so a rotated secret needs no restart.
///
/// In a configuration file: `{ file = "/run/secrets/slack" }`, `{ env = "SLACK_TOKEN" }`, or the secret as a plain
/// string. Prefer the first two: what reads the file may quote a line of it in an error.
#[derive(Clone, Deserialize)]
#[serde(from = "Written")]
pub enum SecretSource {
    /// A file. White space around the secret is ignored.
    File(PathBuf),
    /// A variable of this process's environment.
    Env(String),
    /// The secret itself.
    Literal(SecretString),
}

#[derive(Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "a secret is a string, { file = \"…\" } or { env = \"…\" }"
)]
enum Written {
    Literal(SecretString),
    File { file: PathBuf },
    Env { env: String },
}

impl From<Written> for SecretSource {
    fn from(written: Written) -> Self {
        match written {
            Written::Literal(secret) => Self::Literal(secret),
            Written::File { file } => Self::File(file),
            Written::Env { env } => Self::Env(env),
        }
    }
}

impl From<&str> for SecretSource {
    fn from(secret: &str) -> Self {
        Self::Literal(secret.into())
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "File({})", crate::redact(&path.to_string_lossy())),
            Self::Env(name) => write!(f, "Env({})", crate::redact(name)),
            Self::Literal(_) => f.write_str("Literal([redacted])"),
        }
    }
}

impl SecretSource {
    /// Reads the secret; blocks for as long as a file takes.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field and the place that holds no secret.
    pub fn read(&self, field: &'static str) -> Result<SecretString, ConfigError> {
        let secret = match self {
            Self::File(path) => read_file(field, path)?,
            Self::Env(name) => read_env(field, name)?,
            Self::Literal(secret) => secret.clone(),
        };
        let trimmed = secret.expose_secret().trim();
        if trimmed.is_empty() {
            let mend = "the place that should hold the secret is empty";
            return Err(ConfigError::Missing { field, mend });
        }
        Ok(trimmed.into())
    }

    /// Reads the secret without blocking the caller's thread, and no longer than that.
    ///
    /// # Errors
    /// As [`SecretSource::read`], and when the file takes longer.
    pub async fn fetch(&self, field: &'static str, patience: Duration) -> Result<SecretString, ConfigError> {
        let Self::File(path) = self else {
            return self.read(field);
        };
        let source = self.clone();
        let read = tokio::task::spawn_blocking(move || source.read(field));
        match tokio::time::timeout(patience, read).await {
            Ok(Ok(secret)) => secret,
            Ok(Err(gone)) => Err(unreadable(field, path, io::Error::other(gone))),
            Err(_elapsed) => Err(unreadable(field, path, io::ErrorKind::TimedOut.into())),
        }
    }
}

fn unreadable(field: &'static str, path: &Path, source: io::Error) -> ConfigError {
    let path = path.to_string_lossy().into_owned();
    ConfigError::SecretFile { field, path, source }
}

fn read_file(field: &'static str, path: &Path) -> Result<SecretString, ConfigError> {
    std::fs::read_to_string(path).map(SecretString::from).map_err(|source| unreadable(field, path, source))
}

#[expect(clippy::disallowed_methods, reason = "the embedder named this variable as the place of a secret")]
fn read_env(field: &'static str, name: &str) -> Result<SecretString, ConfigError> {
    std::env::var(name).map(SecretString::from).map_err(|_| {
        let name = name.to_owned();
        ConfigError::SecretEnv { field, name }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<SecretSource, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn all_three_places_are_read_and_trimmed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "  from-file\n").unwrap();
        let json = serde_json::json!({ "file": file.path() }).to_string();
        let read = |source: &SecretSource| source.read("f").unwrap().expose_secret().to_owned();
        assert_eq!(read(&parse(&json).unwrap()), "from-file");
        assert_eq!(read(&parse("\"literal\"").unwrap()), "literal");
        // Cargo sets this one for every test.
        assert_eq!(read(&parse("{\"env\":\"CARGO_PKG_NAME\"}").unwrap()), "hotfix-http");
    }

    #[test]
    fn what_cannot_be_read_names_the_field_and_the_place() {
        let message = |json: &str| parse(json).unwrap().read("slack.token").unwrap_err().to_string();
        assert_eq!(
            message("{\"env\":\"HOTFIX_HTTP_UNSET\"}"),
            "slack.token: the environment variable HOTFIX_HTTP_UNSET is not set or not UTF-8"
        );
        assert_eq!(
            message("{\"file\":\"/nonexistent/secret\"}"),
            "slack.token: cannot read the file /nonexistent/secret: No such file or directory (os error 2)"
        );
        assert_eq!(
            message("\"  \""),
            "slack.token is not set: the place that should hold the secret is empty"
        );
    }

    #[test]
    fn neither_debug_nor_a_parse_error_shows_a_secret() {
        let canary = "canary-5f3e";
        assert_eq!(format!("{:?}", SecretSource::from(canary)), "Literal([redacted])");
        for json in [
            format!("{{\"value\":\"{canary}\"}}"),
            format!("[\"{canary}\"]"),
            format!("{{\"file\":\"a\",\"more\":\"{canary}\"}}"),
        ] {
            let error = parse(&json).unwrap_err();
            assert!(error.starts_with("a secret is a string"), "{error}");
            assert!(!error.contains(canary), "{error}");
        }
        // Somebody put the secret where its place belongs.
        let token = "xoxb-123456789012-canary";
        let misplaced = parse(&format!("{{\"env\":\"{token}\"}}")).unwrap();
        assert_eq!(format!("{misplaced:?}"), "Env([redacted])");
        assert!(!misplaced.read("f").unwrap_err().to_string().contains(token));
    }
}
