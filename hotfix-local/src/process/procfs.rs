//! What `/proc` says about processes.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::LocalError;

/// The variable that carries an instance's token, so that a process is found even when its start was never recorded.
pub(crate) const TOKEN_VARIABLE: &str = "HOTFIX_INSTANCE";

/// The fields of `/proc/<pid>/stat` that identify a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) state: char,
    pub(crate) group: i32,
    pub(crate) start_ticks: u64,
}

/// Returns what the kernel says of the process, or nothing when there is none.
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// When the process started, in clock ticks since boot; a zombie counts as gone.
pub(crate) fn ticks_of(pid: i32) -> Option<u64> {
    stat(pid).filter(|stat| !matches!(stat.state, 'Z' | 'X')).map(|stat| stat.start_ticks)
}

/// The program's name stands in brackets and may itself hold spaces and brackets, so fields are counted behind the last one.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, behind_name) = text.rsplit_once(')')?;
    let fields: Vec<&str> = behind_name.split_ascii_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        group: fields.get(2)?.parse().ok()?,
        start_ticks: fields.get(19)?.parse().ok()?,
    })
}

/// An id that changes with every boot: start times are only comparable within one.
pub(crate) fn boot_id() -> Result<String, LocalError> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    fs::read_to_string(path).map(|text| text.trim().to_owned()).map_err(|error| LocalError::Unsupported {
        reason: format!("{} cannot be read ({error}); hotfix-local needs Linux with /proc", path.display()),
    })
}

/// Every live process that carries an instance token: `(pid, token)`.
pub(crate) fn find_instances() -> io::Result<Vec<(i32, String)>> {
    let mut found = Vec::new();
    for pid in pids()? {
        // A process of another user, or one that ended meanwhile, is not one of ours.
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else {
            continue;
        };
        if let Some(token) = token_in(&environment)
            && ticks_of(pid).is_some()
        {
            found.push((pid, token));
        }
    }
    Ok(found)
}

/// Whether the process is the first of its group, as every one that was started here is.
pub(crate) fn leads_its_group(pid: i32) -> bool {
    stat(pid).is_some_and(|stat| stat.group == pid)
}

/// Every process whose group is `group`.
pub(crate) fn members(group: i32) -> io::Result<Vec<i32>> {
    let in_group = |pid: &i32| stat(*pid).is_some_and(|stat| stat.group == group);
    Ok(pids()?.into_iter().filter(in_group).collect())
}

fn pids() -> io::Result<Vec<i32>> {
    let entries = fs::read_dir("/proc")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}

fn token_in(environment: &[u8]) -> Option<String> {
    let prefix = format!("{TOKEN_VARIABLE}=");
    let entry = environment.split(|&byte| byte == 0).find(|entry| entry.starts_with(prefix.as_bytes()))?;
    String::from_utf8(entry[prefix.len()..].to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let tail = "S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 9876 0 0";
        let stat = Stat { state: 'S', group: 42, start_ticks: 9876 };
        assert_eq!(parse_stat(&format!("42 (a) b) {tail}")), Some(stat));
        assert_eq!(parse_stat(&format!("42 (sh) {tail}")), Some(stat));
        assert_eq!(parse_stat("42 (sh) S 1"), None);
    }

    #[test]
    fn only_the_token_variable_names_an_instance() {
        assert_eq!(token_in(b"A=1\0HOTFIX_INSTANCE=blue-1\0"), Some("blue-1".to_owned()));
        assert_eq!(token_in(b"XHOTFIX_INSTANCE=blue-1\0"), None);
        assert_eq!(token_in(b""), None);
    }
}
