-- Retention of call records (`keep_records`): for how long each node's files, or its settings, say that an owner's records are
-- kept. NULL: neither says so. Of several nodes the longest counts.
ALTER TABLE retention ADD COLUMN records_seconds bigint;

-- Which state of an erasure the object store has, so that a restore of an older backup repeats it: its `until`; NULL: none.
ALTER TABLE erasure ADD COLUMN published timestamptz;
CREATE INDEX erasure_to_publish ON erasure (erasure_id) WHERE published IS DISTINCT FROM until;
