-- The carrier that the attempt was dialled by; NULL: unknown, or from before.
ALTER TABLE leg ADD COLUMN trunk text;
