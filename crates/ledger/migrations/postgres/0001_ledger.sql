-- The ledger as SQLite's migrations make it, in Postgres. The columns say there what they are.
CREATE TABLE requests (
    id             BYTEA PRIMARY KEY,
    started_at     BIGINT NOT NULL,
    outcome        TEXT NOT NULL,
    status         BIGINT,
    tenant         TEXT,
    key            TEXT,
    route          TEXT,
    record         TEXT NOT NULL,
    cost_nano      BIGINT,
    run            TEXT,
    deployment     TEXT,
    attempts       BIGINT NOT NULL DEFAULT 0,
    estimated_nano BIGINT NOT NULL DEFAULT 0,
    input          BIGINT NOT NULL DEFAULT 0,
    cached_input   BIGINT NOT NULL DEFAULT 0,
    output         BIGINT NOT NULL DEFAULT 0,
    reasoning      BIGINT NOT NULL DEFAULT 0,
    unreported     BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX requests_open ON requests (started_at) WHERE outcome = 'open';
CREATE INDEX requests_split ON requests (started_at) WHERE attempts > 1 AND (deployment IS NULL OR cost_nano IS NULL);

CREATE TABLE facts (
    id     BIGINT PRIMARY KEY,
    at     BIGINT NOT NULL,
    fact   TEXT NOT NULL,
    record TEXT NOT NULL
);

CREATE TABLE keys (
    name       TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL,
    hash       BYTEA NOT NULL,
    settings   TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    grace      TEXT NOT NULL
);

CREATE TABLE rollups (
    grain BIGINT NOT NULL,
    start BIGINT NOT NULL,
    data  BYTEA NOT NULL,
    PRIMARY KEY (grain, start)
);

CREATE TABLE spans (
    id    BIGINT PRIMARY KEY,
    start BIGINT NOT NULL,
    until BIGINT NOT NULL,
    rows  BIGINT NOT NULL
);

CREATE INDEX spans_start ON spans (start);

CREATE TABLE postings (
    kind  BIGINT NOT NULL,
    span  BIGINT NOT NULL,
    data  BYTEA NOT NULL,
    PRIMARY KEY (kind, span)
);

CREATE TABLE dirty (minute BIGINT PRIMARY KEY);
