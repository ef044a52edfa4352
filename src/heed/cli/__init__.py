"""The command line: turn a config into plain arguments, call a function of the library, print its result."""
