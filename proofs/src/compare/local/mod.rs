//! The proxy of hotfix-local beside nginx: the same two services, one core for the proxy, another for everything else.

pub(super) mod agent;
mod host;
mod load;
mod nginx;
mod process;
pub(super) mod upstream;

use hotfix_benches::Failure;

use self::host::Host;
use self::load::Seen;
use self::nginx::Nginx;
use super::case::{Better, Case, Figure, Goal};
use super::clock::median;

const ROUNDS: usize = 3;

/// How long each proxy is asked in a round, in seconds.
const SECONDS: u32 = 5;

pub(super) fn measure(print: impl Fn(Case)) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let host = runtime.block_on(Host::start())?;
    let nginx = Nginx::start(host.folder(), &host.ports())?;
    for address in [host.address, nginx.address] {
        load::ask(address, 1)?;
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(load::ask(host.address, SECONDS)?);
        theirs.push(load::ask(nginx.address, SECONDS)?);
    }
    let case = |name: &str, unit, better, of: fn(&Seen) -> f64| {
        let figure = |seen: &[Seen]| Figure { value: median(seen.iter().map(of).collect()), unit };
        let name = name.to_owned();
        Case { name, ours: figure(&ours), peer: Some(figure(&theirs)), better, goal: Goal::Ratio(0.5) }
    };
    print(case("requests-per-second/nginx", "/s", Better::More, |seen| seen.rate));
    print(case("p99/nginx", "ms", Better::Less, |seen| seen.p99));
    Ok(())
}
