-- A page of calls is chosen in an index alone, also where a filter leaves few of a million (storage/owned/calls.py). The index by
-- number has what else may be filtered; it replaces call_of_owner_by_number, which the previous code does not name.
CREATE INDEX call_of_owner_and_number ON call (owner, number, began, call_id) INCLUDE (outcome, withheld);
DROP INDEX call_of_owner_by_number;
