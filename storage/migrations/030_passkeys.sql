-- Passkeys of owners: public keys with which a person logs in to the portal instead of by a mailed link.
CREATE TABLE passkey (
    passkey_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner         text NOT NULL,
    address       text NOT NULL,              -- with which the person had logged in; the passkey counts as long as it does
    credential_id bytea NOT NULL UNIQUE,
    public_key    bytea NOT NULL,             -- COSE
    user_handle   bytea NOT NULL,             -- random: what the device stores instead of a name
    sign_count    bigint NOT NULL,
    name          text NOT NULL,              -- as the person has named it
    created_at    timestamptz NOT NULL DEFAULT now(),
    used_at       timestamptz
);
CREATE INDEX passkey_of_owner ON passkey (owner, created_at);
ALTER TABLE passkey ENABLE ROW LEVEL SECURITY;
CREATE POLICY by_grants ON passkey USING (true);

-- Whose a passkey is, before anybody is logged in: nothing else of a row can be read without its owner.
CREATE FUNCTION owner_of_passkey(credential bytea) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
RETURN (SELECT owner FROM public.passkey WHERE credential_id = credential);
REVOKE ALL ON FUNCTION owner_of_passkey(bytea) FROM PUBLIC;

-- What a device has to sign: once, within some minutes, in the browser that asked. Kept for a day, for counting.
CREATE TABLE passkey_challenge (
    challenge    bytea PRIMARY KEY,
    browser_hash bytea NOT NULL,              -- SHA-256 of a cookie
    source_hash  bytea NOT NULL,              -- keyed, of the network that asked
    owner        text NOT NULL,               -- who adds a passkey; '': a login
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);
CREATE INDEX passkey_challenge_by_browser ON passkey_challenge (browser_hash) WHERE used_at IS NULL;
CREATE INDEX passkey_challenge_by_source ON passkey_challenge (source_hash, created_at);
CREATE INDEX passkey_challenge_by_creation ON passkey_challenge (created_at);

-- The sessions that a passkey has begun end when it is removed.
ALTER TABLE portal_session ADD COLUMN passkey_id bigint;

ALTER TABLE owner_notice DROP CONSTRAINT owner_notice_what_check;
ALTER TABLE owner_notice ADD CONSTRAINT owner_notice_what_check
    CHECK (what IN ('added', 'removed', 'passkey_added', 'passkey_removed'));
