"""The journal: what happened to a call, durable before its effect, on this host's own disk.

`segment` is the file format. Calls use `writer`; `scribe` is the thread behind it, which writes and syncs in
groups. `reader` reads entries back, `recovery` reads what the engine needs at start, and `follower` reads for
the worker while the engine writes.
"""
