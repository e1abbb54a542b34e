"""Contrastive terms: InfoNCE between views of histories or items."""
