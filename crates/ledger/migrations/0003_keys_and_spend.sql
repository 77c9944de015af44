-- Keys made at run time. Of a secret only its SHA-256 is here; `grace` lists former secrets that still work, as
-- [{"hash": hexadecimal, "until": microseconds}].
CREATE TABLE keys (
    name       TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL,
    hash       BLOB NOT NULL,
    settings   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    grace      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What sums are made of, so that adding up needs no look into the records. The tokens are those of all attempts as their
-- providers reported them; `unreported` counts attempts that cost something, or nobody knows what, and reported nothing.
-- `deployment` is null where several were called.
ALTER TABLE requests ADD COLUMN run TEXT;
ALTER TABLE requests ADD COLUMN deployment TEXT;
ALTER TABLE requests ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN estimated_nano INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN input INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN cached_input INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN output INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN reasoning INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN unreported INTEGER NOT NULL DEFAULT 0;

-- Requests whose attempts went to several deployments, or of which only a part of the cost is known: sums look into their records.
CREATE INDEX requests_split ON requests (started_at) WHERE attempts > 1 AND (deployment IS NULL OR cost_nano IS NULL);

-- The records from before have it all, too.
UPDATE requests SET
    run = record ->> '$.run',
    (deployment, attempts, estimated_nano, input, cached_input, output, reasoning, unreported) = (
        SELECT
            CASE WHEN min(value ->> '$.deployment') = max(value ->> '$.deployment') THEN min(value ->> '$.deployment') END,
            count(*),
            coalesce(sum(CASE WHEN value ->> '$.cost_estimated' THEN
                CAST(value ->> '$.cost_usd' AS INTEGER) * 1000000000
                + CAST(substr(substr(value ->> '$.cost_usd', instr(value ->> '$.cost_usd' || '.', '.') + 1) || '000000000', 1, 9) AS INTEGER)
            END), 0),
            coalesce(sum(min(value ->> '$.usage.input', 1000000000000)), 0),
            coalesce(sum(min(value ->> '$.usage.cached_input', 1000000000000)), 0),
            coalesce(sum(min(value ->> '$.usage.output', 1000000000000)), 0),
            coalesce(sum(min(value ->> '$.usage.reasoning', 1000000000000)), 0),
            count(*) FILTER (WHERE value ->> '$.usage' IS NULL AND value ->> '$.cost_usd' IS NOT '0')
        FROM json_each(record, '$.attempts'));
