"""`callengine quickstart`: from the installed packages to a first call.

wish.py is what the operator wants, contents.py what is written for it, host.py what is done to PostgreSQL and
systemd, made.py what was made, for --undo, first_call.py and own_call.py the call at the end, setting_up.py
all of it.
"""
