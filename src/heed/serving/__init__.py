"""Models behind HTTP: requests that arrive together are translated together."""
