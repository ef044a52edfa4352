"""Ctrl-C and SIGTERM: the one place that sets signal handlers."""
