-- One word for one thing: dead letters are the calls that could not become a record, deferred is SMTP's word for a mail
-- that is tried again (RFC 3461: delayed; Postfix: deferred).

ALTER TABLE set_aside RENAME TO dead_letter;
UPDATE attempt SET result = 'deferred' WHERE result = 'later';
COMMENT ON COLUMN attempt.result IS 'accepted | deferred | refused | unbuildable';
