-- A mail to the owner that a destination cannot be reached, and is left out: kind `left_out`. Its `deliver` has the destination
-- and the number of attempts as `path`; it has no caller, and no audio. The earlier software neither makes nor claims one
-- in a way that fails: it mails it as a missed call.
ALTER TABLE message DROP CONSTRAINT message_kind_check;
ALTER TABLE message ADD CONSTRAINT message_kind_check CHECK (kind IN ('voicemail', 'missed', 'left_out'));
