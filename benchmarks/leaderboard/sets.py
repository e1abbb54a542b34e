"""Data sets of the leaderboard: split, evaluation, and the settings of the final runs."""

from typing import Any

SETS: dict[str, dict[str, Any]] = {
    "ml-100k": {
        "data": {"source": "ml-100k"},
        "split": "ratio",
        "evaluate": {"metrics": ["recall", "ndcg"], "cutoffs": [10], "monitor": "ndcg@10"},
    },
    "gowalla": {  # the published split; the final models train on the validation events too
        "data": {"source": "gowalla"},
        "split": {"name": "predefined", "valid_fraction": 0.05},
        "evaluate": {"metrics": ["recall", "ndcg"], "cutoffs": [20], "monitor": "recall@20"},
    },
    "amazon-beauty": {  # leave one out, seen items masked
        "data": {"source": "amazon-beauty"},
        "split": "leave_last",
        "evaluate": {"metrics": ["recall", "ndcg"], "cutoffs": [10], "monitor": "ndcg@10", "mask_seen": True},
    },
}
FINAL: dict[str, list[str]] = {"gowalla": ["evaluate.monitor=null"]}  # overrides of the final runs
TIMED = ("ml-100k", "amazon-beauty")  # sets with event times, which sequence models need
TEXTS = {"amazon-beauty": {"name": "tfidf", "template": "{title}. {categories}. {brand}", "min_df": 2}}
TEXTS |= {"ml-100k": {"name": "tfidf", "template": "{title}. {genres}", "min_df": 2}}
