"""RecBole 1.2.1: general and sequential models with recpair's training loop, data and evaluation."""
