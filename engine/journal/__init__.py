"""The journal: what happened to a call, durable before its effect, on this host's own disk.

`engine.journal.segment` is the file format, `engine.journal.writer` the group commit, `engine.journal.reader` what
the engine reads at start and the drainer reads all the time.
"""
