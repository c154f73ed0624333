//! The checksum of the journal: each entry's link covers the entry and the link before it, so that an edited, moved or
//! missing entry shows.

use hotfix_core::model::{RunId, Timestamp};
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};
use sha2::{Digest, Sha256};

/// The link of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link([u8; 32]);

/// What a link covers beside the link before it.
pub(super) struct Linked<'a> {
    pub(super) seq: u64,
    pub(super) epoch: u64,
    pub(super) at: Timestamp,
    pub(super) body: &'a str,
}

impl Link {
    /// The link before the first entry: the run's own, so that entries cannot move between runs.
    pub(super) fn root(run: &RunId) -> Self {
        Self(Sha256::digest(run.as_str()).into())
    }

    /// The link of the next entry.
    pub(super) fn next(&self, entry: &Linked<'_>) -> Self {
        let mut numbers = [0; 24];
        numbers[..8].copy_from_slice(&entry.seq.to_le_bytes());
        numbers[8..16].copy_from_slice(&entry.epoch.to_le_bytes());
        numbers[16..].copy_from_slice(&entry.at.timestamp_micros().to_le_bytes());
        let hash = Sha256::new().chain_update(self.0).chain_update(numbers).chain_update(entry.body);
        Self(hash.finalize().into())
    }
}

impl FromSql for Link {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        FromSql::column_result(value).map(Self)
    }
}

impl ToSql for Link {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linked(body: &str) -> Linked<'_> {
        let at = Timestamp::from_timestamp_micros(1_790_000_000_000_001).unwrap();
        let (seq, epoch) = (3, 7);
        Linked { seq, epoch, at, body }
    }

    #[test]
    fn a_link_depends_on_everything_before_and_in_the_entry() {
        let root = Link::root(&RunId::new("run-1").unwrap());
        let link = root.next(&linked("a"));
        assert_eq!(link, root.next(&linked("a")));
        for other in [
            Link::root(&RunId::new("run-2").unwrap()).next(&linked("a")),
            root.next(&linked("b")),
            root.next(&Linked { seq: 4, ..linked("a") }),
            root.next(&Linked { epoch: 8, ..linked("a") }),
            root.next(&Linked { at: Timestamp::from_timestamp_micros(0).unwrap(), ..linked("a") }),
        ] {
            assert_ne!(link, other);
        }
    }
}
