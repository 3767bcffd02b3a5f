"""The benchmark, `make bench`: engine and plain dialplan in turn, same Asterisk, same load."""
