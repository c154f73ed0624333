//! Opens connections: private file, durable settings, bounded waits.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hotfix_core::ErrorKind;
use rusqlite::{Connection, OpenFlags};

use super::failure::Failure;
use super::options::SqliteOptions;
use super::{filesystem, migrate};

/// The connections of one store: one that writes, some that read.
pub(super) struct Connections {
    pub(super) writer: Connection,
    pub(super) readers: Vec<Connection>,
}

/// Opens the database, creating and migrating it as needed. Blocks.
pub(super) fn open(path: &Path, options: &SqliteOptions) -> Result<Connections, Failure> {
    options.check()?;
    let path = &as_file(path)?;
    filesystem::check(path.parent().unwrap_or(path))?;
    create_private(path)?;
    let connections = || {
        let writer = open_writer(path, options)?;
        let readers = (0..options.readers).map(|_| open_reader(path, options));
        Ok(Connections { writer, readers: readers.collect::<Result<_, Failure>>()? })
    };
    connections().map_err(|failure: Failure| failure.with("path", path.display()))
}

/// Gives the path a directory, so that SQLite takes no name for one of its own, such as `:memory:`.
fn as_file(path: &Path) -> Result<PathBuf, Failure> {
    let Some(name) = path.file_name() else {
        let message = "the path names no file: give the path of the database, such as state/hotfix.db";
        return Err(Failure::new(ErrorKind::Invalid, message).with("path", path.display()));
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok(directory.join(name))
}

/// Creates the file with permissions for its owner only; SQLite gives the same to the files beside it. An existing
/// file is not even opened: closing it would drop the locks that this process holds on it elsewhere.
fn create_private(path: &Path) -> Result<(), Failure> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match created {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(refuse_creation(path, &error)),
    }
}

fn refuse_creation(path: &Path, error: &io::Error) -> Failure {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Forbidden,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        _ => ErrorKind::Invalid,
    };
    Failure::new(kind, format!("the database file cannot be created: {error}")).with("path", path.display())
}

fn open_writer(path: &Path, options: &SqliteOptions) -> Result<Connection, Failure> {
    let mut db = connect(path, options)?;
    if db.is_readonly(rusqlite::MAIN_DB)? {
        return Err(Failure::new(
            ErrorKind::Forbidden,
            "the database cannot be written: check the permissions of the file and its directory",
        ));
    }
    // First, because it writes nothing: another program's database must stay as it is.
    migrate::refuse_foreign(&db)?;
    enter_wal(&db)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    if let Some(limit) = options.size_limit {
        limit_size(&db, limit)?;
    }
    migrate::migrate(&mut db)?;
    Ok(db)
}

fn open_reader(path: &Path, options: &SqliteOptions) -> Result<Connection, Failure> {
    let db = connect(path, options)?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}

fn connect(path: &Path, options: &SqliteOptions) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(options.busy_wait.to_duration().min(LONGEST_WAIT))?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.pragma_update(None, "trusted_schema", false)?;
    Ok(db)
}

/// Switches a new database to write-ahead logging, which it then keeps.
///
/// SQLite does not wait for its lock in this one statement. So after losing it to another process, wait by asking for
/// the write lock, and look again.
fn enter_wal(db: &Connection) -> Result<(), Failure> {
    for _ in 0..WAL_ATTEMPTS {
        let mode = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let message = format!("the file system does not allow write-ahead logging (got {mode})");
                return Err(Failure::new(ErrorKind::Unsupported, message));
            }
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                db.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let message = "another process kept the database locked while it was to be created";
    Err(Failure::new(ErrorKind::Unavailable, message))
}

fn limit_size(db: &Connection, limit: u64) -> Result<(), Failure> {
    let page: i64 = db.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // SQLite answers the limit in force, which is never below the present size.
    db.pragma_update_and_check(None, "max_page_count", (limit / page).max(1), |row| row.get::<_, i64>(0))?;
    Ok(())
}

/// Holds every statement of this crate.
const STATEMENTS: usize = 64;

/// SQLite counts the wait in milliseconds in 32 bits.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

const WAL_ATTEMPTS: usize = 100;
