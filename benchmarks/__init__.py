"""How fast it is, beside others: each module is a command that prints a table (docs/performance.md)."""
