"""Serving: what a finished run can be asked."""
