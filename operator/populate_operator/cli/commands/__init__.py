"""One module for each command: `main(args)` returns the exit code."""
