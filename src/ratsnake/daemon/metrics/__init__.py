"""Prometheus metrics: what is measured, and the server that is asked."""
