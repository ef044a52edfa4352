"""Serve models over HTTP; requests that arrive together are translated in one batch."""
