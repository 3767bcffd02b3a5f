-- Call records of one number and period for an authority: asked for by one person, handed out by another. Lines are only
-- added. The number is in no line in plain: a keyed hash proves which it was (storage/erased_number.py).

CREATE TABLE disclosure (
    disclosure_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number_hash   text NOT NULL,
    since         timestamptz NOT NULL,
    until         timestamptz NOT NULL CHECK (until > since),
    authority     text NOT NULL,          -- who gets it
    reason        text NOT NULL,
    reference     text NOT NULL,          -- of the order
    confidential  boolean NOT NULL,       -- owners do not see it in their access log
    by_one        text NOT NULL,
    operator      text NOT NULL,          -- as in `access`
    host          text NOT NULL,
    asked_at      timestamptz NOT NULL DEFAULT now()
);

-- The number itself, encrypted, until the export or for a week.
CREATE TABLE disclosure_number (
    disclosure_id bigint PRIMARY KEY REFERENCES disclosure,
    sealed        bytea NOT NULL
);

CREATE TABLE disclosure_export (
    disclosure_id bigint PRIMARY KEY REFERENCES disclosure,
    by_other      text NOT NULL,
    operator      text NOT NULL,
    host          text NOT NULL,
    exported_at   timestamptz NOT NULL DEFAULT now(),
    format        text NOT NULL,
    calls         bigint NOT NULL,
    owners        text[] NOT NULL,        -- whose calls they are
    sha256        text NOT NULL           -- of the file
);
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON disclosure EXECUTE FUNCTION only_added_to();
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON disclosure_export
    EXECUTE FUNCTION only_added_to();

-- When the numbers of a call were cut to country and prefix (`anonymise_after` of its owner). NULL: not yet.
ALTER TABLE call ADD COLUMN anonymised_at timestamptz;
CREATE INDEX call_to_anonymise ON call (owner, began) WHERE anonymised_at IS NULL;

-- Tokens of the API, each for one owner. The token is in no table: a keyed hash of it is.
CREATE TABLE api_token (
    token_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner      text NOT NULL,
    name       text NOT NULL,              -- what it is for
    scopes     text[] NOT NULL,
    token_hash bytea NOT NULL UNIQUE,      -- HMAC-SHA-256 by a key derived from the master key
    operator   text NOT NULL,              -- who made it, as in `access`
    host       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,                -- NULL: never
    used_at    timestamptz,                -- to the minute
    revoked_at timestamptz
);
