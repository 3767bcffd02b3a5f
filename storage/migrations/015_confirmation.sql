-- Whether the destination confirmed that it takes the call, where it was asked to press 1 (`confirm: true`): key, no_key, or
-- left (it hung up meanwhile). NULL: it was not asked.

ALTER TABLE leg ADD COLUMN confirmation text;
