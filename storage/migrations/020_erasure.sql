-- Erasing a caller (docs/decisions/027-erasing-a-caller.md). A row for each request, until nothing has the number any more:
-- then only the certificate is left, in a chain like that of tombstones.

CREATE TABLE erasure (
    erasure_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    caller_hash  text NOT NULL,          -- HMAC-SHA-256 of the number, by a key derived from a master key, after that key's id
    sealed       bytea,                  -- the number, encrypted by such a key; NULL: finished
    until        timestamptz NOT NULL,   -- calls that came in later are recorded as usual
    reason       text NOT NULL,
    operator     text NOT NULL,          -- who asked for it, as in `access`
    host         text NOT NULL,
    asked_at     timestamptz NOT NULL DEFAULT now(),
    calls        bigint NOT NULL DEFAULT 0,   -- so many rows have lost the number
    messages     bigint NOT NULL DEFAULT 0,
    dead_letters bigint NOT NULL DEFAULT 0,
    waits_for    text[],                 -- transactions that may have seen the number; NULL: not looked yet
    rewritten_at timestamptz,            -- the tables, after the last row lost the number
    wal          pg_lsn,                 -- what was written to WAL before this place may have the number
    certified    text[],                 -- recordings under a legal hold that the last certificate names; NULL: none yet
    finished_at  timestamptz
);
CREATE UNIQUE INDEX one_erasure_at_a_time ON erasure (caller_hash) WHERE finished_at IS NULL;

-- The calls that it erased: whose audio has to be destroyed before it is finished. Deleted with its end.
CREATE TABLE erased_call (
    erasure_id bigint NOT NULL REFERENCES erasure,
    call_id    uuid NOT NULL,
    PRIMARY KEY (erasure_id, call_id)
);

-- What each node's worker says of its journal. `left_over`: entries that still have the number.
CREATE TABLE erased_journal (
    erasure_id bigint NOT NULL REFERENCES erasure,
    node       text NOT NULL,
    left_over  bigint NOT NULL,
    looked_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (erasure_id, node)
);

CREATE TABLE erasure_certificate (
    seq         bigint PRIMARY KEY,
    erasure_id  bigint NOT NULL,
    caller_hash text NOT NULL,
    until       timestamptz NOT NULL,
    asked_at    timestamptz NOT NULL,
    issued_at   timestamptz NOT NULL,
    reason      text NOT NULL,
    operator    text NOT NULL,
    host        text NOT NULL,
    calls       bigint NOT NULL,
    messages    bigint NOT NULL,
    audio       bigint NOT NULL,         -- destroyed, each with its tombstone
    held        text[] NOT NULL,         -- recordings under a legal hold: they, and the numbers of their calls, are kept
    prev        text NOT NULL,
    hash        text NOT NULL
);
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON erasure_certificate
    EXECUTE FUNCTION only_added_to();

CREATE INDEX call_by_caller ON call (caller, began) WHERE caller IS NOT NULL;
CREATE INDEX message_by_caller ON message (caller) WHERE caller IS NOT NULL;
CREATE INDEX audio_of_call ON audio (call_id);

-- PostgreSQL's statistics hold values of columns: none of these.
ALTER TABLE call ALTER COLUMN caller SET STATISTICS 0;
ALTER TABLE message ALTER COLUMN caller SET STATISTICS 0;
ALTER TABLE dead_letter ALTER COLUMN entries SET STATISTICS 0;

-- What a deleted row version leaves in a page goes only with the file. CLUSTER writes a new one, as VACUUM FULL does, and
-- may run in a function: so the worker, which does not own the tables, may rewrite these and no others.
CREATE FUNCTION rewrite_callers(which text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = '2s' AS $$
BEGIN
    CASE which
        WHEN 'call' THEN CLUSTER public.call USING call_pkey;
        WHEN 'message' THEN CLUSTER public.message USING message_pkey;
        WHEN 'dead_letter' THEN CLUSTER public.dead_letter USING set_aside_pkey;
        ELSE RAISE EXCEPTION '% has no callers', which;
    END CASE;
END $$;
REVOKE ALL ON FUNCTION rewrite_callers(text) FROM PUBLIC;
