"""The journal: what happened to a call, durable before its effect, on this host's own disk.

`segment` is the file format; `writer` is what a call speaks to and `scribe` the thread behind it that
writes and syncs in groups; `reader` is how entries are read back, `recovery` what the engine reads at
start, `follower` how the worker reads along while the engine writes.
"""
