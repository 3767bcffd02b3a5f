-- Where the clock was set during the call: by how many seconds (`stepped`); `ring` and `talk` by a clock that nobody sets, as
-- in ring_seconds and talk_seconds. NULL: it was not.

ALTER TABLE call ADD COLUMN clock jsonb;
