//! Brings a database to the schema of this version, in one transaction, and refuses files that are not ours or newer.

use hotfix_core::ErrorKind;
use rusqlite::{Connection, TransactionBehavior};

use super::column::Count;
use super::failure::Failure;

/// Marks a SQLite file as ours: `htfx`.
const APPLICATION_ID: i32 = 0x6874_6678;

/// In order, never edited once released: `PRAGMA user_version` counts those that were applied.
const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/0001_runs_outbox_incidents.sql")];

/// Checks whose file it is and applies what is missing.
pub(super) fn migrate(db: &mut Connection) -> Result<(), Failure> {
    apply(db, &MIGRATIONS)
}

/// Refuses a schema that became newer than this version while the database was open.
pub(super) fn check_version(db: &Connection) -> Result<(), Failure> {
    let found = db.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))?;
    refuse_newer(found, MIGRATIONS.len()).map(drop)
}

/// Refuses a file that is not a database, another program's, or a newer version's. Writes nothing.
pub(super) fn refuse_foreign(db: &Connection) -> Result<(), Failure> {
    // One snapshot: another process may be creating the database right now.
    let tx = db.unchecked_transaction()?;
    applied(&tx, MIGRATIONS.len()).map(drop)
}

fn apply(db: &mut Connection, migrations: &[&str]) -> Result<(), Failure> {
    let known = migrations.len();
    let before = applied(&*db.transaction()?, known)?;
    if before == Some(known) {
        return Ok(());
    }
    // Another process may have migrated since: look again under the lock.
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = match applied(&tx, known)? {
        Some(done) => done,
        None => {
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
            0
        }
    };
    for (sql, version) in migrations.iter().zip(1..).skip(done) {
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", version)?;
    }
    Ok(tx.commit()?)
}

/// Returns how many migrations were applied, `None` for an empty database.
///
/// Whose file it is is read last: another process that creates it meanwhile is then seen as one of ours, and at worst
/// with too few migrations, which the look under the lock corrects.
fn applied(db: &Connection, known: usize) -> Result<Option<usize>, Failure> {
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let Count(version) = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application == APPLICATION_ID {
        return refuse_newer(Count(version), known).map(Some);
    }
    if (application, version, tables) == (0, 0, 0) {
        return Ok(None);
    }
    Err(Failure::new(
        ErrorKind::Invalid,
        format!(
            "the file is another program's database (application id {application:#x}): name another path"
        ),
    ))
}

fn refuse_newer(Count(found): Count, known: usize) -> Result<usize, Failure> {
    match usize::try_from(found) {
        Ok(found) if found <= known => Ok(found),
        _ => Err(Failure::new(
            ErrorKind::TooNew,
            format!("the database has schema {found} and this version knows {known}: update this program"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(db: &Connection) -> i32 {
        db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn only_what_is_missing_is_applied() {
        let mut db = Connection::open_in_memory().unwrap();
        apply(&mut db, &["CREATE TABLE a (x INTEGER) STRICT"]).unwrap();
        assert_eq!(version(&db), 1);
        apply(&mut db, &["CREATE TABLE a (x INTEGER) STRICT", "INSERT INTO a VALUES (7)"]).unwrap();
        assert_eq!(version(&db), 2);
        let sum: i64 = db.query_row("SELECT sum(x) FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(sum, 7);
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing_behind() {
        let mut db = Connection::open_in_memory().unwrap();
        let failure = apply(&mut db, &["CREATE TABLE a (x INTEGER) STRICT", "nonsense"]).unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::Unexpected);
        assert_eq!(version(&db), 0);
        assert_eq!(applied(&db, 2).unwrap(), None);
    }

    #[test]
    fn the_schema_of_this_version_is_whole() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db).unwrap();
        migrate(&mut db).unwrap();
        assert_eq!(applied(&db, MIGRATIONS.len()).unwrap(), Some(MIGRATIONS.len()));
    }

    #[test]
    fn a_newer_schema_is_refused_with_both_numbers() {
        let mut db = Connection::open_in_memory().unwrap();
        apply(&mut db, &["SELECT 1", "SELECT 2"]).unwrap();
        let failure = apply(&mut db, &["SELECT 1"]).unwrap_err();
        assert_eq!(
            failure.on("store.open").to_string(),
            "store.open: written by a newer version: the database has schema 2 and this version knows 1: update \
             this program"
        );
    }
}
