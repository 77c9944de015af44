-- One row per request: its whole record as JSON, and beside it the few columns that rows are chosen by.
-- An id begins with the time of arrival, so the rows lie in the order of time, and need no index to be found by either.
PRAGMA application_id = 0x77656972;

CREATE TABLE requests (
    id         BLOB PRIMARY KEY,
    started_at INTEGER NOT NULL,
    outcome    TEXT NOT NULL,
    status     INTEGER,
    tenant     TEXT,
    key        TEXT,
    route      TEXT,
    record     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Holds only requests that run, so a row that is written once, whole, pays nothing for it.
CREATE INDEX requests_open ON requests (started_at) WHERE outcome = 'open';

-- What happened to Weir itself rather than to one request: breakers, credentials, reloads.
CREATE TABLE facts (
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    fact   TEXT NOT NULL,
    record TEXT NOT NULL
) STRICT;
