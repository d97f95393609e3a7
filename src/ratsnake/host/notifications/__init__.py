"""Hearing from the kernel that something has changed."""
