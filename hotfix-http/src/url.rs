//! Which URLs a request may go to.

use reqwest::Url;

use crate::error::ConfigError;

/// Parses a URL that secrets are sent to: HTTPS, or plain HTTP to this host. Never shows the text.
///
/// # Errors
/// [`ConfigError::Invalid`] naming the field.
pub fn private_endpoint(field: &'static str, text: &str) -> Result<Url, ConfigError> {
    let url = public_endpoint(field, text)?;
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let local = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    if url.scheme() == "https" || local {
        Ok(url)
    } else {
        Err(invalid(field, "must begin with https:// (http:// only to this host)"))
    }
}

/// Parses a URL that nothing secret is sent to: HTTPS or plain HTTP. Never shows the text.
///
/// # Errors
/// [`ConfigError::Invalid`] naming the field.
pub fn public_endpoint(field: &'static str, text: &str) -> Result<Url, ConfigError> {
    let url = Url::parse(text).map_err(|error| invalid(field, &format!("must be a URL ({error})")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid(field, "must not hold a user name or a password"));
    }
    if matches!(url.scheme(), "https" | "http") {
        Ok(url)
    } else {
        Err(invalid(field, "must begin with https:// (http:// only to this host)"))
    }
}

fn invalid(field: &'static str, allowed: &str) -> ConfigError {
    ConfigError::Invalid { field, allowed: allowed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_travel_only_by_https_or_within_the_host() {
        for good in
            ["https://slack.com/api/", "http://127.0.0.1:8080/", "http://[::1]/", "http://localhost/x"]
        {
            assert!(private_endpoint("f", good).is_ok(), "{good}");
        }
        for (bad, message) in [
            ("http://slack.com/", "f is not valid: must begin with https:// (http:// only to this host)"),
            ("file:///etc/passwd", "f is not valid: must begin with https:// (http:// only to this host)"),
            ("https://u:canary@h/", "f is not valid: must not hold a user name or a password"),
            ("canary", "f is not valid: must be a URL (relative URL without a base)"),
        ] {
            assert_eq!(private_endpoint("f", bad).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn what_is_not_secret_may_travel_openly() {
        assert!(public_endpoint("f", "http://prometheus.monitoring:9090").is_ok());
        assert_eq!(
            public_endpoint("f", "http://u:canary@h/").unwrap_err().to_string(),
            "f is not valid: must not hold a user name or a password"
        );
    }
}
