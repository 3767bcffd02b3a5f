"""Parts of every long-running process: event loop, log, signals, metrics, health port."""
