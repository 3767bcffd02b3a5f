"""What every long-running process has: event loop, log, signals, metrics, health port."""
