-- What a request cost, in billionths of a US dollar, so that sums are exact and need no look into the records. Null is
-- unknown, as is everything that was written before prices were known.
ALTER TABLE requests ADD COLUMN cost_nano INTEGER;
