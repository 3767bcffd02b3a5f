-- Backups whose audio keys can still be used (callengine backup). While a row is here, the object store has, under
-- backup/BACKUP_ID/, the key that opens the keys in that backup's file, and what was destroyed and put under a legal hold
-- since. A row is a promise: it is written before the file, and deleted after those objects.

CREATE TABLE backup (
    backup_id text PRIMARY KEY,
    node      text NOT NULL,                     -- where the command ran
    made_at   timestamptz NOT NULL DEFAULT now(),
    done_at   timestamptz,                       -- its file is complete; NULL: it is being written, or was never finished
    published bigint NOT NULL,                   -- the tombstone up to which the object store has those since the backup
    holds_at  timestamptz NOT NULL               -- the same for decisions about legal holds
);

-- The transaction that stored the record last, for `callengine calls --cursor`: a number drawn from a sequence could become
-- visible after a later one; of transactions PostgreSQL knows up to which one all have ended.
ALTER TABLE call ADD COLUMN stored_in xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX call_by_stored_in ON call (stored_in);
