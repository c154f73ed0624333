//! Programs that a package of the system installed, and the address in their log.

use std::io;
use std::net::SocketAddr;

use crate::environment;
use crate::program::{Program, eventually};

/// Returns the first of the programs that there is.
pub(super) fn find<'a>(names: &[&'a str]) -> io::Result<&'a str> {
    let missing = || {
        let mend = "`cargo xtask test` installs it";
        io::Error::new(io::ErrorKind::NotFound, format!("no program {} in PATH: {mend}", names.join(" or ")))
    };
    environment::program(names).map(|(name, _)| name).ok_or_else(missing)
}

/// Waits until a program says in its log which address it listens on.
pub(super) async fn address(program: &Program) -> io::Result<SocketAddr> {
    eventually("the program listens", || async {
        let log = program.log();
        let (_, behind) = log
            .split_once("msg=\"Listening on\" address=")
            .or_else(|| log.split_once("Listening on\" address="))?;
        behind.split_whitespace().next()?.parse().ok()
    })
    .await
    .map_err(|error| io::Error::other(format!("{error}; its log: {}", program.log())))
}
