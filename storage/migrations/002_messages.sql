-- Voicemail and its way to the owner. A row is a promise: written before the act, settled last.
-- Instants of calls are Asterisk's clock; deadlines and leases are read by now(), the database's one clock.

-- The life of a sound's bytes: a message now, a recorded conversation later. What it says is in no table.
CREATE TABLE audio (
    audio_id      text PRIMARY KEY,      -- ours: <call_id>-vm1
    kind          text NOT NULL CHECK (kind IN ('message', 'recording')),
    call_id       uuid NOT NULL,
    owner         text NOT NULL,
    node          text NOT NULL,         -- whose spool holds it until it is stored
    state         text NOT NULL DEFAULT 'recorded'
                  CHECK (state IN ('recorded', 'stored', 'shredded', 'destroyed', 'absent')),
    why           text,                  -- there is nothing in it: too_short, silent, empty, no_file, orphan
    began         timestamptz NOT NULL,  -- the first sample
    ended         timestamptz,           -- NULL: nobody saw it end
    how           text,                  -- it ended: hangup, key, silence, limit, failed
    seconds       numeric(12, 3),        -- measured on the file
    bytes         bigint,
    sha256        text,                  -- of the sealed WAV
    cipher_sha256 text,                  -- of what lies in the object store
    destroy_after timestamptz,
    reason        text,                  -- for which it is destroyed then: that of its tombstone
    hold          text,                  -- legal hold: beats destroy_after
    lease_until   timestamptz,
    leased_by     text,                  -- node
    attempts      integer NOT NULL DEFAULT 0,
    next_at       timestamptz NOT NULL DEFAULT now(),
    noted_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audio_to_seal ON audio (next_at) WHERE state = 'recorded';
CREATE INDEX audio_to_shred ON audio (destroy_after) WHERE state IN ('stored', 'absent') AND hold IS NULL;
CREATE INDEX audio_to_clear ON audio (next_at) WHERE state = 'shredded';
CREATE INDEX audio_in_being ON audio (state) WHERE state <> 'destroyed';

-- One key a sound, wrapped by the operator's master key. Deleting it is what destroys the sound, wherever copies lie:
-- so this schema is to be left out of every backup that is kept (docs/operating.md).
CREATE SCHEMA keys;
CREATE TABLE keys.audio_key (
    audio_id text PRIMARY KEY,
    wrapped  bytea NOT NULL
);

-- What is to be mailed about a call: its message, or that there was none.
CREATE TABLE message (
    message_id text PRIMARY KEY,         -- <call_id>-vm1, the audio's id, or <call_id>-missed
    kind       text NOT NULL CHECK (kind IN ('voicemail', 'missed')),
    call_id    uuid NOT NULL,
    owner      text NOT NULL,
    number     text NOT NULL,
    caller     text,
    withheld   boolean NOT NULL,
    began      timestamptz NOT NULL,     -- the call came in
    outcome    text NOT NULL,            -- of the call
    deliver    jsonb NOT NULL,           -- as agreed when the call came in: dialplan.delivery.Delivery
    state      text NOT NULL DEFAULT 'recorded'
               CHECK (state IN ('recorded', 'waiting', 'accepted', 'bounced', 'undeliverable', 'destroyed', 'absent')),
    why        text,
    or_missed  boolean NOT NULL DEFAULT false,   -- if nothing was said: a missed-call mail instead
    noted_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT no_number_of_a_withheld_caller CHECK (NOT withheld OR caller IS NULL)
);
CREATE INDEX message_by_began ON message (began, message_id);
CREATE INDEX message_by_call ON message (call_id);

-- One promise to one recipient. All recipients of a message get the same bytes under the same Message-ID.
CREATE TABLE outbox (
    message_id  text NOT NULL REFERENCES message ON DELETE CASCADE,
    recipient   text NOT NULL,
    turn        integer NOT NULL DEFAULT 1,    -- 2: the address for when the first ones fail
    domain      text NOT NULL,
    dated       timestamptz NOT NULL,          -- the mail's Date: stored, so that a repeat is byte-identical
    first_at    timestamptz NOT NULL DEFAULT now(),
    next_at     timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz,
    leased_by   text,                          -- node
    attempts    integer NOT NULL DEFAULT 0,
    accepted_at timestamptz,
    final       boolean,                       -- accepted by the owner's own server: no bounce can follow
    refused_at  timestamptz,                   -- for good
    bounced_at  timestamptz,                   -- after acceptance, by a failure report
    reply       text,                          -- the server's last words
    tls         text,                          -- none | unverified TLSv1.3 | verified TLSv1.3
    PRIMARY KEY (message_id, recipient)
);
CREATE INDEX outbox_due ON outbox (next_at) WHERE accepted_at IS NULL AND refused_at IS NULL;

-- Every attempt, for `callengine messages`.
CREATE TABLE attempt (
    message_id text NOT NULL,
    recipient  text NOT NULL,
    n          integer NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    server     text,
    result     text NOT NULL,                  -- accepted | later | refused | unbuildable
    reply      text,
    tls        text,
    PRIMARY KEY (message_id, recipient, n)
);

-- A domain that has once spoken TLS is never spoken to in plain again.
CREATE TABLE tls_seen (
    domain   text PRIMARY KEY,
    last     text NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT now()
);

-- The proof of every destruction: a hash chain, so that no line can be changed or taken out unseen.
CREATE TABLE tombstone (
    seq           bigint PRIMARY KEY,
    audio_id      text NOT NULL UNIQUE,
    kind          text NOT NULL,
    owner         text NOT NULL,
    began         timestamptz NOT NULL,
    destroy_after timestamptz,
    destroyed_at  timestamptz NOT NULL,
    reason        text NOT NULL,               -- delivered | deadline | owner | operator | absent | orphan
    method        text NOT NULL,               -- key+object | file
    versions      integer NOT NULL,            -- object versions removed, as far as one attempt saw
    cipher_sha256 text,
    prev          text NOT NULL,
    hash          text NOT NULL
);
