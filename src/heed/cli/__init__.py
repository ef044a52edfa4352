"""The command line: a config becomes plain arguments, a function of the library is called, its result is printed."""
