-- What was chosen on the call's route, in order: keys that the caller pressed in menus, and counts of calls where a step
-- shares calls among branches. NULL: nothing was chosen.

ALTER TABLE call ADD COLUMN choices text[];
