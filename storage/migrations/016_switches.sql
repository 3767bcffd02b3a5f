-- The switches that operators had put on for the number or its owner when the call came in (`callengine switch`). NULL: none.

ALTER TABLE call ADD COLUMN switches text[];
