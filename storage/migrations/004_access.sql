-- Who had what to do with a recording: a line for each that was fetched, destroyed, held or released by command.
-- Written in the transaction of what it tells of; of a fetch, before the sound is given out. Only ever added to.

CREATE TABLE access (
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    audio_id text NOT NULL,                     -- stays when the recording is gone
    what     text NOT NULL CHECK (what IN ('fetch', 'destroy', 'hold', 'release')),
    operator text NOT NULL,                     -- who logged in, and as whom he did it: alice as root
    host     text NOT NULL,                     -- where the command ran
    at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX access_by_audio ON access (audio_id);

CREATE FUNCTION only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is only added to', TG_TABLE_NAME;
END $$;
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON access EXECUTE FUNCTION only_added_to();
