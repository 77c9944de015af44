-- Who did what at the admin interface. Rows are added and never changed; each holds the hash of the one before (src/audit/chain.rs).
-- `at` is in milliseconds since 1970, hashes are in hexadecimal.
CREATE TABLE audit (
    sequence BIGINT NOT NULL PRIMARY KEY,
    at       BIGINT NOT NULL,
    who      TEXT NOT NULL,
    role     TEXT NOT NULL,
    peer     TEXT NOT NULL,
    action   TEXT NOT NULL,
    what     TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash     TEXT NOT NULL
);
