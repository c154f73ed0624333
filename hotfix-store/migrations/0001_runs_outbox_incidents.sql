-- Times are microseconds since 1970 (UTC) by the store's clock. Columns that hold JSON hold what hotfix-core's serde
-- derives print.

-- The human side. One open incident per issue.
CREATE TABLE incident (
    id        TEXT PRIMARY KEY,
    issue     TEXT NOT NULL,
    title     TEXT NOT NULL,
    severity  TEXT NOT NULL,
    status    TEXT NOT NULL,
    opened_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX incident_open ON incident (issue) WHERE status <> 'resolved';

-- Appended, never changed.
CREATE TABLE timeline (
    number   INTEGER PRIMARY KEY,
    incident TEXT NOT NULL REFERENCES incident (id),
    event    TEXT NOT NULL
) STRICT;

CREATE INDEX timeline_incident ON timeline (incident, number);

-- One row per run, in the order of opening. `entries` is the length of its journal and `last` the number of the newest
-- entry: a journal that is shorter was cut.
CREATE TABLE run (
    number     INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    incident   TEXT NOT NULL REFERENCES incident (id),
    state      TEXT NOT NULL CHECK (state IN ('active', 'quarantined', 'ended')),
    epoch      INTEGER NOT NULL,
    holder     TEXT NOT NULL,
    opened_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    entries    INTEGER NOT NULL,
    last       INTEGER NOT NULL
) STRICT;

CREATE INDEX run_open ON run (number) WHERE state <> 'ended';

CREATE TABLE run_target (
    run      INTEGER NOT NULL REFERENCES run (number),
    position INTEGER NOT NULL,
    target   TEXT NOT NULL,
    PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;

-- One row per target that was ever claimed, kept for ever: the highest epoch that was ever used on it.
CREATE TABLE target (
    name       TEXT PRIMARY KEY,
    epoch      INTEGER NOT NULL,
    active_run INTEGER REFERENCES run (number)
) STRICT, WITHOUT ROWID;

-- In the order of writing, whatever the run. `previous` is the number of the entry before in the same journal, 0 for the
-- first: a journal is read from its newest entry back. An index on run and seq would cost every append a page of its own.
-- `chain` is the SHA-256 of the previous entry's chain and of this entry.
CREATE TABLE journal (
    number   INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    epoch    INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    body     TEXT NOT NULL,
    chain    BLOB NOT NULL,
    previous INTEGER NOT NULL
) STRICT;

CREATE TABLE signal (
    run      INTEGER NOT NULL REFERENCES run (number),
    position INTEGER NOT NULL,
    id       TEXT NOT NULL,
    entry    TEXT NOT NULL,
    PRIMARY KEY (run, position),
    UNIQUE (run, id)
) STRICT, WITHOUT ROWID;

-- `due` is when the row wants attention: the next try, the look after an uncertain outcome, or, while `leased`, the end
-- of the lease. It is null once nothing is left to do. `state` is what was known before the lease.
CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY,
    destination TEXT NOT NULL,
    dedup       TEXT NOT NULL,
    incident    TEXT NOT NULL,
    run         TEXT NOT NULL,
    kind        TEXT NOT NULL,
    posting     TEXT NOT NULL,
    state       TEXT NOT NULL
        CHECK (state IN ('waiting', 'uncertain', 'delivered', 'dead', 'superseded')),
    leased      INTEGER NOT NULL DEFAULT 0,
    due         INTEGER,
    attempts    INTEGER NOT NULL DEFAULT 0,
    receipt     TEXT,
    cause       TEXT,
    UNIQUE (destination, dedup)
) STRICT;

CREATE INDEX outbox_thread ON outbox (destination, incident, run, id) WHERE due IS NOT NULL;
CREATE INDEX outbox_root ON outbox (destination, incident, run, id) WHERE kind = 'root';
CREATE INDEX outbox_dead ON outbox (id) WHERE state = 'dead';

-- Releases proven healthy, in the order of their last proof.
CREATE TABLE known_good (
    number     INTEGER PRIMARY KEY,
    target     TEXT NOT NULL,
    artifact   TEXT NOT NULL,
    known_good TEXT NOT NULL,
    UNIQUE (target, artifact)
) STRICT;

CREATE INDEX known_good_target ON known_good (target, number);
