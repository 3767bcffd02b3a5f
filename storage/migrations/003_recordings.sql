-- Recorded conversations, and what is stronger than their deadline. Their sound is a row of `audio`, as a message's is.

-- A sound that is not stored yet is destroyed on time too: the worker of its node removes the plain files.
DROP INDEX audio_to_shred;
CREATE INDEX audio_to_shred ON audio (destroy_after) WHERE state IN ('recorded', 'stored', 'absent') AND hold IS NULL;
CREATE INDEX audio_of_owner ON audio (owner) WHERE kind = 'recording' AND state IN ('recorded', 'stored');
ALTER TABLE audio ADD CONSTRAINT a_recording_has_an_end CHECK (kind <> 'recording' OR destroy_after IS NOT NULL);

CREATE TABLE recording (
    audio_id     text PRIMARY KEY REFERENCES audio,  -- <call_id>-rec1
    format       text NOT NULL CHECK (format IN ('wav', 'flac', 'mp3', 'opus')),
    ended        timestamptz NOT NULL,               -- the call: its retention begins here
    keep_seconds bigint NOT NULL CHECK (keep_seconds > 0),  -- as the owner had it when the recording began
    evidence     jsonb NOT NULL,                     -- announcement and answer, pauses, who stopped it
    short_by     numeric(12, 3),                     -- seconds missing, measured when sealed, as all below
    one_way      text CHECK (one_way IN ('caller', 'destination')),  -- only this one is heard
    silent       boolean,                            -- neither is
    clipping     boolean                             -- one of them is too loud for the line
);

-- A legal hold keeps a sound beyond its deadline. Who had it kept and let go stays known; one at a time.
CREATE TABLE legal_hold (
    audio_id    text NOT NULL REFERENCES audio,
    held_at     timestamptz NOT NULL DEFAULT now(),
    reason      text NOT NULL,
    reference   text NOT NULL,
    by_one      text NOT NULL,
    by_other    text NOT NULL CHECK (by_other <> by_one),
    review_on   date NOT NULL,
    released_at timestamptz,
    released_by text,
    PRIMARY KEY (audio_id, held_at)
);
CREATE UNIQUE INDEX one_hold_at_a_time ON legal_hold (audio_id) WHERE released_at IS NULL;

-- The retention of every owner as this node last saw it: what is shortened counts for what exists already.
CREATE TABLE retention (
    node         text NOT NULL,
    owner        text NOT NULL,
    keep_seconds bigint NOT NULL,
    shortened_at timestamptz,        -- NULL: it was not, or was lengthened since
    PRIMARY KEY (node, owner)
);
