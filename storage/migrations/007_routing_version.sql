-- The routing version that a call began under: its digest (SHA-256, hex). NULL: begun before versions were kept, or
-- served by Asterisk alone.

ALTER TABLE call ADD COLUMN routing text;
