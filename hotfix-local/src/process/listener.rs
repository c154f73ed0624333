//! Ports: which are free, and whether a port is really held by the process that was told to take it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

use super::procfs;

/// Lets the system choose a port that is free at this moment. Another program may take it before it is used; the
/// caller finds that out with [`listens`].
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Whether a process of the group `group` listens on `port`.
pub(crate) fn listens(group: i32, port: u16) -> io::Result<bool> {
    let listening = sockets_listening_on(port);
    if listening.is_empty() {
        return Ok(false);
    }
    Ok(procfs::members(group)?
        .into_iter()
        .any(|pid| sockets_of(pid).any(|socket| listening.contains(&socket))))
}

fn sockets_listening_on(port: u16) -> BTreeSet<u64> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| {
            table.lines().skip(1).filter_map(|line| listening_socket(line, port)).collect::<Vec<_>>()
        })
        .collect()
}

/// The inode of a line of `/proc/net/tcp`, when it is a socket that listens on `port`.
fn listening_socket(line: &str, port: u16) -> Option<u64> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
    let matches = u16::from_str_radix(local_port, 16).ok()? == port && *fields.get(3)? == LISTEN;
    if matches { fields.get(9)?.parse().ok() } else { None }
}

fn sockets_of(pid: i32) -> impl Iterator<Item = u64> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
    descriptors.filter_map(|entry| {
        let link = fs::read_link(entry.ok()?.path()).ok()?;
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_belongs_to_the_group_that_listens_on_it() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
        let port = listener.local_addr().expect("an address").port();
        let own = i32::try_from(std::process::id()).expect("a pid");
        let group = procfs::stat(own).expect("running").group;
        assert!(listens(group, port).expect("readable"));
        assert!(!listens(1, port).expect("readable"), "another group");
        drop(listener);
        assert!(!listens(group, port).expect("readable"), "nobody");
    }

    #[test]
    fn a_connected_socket_is_no_listener() {
        let line = "  0: 0100007F:1F90 00000000:0000 01 00000000:00000000 00:00000000 00000000  0 0 4242 1";
        assert_eq!(listening_socket(line, 8080), None);
        assert_eq!(listening_socket(&line.replace(" 01 ", " 0A "), 8080), Some(4242));
        assert_eq!(listening_socket(&line.replace(" 01 ", " 0A "), 8081), None);
    }
}
