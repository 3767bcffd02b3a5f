"""Backups: every record, and the keys of audio that must live; never a key of what was destroyed.

    file          every table except keys; each key, wrapped by the master key and the backup's own key
    object store  backup/BACKUP_ID/key, the backup's own key; backup/BACKUP_ID/..., what was destroyed since

An old file opens nothing: its own key is deleted when newer backups are complete. A restore applies what was
destroyed since, and only then loads keys (docs/decisions/024-backup.md).
"""
