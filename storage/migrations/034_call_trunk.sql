-- The carrier that the call came from; NULL: unknown, or from before.
ALTER TABLE call ADD COLUMN trunk text;
