"""The API for owners' programs, /api/v1: what the pages show, as JSON, by tokens."""
