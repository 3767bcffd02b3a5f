-- A destroyed key is gone from PostgreSQL's files too (docs/decisions/021-keys-that-are-gone.md).
--
--   master key (the operator's, not in here) + epoch key  ->  group keys  ->  data keys, one a sound
--
-- PostgreSQL never overwrites a row: the bytes of a deleted one stay in data files and WAL. What it does overwrite in
-- place is a sequence. So the epoch key, 256 bits, is in four sequences. Every other key is encrypted under it, and the
-- worker replaces it when keys were destroyed (storage/rotation.py). There are two places for it, for even and for odd
-- epochs: the new one is complete before the old one is overwritten.
--
-- Runs with the code of before, which adds keys without a group: those are moved into one.

CREATE SEQUENCE keys.even_1 MINVALUE -9223372036854775808 START 0;
CREATE SEQUENCE keys.even_2 MINVALUE -9223372036854775808 START 0;
CREATE SEQUENCE keys.even_3 MINVALUE -9223372036854775808 START 0;
CREATE SEQUENCE keys.even_4 MINVALUE -9223372036854775808 START 0;
CREATE SEQUENCE keys.odd_1 MINVALUE -9223372036854775808 START 0;
CREATE SEQUENCE keys.odd_2 MINVALUE -9223372036854775808 START 0;
CREATE SEQUENCE keys.odd_3 MINVALUE -9223372036854775808 START 0;
CREATE SEQUENCE keys.odd_4 MINVALUE -9223372036854775808 START 0;

-- One row, but for the transaction of a rotation. An epoch cannot be deleted while a group key refers to it.
CREATE TABLE keys.epoch (
    epoch    bigint PRIMARY KEY,
    began_at timestamptz NOT NULL DEFAULT now(),
    wal      pg_lsn NOT NULL,        -- its key was written to WAL before this place
    cleared  pg_lsn                  -- the key before it was overwritten before this place; NULL: it has not been
);
CREATE UNIQUE INDEX one_epoch_a_place ON keys.epoch ((epoch % 2));

-- A group key encrypts some hundred data keys: so only the groups of which keys were destroyed are encrypted anew.
CREATE TABLE keys.group_key (
    group_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch    bigint NOT NULL REFERENCES keys.epoch,
    wrapped  bytea NOT NULL          -- by master key and epoch key
);

ALTER TABLE keys.audio_key ADD COLUMN group_id bigint REFERENCES keys.group_key;  -- NULL: wrapped by a master key alone
CREATE INDEX audio_key_of_group ON keys.audio_key (group_id);

-- What can still be read in the files: a row for each destroyed key, until the key of its epoch is overwritten.
CREATE TABLE keys.residue (
    group_id  bigint,
    master_id bytea,                 -- a key without a group: whoever has this master key can read it
    since     timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION keys.note_residue() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO keys.residue (group_id, master_id)
    VALUES (OLD.group_id, CASE WHEN OLD.group_id IS NULL THEN substring(OLD.wrapped FROM 1 FOR 4) END);
    RETURN NULL;
END $$;
CREATE TRIGGER note_residue AFTER DELETE ON keys.audio_key FOR EACH ROW EXECUTE FUNCTION keys.note_residue();

CREATE FUNCTION keys.epoch_key(of bigint) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF of % 2 = 0 THEN
        RETURN ARRAY[(SELECT last_value FROM keys.even_1), (SELECT last_value FROM keys.even_2),
                     (SELECT last_value FROM keys.even_3), (SELECT last_value FROM keys.even_4)];
    END IF;
    RETURN ARRAY[(SELECT last_value FROM keys.odd_1), (SELECT last_value FROM keys.odd_2),
                 (SELECT last_value FROM keys.odd_3), (SELECT last_value FROM keys.odd_4)];
END $$;

-- Whatever the worker does wrong, the key of a live epoch is not overwritten: losing it is losing every sound. Needs the
-- lock that both callers hold, since setval() is not undone by a rollback and is seen by others at once.
CREATE FUNCTION keys.overwrite(of bigint, key bytea) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    place text := CASE of % 2 WHEN 0 THEN 'keys.even_' ELSE 'keys.odd_' END;
BEGIN
    IF EXISTS (SELECT FROM keys.epoch WHERE epoch % 2 = of % 2) THEN
        RAISE EXCEPTION 'epoch % is live: its key is not overwritten', of;
    END IF;
    FOR part IN 1..4 LOOP
        PERFORM setval((place || part)::regclass,
                       ('x' || encode(substring(key FROM 8 * part - 7 FOR 8), 'hex'))::bit(64)::bigint);
    END LOOP;
END $$;

-- Begin the epoch after that one (0: the first); NULL when somebody else has. Its key is made here, so that it is in no
-- statement's parameters, which PostgreSQL may log.
CREATE FUNCTION keys.begin_epoch(after bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    LOCK TABLE keys.epoch IN SHARE ROW EXCLUSIVE MODE;
    IF coalesce((SELECT max(epoch) FROM keys.epoch), 0) <> after THEN
        RETURN NULL;
    END IF;
    PERFORM keys.overwrite(after + 1, sha256(
        uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));
    INSERT INTO keys.epoch (epoch, wal) VALUES (after + 1, pg_current_wal_insert_lsn());
    RETURN after + 1;
END $$;

-- Overwrite the key of the epoch before the present one.
CREATE FUNCTION keys.end_epoch(of bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    LOCK TABLE keys.epoch IN SHARE ROW EXCLUSIVE MODE;
    PERFORM keys.overwrite(of, decode(repeat('00', 32), 'hex'));
    UPDATE keys.epoch SET cleared = pg_current_wal_insert_lsn() WHERE epoch = of + 1;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA keys FROM PUBLIC;

-- Tombstones are a proof, as accesses are: lines are only added.
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON tombstone EXECUTE FUNCTION only_added_to();
