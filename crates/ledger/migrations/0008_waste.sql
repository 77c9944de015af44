-- Requests are found by what of them was wasted, too: minutes that have such requests are put into spans anew.
INSERT INTO dirty
SELECT DISTINCT started_at / 60000000 FROM requests WHERE record LIKE '%"fact":"Wasted"%'
ON CONFLICT (minute) DO NOTHING;
