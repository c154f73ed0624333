//! Lines for people.

use std::fmt::Display;

/// Prints a line.
#[expect(clippy::print_stdout, reason = "this is a program for people")]
pub fn say(line: impl Display) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "this is a program for people")]
pub(crate) fn complain(line: impl Display) {
    eprintln!("{line}");
}
