"""RecBole 1.2.1: its general and sequential models in recpair's loop, on recpair's data, under recpair's evaluation."""
