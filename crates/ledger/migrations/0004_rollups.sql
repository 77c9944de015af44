-- Counts per minute, hour and day (grain 0, 1, 2), by what they start at in microseconds; grains 3 to 5 are the same by tag.
CREATE TABLE rollups (
    grain INTEGER NOT NULL,
    start INTEGER NOT NULL,
    data  BLOB NOT NULL,
    PRIMARY KEY (grain, start)
) STRICT;

-- Which requests have which value, in blocks of minutes (since 1970; `until` is the first after the block), so that writing a
-- request costs no index: the writer makes a block's postings at once, from memory. `kind` says of what.
CREATE TABLE spans (
    id    INTEGER PRIMARY KEY,
    start INTEGER NOT NULL,
    until INTEGER NOT NULL,
    rows  INTEGER NOT NULL
) STRICT;

CREATE INDEX spans_start ON spans (start);

CREATE TABLE postings (
    kind  INTEGER NOT NULL,
    span  INTEGER NOT NULL,
    data  BLOB NOT NULL,
    PRIMARY KEY (kind, span)
) STRICT;

-- Minutes of which some requests are in neither yet.
CREATE TABLE dirty (minute INTEGER PRIMARY KEY) STRICT;

INSERT INTO dirty SELECT DISTINCT started_at / 60000000 FROM requests;
