-- Roll-ups have more grains: 6 and 7 are offered demand by the minute and the hour, 8 to 10 how deployments served by the minute, the
-- hour and the day, 11 and 12 counts by one thing at a time by the hour and the day. Those of requests that are there are counted anew.
INSERT INTO dirty SELECT DISTINCT started_at / 60000000 FROM requests WHERE outcome <> 'open' ON CONFLICT (minute) DO NOTHING;

-- Days that requests were imported into, by what they start at in microseconds: their detail is kept until then, however old it is.
CREATE TABLE imports (
    day        BIGINT NOT NULL PRIMARY KEY,
    kept_until BIGINT NOT NULL
);
