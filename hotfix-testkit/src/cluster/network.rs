//! The network of the pods: addresses that the API takes for those of pods, and where they really are.
//!
//! Every pod has an address of its own on the loopback device. The API server does not let such an address into an
//! EndpointSlice, so the API shows `10.x.y.z` for what is reached at `127.x.y.z`.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Container;

use super::chance;

/// The second numbers of pods' addresses: the network `10.64.0.0/10`.
const SECOND: std::ops::RangeInclusive<u8> = 64..=127;

/// Where a container listens that names no port.
const USUAL_PORT: u16 = 8080;

/// Returns where to connect to reach a port of the pod that has the address in its status. An address that no node of a
/// test cluster gave is returned as it is.
///
/// ```
/// use hotfix_testkit::cluster::reach;
///
/// let shown = "10.99.7.8".parse().unwrap();
/// assert_eq!(reach(shown, 8080).to_string(), "127.99.7.8:8080");
/// ```
#[must_use]
pub fn reach(shown: IpAddr, port: u16) -> SocketAddr {
    let really = match shown {
        IpAddr::V4(address) => match address.octets() {
            [10, second, third, fourth] if SECOND.contains(&second) => {
                Ipv4Addr::new(127, second, third, fourth).into()
            }
            _ => shown,
        },
        IpAddr::V6(_) => shown,
    };
    SocketAddr::new(really, port)
}

/// Returns where a container listens.
pub(super) fn ports(container: &Container) -> impl Iterator<Item = u16> + '_ {
    let named = container.ports.iter().flatten();
    let tcp = named.filter(|port| port.protocol.as_deref().is_none_or(|protocol| protocol == "TCP"));
    let mut numbers = tcp.filter_map(|port| u16::try_from(port.container_port).ok()).peekable();
    let usual = numbers.peek().is_none().then_some(USUAL_PORT);
    numbers.chain(usual)
}

/// The addresses that are taken.
#[derive(Debug, Default)]
pub(super) struct Network {
    taken: Mutex<BTreeSet<Ipv4Addr>>,
}

/// The address of one pod, given back when dropped.
#[derive(Debug)]
pub(super) struct PodAddress {
    shown: Ipv4Addr,
    network: Arc<Network>,
}

impl PodAddress {
    /// Takes an address at which all the ports are free. Other clusters on this machine choose by chance as well.
    pub(super) fn take(network: &Arc<Network>, ports: &[u16]) -> Self {
        loop {
            let shown = by_chance();
            let all_free = ports.iter().all(|port| is_free(reach(shown.into(), *port)));
            if all_free && network.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(shown) {
                return Self { shown, network: Arc::clone(network) };
            }
        }
    }

    pub(super) const fn shown(&self) -> Ipv4Addr {
        self.shown
    }

    pub(super) fn at(&self, port: u16) -> SocketAddr {
        reach(self.shown.into(), port)
    }
}

impl Drop for PodAddress {
    fn drop(&mut self) {
        self.network.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.shown);
    }
}

/// A port that may not be taken at all is no reason to look elsewhere: its process will say so.
fn is_free(address: SocketAddr) -> bool {
    !matches!(TcpListener::bind(address), Err(error) if error.kind() == io::ErrorKind::AddrInUse)
}

fn by_chance() -> Ipv4Addr {
    let [second, third, fourth, ..] = chance::number().to_le_bytes();
    let span = SECOND.end() - SECOND.start() + 1;
    Ipv4Addr::new(10, SECOND.start() + second % span, third, fourth.clamp(1, 254))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_addresses_are_left_alone() {
        for address in ["10.0.0.7", "10.128.0.1", "192.0.2.1", "::1"] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(reach(address, 80), SocketAddr::new(address, 80));
        }
    }

    #[test]
    fn an_address_is_free_again_when_its_pod_is_gone() {
        let network = Arc::new(Network::default());
        let address = PodAddress::take(&network, &[8080]);
        assert_eq!(address.at(8080).ip().to_string(), address.shown().to_string().replacen("10.", "127.", 1));
        assert_eq!(network.taken.lock().unwrap().len(), 1);
        drop(address);
        assert_eq!(network.taken.lock().unwrap().len(), 0);
    }
}
