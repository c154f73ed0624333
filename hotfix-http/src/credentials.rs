//! What a request shows to be let in.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use reqwest::RequestBuilder;
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::error::ConfigError;
use crate::secret::SecretSource;

/// How a service knows who is asking.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Auth {
    /// It does not ask, or the certificate says it.
    #[default]
    None,
    /// `Authorization: Bearer …`.
    Bearer(SecretSource),
    /// `Authorization: Basic …`.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: SecretSource,
    },
}

/// What is added to each request. Secrets are read when the request is sent, so that rotated ones are taken up.
#[derive(Clone, Default)]
pub struct Credentials {
    field: &'static str,
    auth: Auth,
    headers: BTreeMap<String, SecretSource>,
}

impl Credentials {
    /// Takes the authentication and headers of the caller's own, such as `X-Scope-OrgID` for the tenant.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] when the name of a header cannot be one. Secrets are not read yet.
    pub fn new(
        field: &'static str,
        auth: Auth,
        headers: BTreeMap<String, SecretSource>,
    ) -> Result<Self, ConfigError> {
        match headers.keys().find(|name| HeaderName::try_from(name.as_str()).is_err()) {
            Some(name) => {
                let allowed = format!("{name:?} is no name of a header");
                Err(ConfigError::Invalid { field, allowed })
            }
            None => Ok(Self { field, auth, headers }),
        }
    }

    /// Returns whether nothing is shown.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self.auth, Auth::None) && self.headers.is_empty()
    }

    /// Adds them to a request.
    ///
    /// # Errors
    /// [`ConfigError`] when a secret cannot be read within the time, or cannot stand in a header.
    pub async fn apply(
        &self,
        request: RequestBuilder,
        patience: Duration,
    ) -> Result<RequestBuilder, ConfigError> {
        let mut request = match &self.auth {
            Auth::None => request,
            Auth::Bearer(token) => {
                let token = token.fetch(self.field, patience).await?;
                let value = format!("Bearer {}", token.expose_secret());
                request.header(reqwest::header::AUTHORIZATION, self.sensitive(&value)?)
            }
            Auth::Basic { username, password } => {
                let password = password.fetch(self.field, patience).await?;
                request.basic_auth(username, Some(password.expose_secret()))
            }
        };
        for (name, value) in &self.headers {
            let value = value.fetch(self.field, patience).await?;
            request = request.header(name, self.sensitive(value.expose_secret())?);
        }
        Ok(request)
    }

    fn sensitive(&self, value: &str) -> Result<HeaderValue, ConfigError> {
        let invalid = |_| {
            let allowed = "a secret holds characters that no header takes".to_owned();
            ConfigError::Invalid { field: self.field, allowed }
        };
        let mut value = HeaderValue::try_from(value).map_err(invalid)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.keys().collect();
        f.debug_struct("Credentials").field("headers", &names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_written_as_one_word_or_table() {
        let parse = |json: &str| serde_json::from_str::<Auth>(json).unwrap();
        assert!(matches!(parse("\"none\""), Auth::None));
        assert!(matches!(parse(r#"{"bearer":{"file":"/t"}}"#), Auth::Bearer(SecretSource::File(_))));
        let basic = parse(r#"{"basic":{"username":"ann","password":"canary"}}"#);
        assert!(matches!(&basic, Auth::Basic { username, .. } if username == "ann"));
        assert!(!format!("{basic:?}").contains("canary"));
    }

    #[test]
    fn a_header_that_cannot_be_is_refused_before_anything_is_sent() {
        let headers = BTreeMap::from([("X Scope".to_owned(), "canary".into())]);
        assert_eq!(
            Credentials::new("prometheus.headers", Auth::None, headers).unwrap_err().to_string(),
            "prometheus.headers is not valid: \"X Scope\" is no name of a header"
        );
    }
}
