-- How far each journal has come into these tables, by the journal's own id (journal/id of the state folder): a folder made
-- anew is another journal, whatever its node is called. Written with the rows, in one transaction.
-- `drained`, which knew nodes only, is read once more for each node, and stays for a worker of before.

CREATE TABLE journal (
    journal    text PRIMARY KEY,
    node       text NOT NULL,
    segment    text NOT NULL,
    byte       bigint NOT NULL,
    head       text NOT NULL,    -- how that segment begins: one of the same name may be another one
    drained_at timestamptz NOT NULL DEFAULT now()
);
