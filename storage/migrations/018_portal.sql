-- The owners' portal: what an owner may see is decided here, by row level security, and not by the portal alone.
--
-- The portal has a database role of its own. Before each query it says for which owner it asks: SET app.owner. Without that,
-- its queries return nothing. The policies that restrict this role are created where its name is known (storage/grants.py);
-- the policy here lets every other role see what its grants allow, as before.

CREATE FUNCTION current_owner() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('app.owner', true), '');

ALTER TABLE access ENABLE ROW LEVEL SECURITY;
ALTER TABLE attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE audio ENABLE ROW LEVEL SECURITY;
ALTER TABLE call ENABLE ROW LEVEL SECURITY;
ALTER TABLE leg ENABLE ROW LEVEL SECURITY;
ALTER TABLE legal_hold ENABLE ROW LEVEL SECURITY;
ALTER TABLE message ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE recording ENABLE ROW LEVEL SECURITY;
ALTER TABLE tombstone ENABLE ROW LEVEL SECURITY;
ALTER TABLE keys.audio_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY by_grants ON access USING (true);
CREATE POLICY by_grants ON attempt USING (true);
CREATE POLICY by_grants ON audio USING (true);
CREATE POLICY by_grants ON call USING (true);
CREATE POLICY by_grants ON leg USING (true);
CREATE POLICY by_grants ON legal_hold USING (true);
CREATE POLICY by_grants ON message USING (true);
CREATE POLICY by_grants ON outbox USING (true);
CREATE POLICY by_grants ON recording USING (true);
CREATE POLICY by_grants ON tombstone USING (true);
CREATE POLICY by_grants ON keys.audio_key USING (true);

-- Pages of an owner's calls, newest first, by each filter; the first one also counts calls without reading the table.
CREATE INDEX call_of_owner ON call (owner, began, call_id) INCLUDE (number, outcome, ring_seconds, withheld);
CREATE INDEX call_of_owner_by_number ON call (owner, number, began, call_id);
CREATE INDEX call_of_owner_by_outcome ON call (owner, outcome, began, call_id);
CREATE INDEX call_of_owner_by_caller ON call (owner, caller, began, call_id) WHERE caller IS NOT NULL;
CREATE INDEX message_of_owner ON message (owner, began, message_id);
CREATE INDEX recording_of_owner ON audio (owner, began, audio_id) WHERE kind = 'recording';

-- Who saw or heard something: an operator, as before; an owner, in the portal; or an authority.
ALTER TABLE access ALTER COLUMN audio_id DROP NOT NULL;            -- NULL: call records, not audio
ALTER TABLE access ADD COLUMN owner text;                          -- whose data it was
ALTER TABLE access ADD COLUMN actor text NOT NULL DEFAULT 'operator'
    CHECK (actor IN ('operator', 'owner', 'authority'));
ALTER TABLE access ADD COLUMN detail text;                         -- what exactly, without any caller's number
ALTER TABLE access DROP CONSTRAINT access_what_check;
ALTER TABLE access ADD CONSTRAINT access_what_check CHECK (what IN (
    'fetch', 'destroy', 'hold', 'release', 'retry',
    'login', 'listen', 'download', 'export', 'change', 'disclose', 'forget', 'anonymise'));
CREATE INDEX access_of_owner ON access (owner, seq);

CREATE FUNCTION whose_audio() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.owner IS NULL THEN
        NEW.owner := coalesce((SELECT owner FROM audio WHERE audio_id = NEW.audio_id),
                              (SELECT owner FROM message WHERE message_id = NEW.audio_id));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER whose_audio BEFORE INSERT ON access FOR EACH ROW EXECUTE FUNCTION whose_audio();

ALTER TABLE access DISABLE TRIGGER only_added_to;
UPDATE access SET owner = coalesce((SELECT owner FROM audio WHERE audio.audio_id = access.audio_id),
                                   (SELECT owner FROM message WHERE message_id = access.audio_id));
ALTER TABLE access ENABLE TRIGGER only_added_to;

-- Links that were mailed for a login. The link itself is in no table: its SHA-256 is. A row for each request, also of an
-- address that no owner has, so that both cost the same and count the same.
CREATE TABLE portal_login (
    link_hash    bytea PRIMARY KEY,
    browser_hash bytea NOT NULL,              -- of the cookie of the browser that asked: only that one may use it
    address_hash bytea NOT NULL,              -- keyed, of the address: for counting
    source_hash  bytea NOT NULL,              -- keyed, of the network address that asked: for counting
    owners       text[] NOT NULL,             -- that have this address; empty: nothing was mailed
    address      text,                        -- NULL: no owner has it
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);
CREATE INDEX portal_login_by_address ON portal_login (address_hash, created_at);
CREATE INDEX portal_login_by_source ON portal_login (source_hash, created_at);
CREATE INDEX portal_login_by_creation ON portal_login (created_at);

CREATE TABLE portal_session (
    session_hash bytea PRIMARY KEY,           -- SHA-256 of the cookie
    owner        text NOT NULL,
    address      text NOT NULL,               -- with which the person logged in
    created_at   timestamptz NOT NULL DEFAULT now(),
    seen_at      timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz                  -- logged out, or revoked
);
CREATE INDEX portal_session_of_owner ON portal_session (owner) WHERE ended_at IS NULL;

-- Owners that may not log in.
CREATE TABLE portal_lock (
    owner     text PRIMARY KEY,
    reason    text NOT NULL,
    locked_by text NOT NULL,
    locked_at timestamptz NOT NULL DEFAULT now()
);
