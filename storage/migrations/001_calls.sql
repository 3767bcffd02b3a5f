-- What is left of calls: one row a call, one row an attempt at a destination. Rows come when a call has ended.
-- Instants are Asterisk's clock, UTC. What there is none of is NULL, above all the number of a withheld caller.

CREATE TABLE call (
    call_id      uuid PRIMARY KEY,
    number       text NOT NULL,
    owner        text NOT NULL,
    caller       text,
    withheld     boolean NOT NULL,
    began        timestamptz NOT NULL,
    answered     timestamptz,
    ended        timestamptz NOT NULL,
    ring_seconds numeric(12, 3) NOT NULL,
    talk_seconds numeric(12, 3) NOT NULL,
    delivered_to text,
    outcome      text NOT NULL,
    ended_by     text NOT NULL,
    cause        integer,            -- Q.850
    recording_id text,
    message_id   text,
    node         text NOT NULL,
    rev          bigint NOT NULL,    -- the journal's wall stamp, ns, of the entry that ended the call: grows
    CONSTRAINT no_number_of_a_withheld_caller CHECK (NOT withheld OR caller IS NULL)
);

CREATE INDEX call_by_began ON call (began, call_id);
CREATE INDEX call_by_number ON call (number, began, call_id);

CREATE TABLE leg (
    call_id     uuid NOT NULL REFERENCES call ON DELETE CASCADE,
    place       integer NOT NULL,    -- 1 for the first attempt
    leg_id      text NOT NULL,
    destination text NOT NULL,
    began       timestamptz NOT NULL,
    ringing     timestamptz,
    answered    timestamptz,
    ended       timestamptz,
    outcome     text NOT NULL,
    cause       integer,             -- Q.850
    PRIMARY KEY (call_id, place)
);

-- How far each node's journal has come into these tables. Written with the rows, in one transaction.
CREATE TABLE drained (
    node       text PRIMARY KEY,
    segment    text NOT NULL,
    byte       bigint NOT NULL,
    drained_at timestamptz NOT NULL DEFAULT now()
);

-- Ended calls that the tables above refused: kept for a person to look at, and no reason to hold up the others.
CREATE TABLE set_aside (
    call_id  text NOT NULL,
    rev      bigint NOT NULL,
    node     text NOT NULL,
    why      text NOT NULL,
    entries  text NOT NULL,          -- the journal's entries of the call, a JSON array; text: jsonb refuses \u0000
    put_here timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (call_id, rev)
);
