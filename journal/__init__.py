"""The journal: what happened to a call, durable before its effect, on this host's own disk.

`segment` is the file format. Calls use `writer`; `thread` writes and syncs their entries in
groups. `reader` reads entries back, `recovery` reads what the engine needs at start, and `follower` reads for
the worker while the engine writes.
"""
