//! Refuses file systems on which several hosts, or a server's cache, would break SQLite's locks and shared memory.

use std::path::Path;

use hotfix_core::ErrorKind;

use super::failure::Failure;

/// Checks the directory that holds the database.
pub(super) fn check(directory: &Path) -> Result<(), Failure> {
    match kind_of(directory)? {
        None => Ok(()),
        Some(kind) => Err(Failure::new(
            ErrorKind::Invalid,
            format!(
                "the directory is on {kind}, where file locks are not reliable: put the database on a local disk"
            ),
        )
        .with("path", directory.display())),
    }
}

#[cfg(target_os = "linux")]
fn kind_of(directory: &Path) -> Result<Option<&'static str>, Failure> {
    let facts = rustix::fs::statfs(directory).map_err(|error| {
        let kind = match error {
            rustix::io::Errno::ACCESS => ErrorKind::Forbidden,
            _ => ErrorKind::Invalid,
        };
        let message = format!("the directory cannot be read: create it, or name another path: {error}");
        Failure::new(kind, message).with("path", directory.display())
    })?;
    // The field is signed or not, of 32 or 64 bits, by architecture. The numbers have 32.
    Ok(network_name(facts.f_type as u32))
}

#[cfg(not(target_os = "linux"))]
fn kind_of(_directory: &Path) -> Result<Option<&'static str>, Failure> {
    Ok(None)
}

/// Names a network file system by the number that Linux gives it in `statfs`.
#[cfg(target_os = "linux")]
fn network_name(magic: u32) -> Option<&'static str> {
    NETWORK.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name)
}

#[cfg(target_os = "linux")]
const NETWORK: [(u32, &str); 15] = [
    (0x0000_6969, "NFS"),
    (0x0000_517b, "SMB"),
    (0xfe53_4d42, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9P"),
    (0x0000_564c, "NCP"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x0116_1970, "GFS2"),
    (0x7461_636f, "OCFS2"),
];

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_between_hosts_is_known_by_number() {
        for (magic, name) in [
            (0x6969, Some("NFS")),
            (0xff53_4d42, Some("CIFS")),
            (0xfe53_4d42, Some("SMB")),
            (0x6573_5546, Some("FUSE")),
            (0xef53, None),      // ext4
            (0x5846_5342, None), // XFS
            (0x9123_683e, None), // Btrfs
            (0x0102_1994, None), // tmpfs
            (0x794c_7630, None), // overlayfs
        ] {
            assert_eq!(network_name(magic), name, "{magic:#x}");
        }
    }

    #[test]
    fn a_missing_directory_is_named() {
        let failure = check(Path::new("/does/not/exist")).unwrap_err();
        assert_eq!(
            failure.on("store.open").to_string(),
            "store.open: invalid: the directory cannot be read: create it, or name another path: No such file or \
             directory (os error 2) (path=/does/not/exist)"
        );
    }
}
