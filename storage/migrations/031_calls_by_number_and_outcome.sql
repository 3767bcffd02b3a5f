-- A filter by number and outcome that leaves none of a million calls read every call of the number (storage/owned/calls.py).
CREATE INDEX call_of_owner_by_number_and_outcome ON call (owner, number, outcome, began, call_id) INCLUDE (withheld);
