//! The real Alertmanager.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use hyper::Method;

use super::installed::{address, find};
use crate::exchange::exchange;
use crate::program::Program;

/// A running Alertmanager that notifies nobody. Dropping it ends it and removes everything it stored.
#[derive(Debug)]
pub struct RealAlertmanager {
    program: Program,
    address: SocketAddr,
}

const CONFIGURATION: &str = r#"{"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}"#;

impl RealAlertmanager {
    /// Starts one.
    ///
    /// # Errors
    /// When the program is not there, or does not start.
    pub async fn start() -> io::Result<Self> {
        let program = Program::start(
            find(&["prometheus-alertmanager", "alertmanager"])?,
            |folder| std::fs::write(folder.join("alertmanager.yml"), CONFIGURATION),
            |folder| {
                vec![
                    format!("--config.file={}", folder.join("alertmanager.yml").display()),
                    format!("--storage.path={}", folder.join("data").display()),
                    "--web.listen-address=127.0.0.1:0".to_owned(),
                    "--cluster.listen-address=".to_owned(),
                ]
            },
        )?;
        let address = address(&program).await?;
        Ok(Self { program, address })
    }

    /// Returns its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns what it tells of its silences, as its API does: those that last, and those that have ended.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn silences(&self) -> io::Result<Vec<serde_json::Value>> {
        let asked = exchange(self.address, Method::GET, "/api/v2/silences", Bytes::new()).await?;
        Ok(serde_json::from_slice(&asked.1)?)
    }

    /// Returns its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.program.log()
    }
}
