-- Whether the caller was told that he is recorded, and who joined him: what was said on which leg, when, and the
-- answer to it; or why there is no recording. NULL: the number is not recorded, or the call ended before.

ALTER TABLE call ADD COLUMN notice jsonb;
