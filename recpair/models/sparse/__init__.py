"""Sparse matrices of users and items: item–item weights, the interaction graph and its singular vectors."""
