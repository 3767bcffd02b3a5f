-- What the route of the call knew when the call came in. `switches`: those that operators had put on for the number or its owner
-- (`callengine switch`). `unreachable`: destinations of the route that were left out because they could not be reached
-- several times in a row. NULL: none.

ALTER TABLE call ADD COLUMN switches text[];
ALTER TABLE call ADD COLUMN unreachable text[];
