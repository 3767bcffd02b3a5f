-- When a destination began to talk with the caller (a caller may be answered before), on which attempt, and what
-- the attempt's network answered. NULL: never, or in records of before this migration not known.

ALTER TABLE call ADD COLUMN connected timestamptz;
ALTER TABLE leg ADD COLUMN connected timestamptz;
ALTER TABLE leg ADD COLUMN sip integer;    -- the last SIP status
