//! How much memory this process has.

use hotfix_benches::Failure;

/// The memory of this process that is in use, in bytes.
pub(super) fn resident() -> Result<usize, Failure> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages = text.split_whitespace().nth(1).ok_or_else(|| Failure::new("statm has no second number"))?;
    Ok(pages.parse::<usize>()? * rustix::param::page_size())
}
