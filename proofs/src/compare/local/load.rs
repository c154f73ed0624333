//! The load: wrk with 64 connections that it keeps.

use std::net::SocketAddr;

use hotfix_benches::Failure;
use hotfix_benches::program::run;

use super::process::Core;

/// What one round of load saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    /// Requests per second.
    pub(super) rate: f64,
    /// The time within which 99 of 100 requests were answered, in milliseconds.
    pub(super) p99: f64,
}

/// Asks an address for so many seconds.
///
/// # Errors
/// [`Failure`] also when a request failed: a proxy that drops requests is not measured.
pub(super) fn ask(address: SocketAddr, seconds: u32) -> Result<Seen, Failure> {
    let mut wrk = Core::Rest.program("wrk");
    wrk.args(["-t1", "-c64", "--latency", &format!("-d{seconds}s"), &format!("http://{address}/")]);
    let text = run(&mut wrk)?;
    Seen::read(&text).ok_or_else(|| Failure::new(format!("wrk could not ask {address} properly: {text}")))
}

impl Seen {
    fn read(text: &str) -> Option<Self> {
        if text.contains("Socket errors") || text.contains("Non-2xx") {
            return None;
        }
        let after = |mark: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(mark))?;
            line.trim_start().strip_prefix(mark).map(str::trim)
        };
        Some(Self { rate: after("Requests/sec:")?.parse().ok()?, p99: millis(after("99%")?)? })
    }
}

/// Reads `950.00us`, `1.23ms` or `1.02s`.
fn millis(text: &str) -> Option<f64> {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3)];
    let (number, factor) =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "  Latency Distribution\n     50%    1.41ms\n     99%    2.50ms\n  \
                          1000 requests in 5.00s\nRequests/sec:  20000.50\nTransfer/sec: 1.00MB\n";

    #[test]
    fn a_report_is_read_and_one_with_errors_is_not() {
        assert_eq!(Seen::read(REPORT), Some(Seen { rate: 20_000.5, p99: 2.5 }));
        assert_eq!(Seen::read(&format!("{REPORT}  Socket errors: connect 0, read 1\n")), None);
        assert_eq!((millis("500.00us"), millis("1.02s"), millis("3")), (Some(0.5), Some(1020.0), None));
    }
}
