-- Retention of call records (`keep_records`): for how long each node's files, or its settings, say that an owner's records are
-- kept. NULL: neither says so. Of several nodes the longest counts.
ALTER TABLE retention ADD COLUMN records_seconds bigint;

-- Which state of an erasure the object store has, so that a restore of an older backup repeats it: its `until`; NULL: none.
ALTER TABLE erasure ADD COLUMN published timestamptz;
CREATE INDEX erasure_to_publish ON erasure (erasure_id) WHERE published IS DISTINCT FROM until;

-- Destroying call records. The worker's role may not delete a record; it may have this function do so with those that are
-- older than the shortest retention. Legs and outbox go with them. Rows of audio stay: they belong to the tombstones.
CREATE FUNCTION destroy_records(which uuid[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    oldest_kept timestamptz := now() - interval '30 days';
    destroyed bigint;
BEGIN
    DELETE FROM public.attempt USING public.message
        WHERE attempt.message_id = message.message_id AND message.call_id = ANY(which) AND message.began < oldest_kept;
    DELETE FROM public.message WHERE call_id = ANY(which) AND began < oldest_kept;
    DELETE FROM public.call WHERE call_id = ANY(which) AND began < oldest_kept;
    GET DIAGNOSTICS destroyed = ROW_COUNT;
    RETURN destroyed;
END $$;
REVOKE ALL ON FUNCTION destroy_records(uuid[]) FROM PUBLIC;
