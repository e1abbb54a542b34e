"""Contrast terms: InfoNCE of views of histories or items."""
