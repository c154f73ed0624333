//! Files that survive a crash at any instruction: replaced whole or not at all, appended line by line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Why a replacement did not end well, by what is known of the file.
#[derive(Debug)]
pub(crate) enum ReplaceError {
    /// The old content is surely still there.
    Kept(io::Error),
    /// The new content is visible, but a power loss may bring the old one back.
    Unsure(io::Error),
}

impl From<ReplaceError> for io::Error {
    fn from(error: ReplaceError) -> Self {
        match error {
            ReplaceError::Kept(error) | ReplaceError::Unsure(error) => error,
        }
    }
}

/// Replaces `path` by `bytes`; after a crash it holds either the old or the new content.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), ReplaceError> {
    let folder = folder_of(path).map_err(ReplaceError::Kept)?;
    prepare(path, bytes).map_err(ReplaceError::Kept)?;
    sync_folder(folder).map_err(ReplaceError::Unsure)
}

fn prepare(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = Path::new(&temporary);
    let mut file = File::create(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temporary, path)
}

/// Appends one line to `path`, cutting off first what a crash left half written.
pub(crate) fn append_line(path: &Path, line: &str) -> io::Result<()> {
    let is_new = !path.exists();
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let complete = complete_length(&mut file)?;
    file.set_len(complete)?;
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_all()?;
    if is_new { sync_folder(folder_of(path)?) } else { Ok(()) }
}

/// Returns the last complete line of `path`, or nothing when there is none.
pub(crate) fn last_line(path: &Path) -> io::Result<Option<String>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let end = complete_length(&mut file)?;
    if end == 0 {
        return Ok(None);
    }
    let start = newline_before(&mut file, end - 1)?;
    file.seek(SeekFrom::Start(start))?;
    let mut line = String::new();
    file.take(end - 1 - start).read_to_string(&mut line)?;
    Ok(Some(line))
}

/// Makes the entries of `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn folder_of(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "path has no parent folder"))
}

/// Length of the file up to and including its last newline.
fn complete_length(file: &mut File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    newline_before(file, length)
}

/// Position just behind the last newline in `..end`, or 0.
fn newline_before(file: &mut File, end: u64) -> io::Result<u64> {
    const BLOCK: u64 = 4096;
    let mut block_end = end;
    let mut block = Vec::new();
    while block_end > 0 {
        let block_start = block_end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(block_start))?;
        block.clear();
        Read::by_ref(file).take(block_end - block_start).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|&byte| byte == b'\n') {
            return Ok(block_start + at as u64 + 1);
        }
        block_end = block_start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("state.json");
        replace(&path, b"one").expect("first");
        replace(&path, b"two").expect("second");
        assert_eq!(fs::read(&path).expect("readable"), b"two");
        assert_eq!(fs::read_dir(folder.path()).expect("listing").count(), 1);
    }

    #[test]
    fn a_torn_line_is_cut_off_by_the_next_append() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("writes.jsonl");
        append_line(&path, "first").expect("append");
        fs::write(&path, "first\nsec").expect("tear");
        assert_eq!(last_line(&path).expect("readable").as_deref(), Some("first"));
        append_line(&path, "second").expect("append");
        assert_eq!(fs::read_to_string(&path).expect("readable"), "first\nsecond\n");
    }

    #[test]
    fn the_last_line_is_found_across_blocks() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("writes.jsonl");
        assert_eq!(last_line(&path).expect("absent"), None);
        let (short, long) = ("s".repeat(10), "l".repeat(9_000));
        append_line(&path, &short).expect("append");
        assert_eq!(last_line(&path).expect("readable"), Some(short));
        append_line(&path, &long).expect("append");
        assert_eq!(last_line(&path).expect("readable"), Some(long));
    }
}
