-- The access log has decisions about messages too: `release` (given up) and `retry` (sent again). `audio_id` is then the
-- message's id, which is its audio's; a missed call has no audio.

ALTER TABLE access DROP CONSTRAINT access_what_check;
ALTER TABLE access ADD CONSTRAINT access_what_check CHECK (what IN ('fetch', 'destroy', 'hold', 'release', 'retry'));
