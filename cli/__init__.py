"""The console command `callengine`: `commands/` holds one file per sub-command."""
