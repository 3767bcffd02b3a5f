-- What owners have changed of their own settings, in the portal: over the operator's file, which stays the ground.
CREATE TABLE owner_change (
    owner      text NOT NULL,
    setting    text NOT NULL CHECK (setting IN (
        'name', 'language', 'mail', 'mail_then', 'audio', 'recordings', 'missed_calls', 'keep_recordings')),
    value      jsonb NOT NULL,                -- as the file would have it; null: the setting is removed
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL,                 -- the address with which the person logged in
    PRIMARY KEY (owner, setting)
);

-- New addresses that have not been confirmed yet. The link itself is in no table: its SHA-256 is.
CREATE TABLE owner_address (
    link_hash  bytea PRIMARY KEY,
    owner      text NOT NULL,
    address    text NOT NULL,
    setting    text NOT NULL CHECK (setting IN ('mail', 'mail_then')),
    asked_by   text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX owner_address_of_owner ON owner_address (owner, created_at);

-- Mails that tell an owner's other addresses that an address was added or removed. A row is deleted once its mail is accepted.
CREATE TABLE owner_notice (
    notice_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner       text NOT NULL,
    recipient   text NOT NULL,
    what        text NOT NULL CHECK (what IN ('added', 'removed')),
    address     text NOT NULL,                -- that was added or removed
    language    text NOT NULL,
    require_tls boolean NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    next_at     timestamptz NOT NULL DEFAULT now(),
    attempts    integer NOT NULL DEFAULT 0
);
CREATE INDEX owner_notice_due ON owner_notice (next_at);
ALTER TABLE owner_change ENABLE ROW LEVEL SECURITY;
ALTER TABLE owner_address ENABLE ROW LEVEL SECURITY;
ALTER TABLE owner_notice ENABLE ROW LEVEL SECURITY;
CREATE POLICY by_grants ON owner_change USING (true);
CREATE POLICY by_grants ON owner_address USING (true);
CREATE POLICY by_grants ON owner_notice USING (true);

-- Switches that owners put on and off in the portal: the worker of each node adds them to that node's file of switches.
CREATE TABLE owner_switch (
    switch_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner     text NOT NULL,
    number    text NOT NULL,                 -- a service number of the owner
    name      text NOT NULL,
    until     timestamptz,                   -- when it goes off by itself; NULL: it was put off
    put_by    text NOT NULL,                 -- the address with which the person logged in
    reason    text NOT NULL,
    put_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX owner_switch_of_owner ON owner_switch (owner, put_at);
CREATE INDEX owner_switch_by_time ON owner_switch (put_at);
ALTER TABLE owner_switch ENABLE ROW LEVEL SECURITY;
CREATE POLICY by_grants ON owner_switch USING (true);
