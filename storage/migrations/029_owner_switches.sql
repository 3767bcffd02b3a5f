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
