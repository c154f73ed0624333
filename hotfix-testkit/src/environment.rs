//! What the environment says: the one place of this crate that reads it.

use std::ffi::OsString;
use std::path::PathBuf;

/// Returns where a program is that PATH leads to, under the first of the names that there is.
pub(crate) fn program<'a>(names: &[&'a str]) -> Option<(&'a str, PathBuf)> {
    let path = variable("PATH").unwrap_or_default();
    names.iter().find_map(|name| {
        let place =
            std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())?;
        Some((*name, place))
    })
}

/// Returns where a program is that was built with the running one: beside it, or above its folder, which is where cargo
/// keeps the tests and the examples of a build.
#[cfg(feature = "cluster")]
pub(crate) fn sibling(name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Returns what a variable names, if it is set to something.
#[cfg(feature = "cluster")]
pub(crate) fn place(name: &str) -> Option<PathBuf> {
    variable(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Returns the folder for what can be made again.
#[cfg(feature = "cluster")]
pub(crate) fn cache() -> Option<PathBuf> {
    place("XDG_CACHE_HOME").or_else(|| Some(place("HOME")?.join(".cache")))
}

#[expect(clippy::disallowed_methods, reason = "this is the reviewed place of this crate")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
