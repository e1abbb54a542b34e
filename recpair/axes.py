"""Names of the axes in all shape annotations of the package.

Annotations are jaxtyping's: ``Float[Tensor, "Q P"]``. The tests check them at run time,
and check that annotations only use the letters defined here.
"""

AXES: dict[str, str] = {
    "Q": "queries of a batch",
    "P": "candidate positives of a query",
    "S": "candidate positives that a denoiser chose",
    "N": "negatives of a query",
    "C": "items scored per query",
    "U": "users",
    "I": "items",
    "D": "vector length",
    "H": "histories of a batch",
    "A": "anchors: the histories of a batch that contrast terms compare",
    "T": "history length",
    "R": "places of the histories that hold an item",
    "G": "pools of queries",
    "M": "queries of a pool",
    "B": "ranked lists of a block, one per user that is evaluated",
    "K": "cut-off of a ranked list; nearest neighbours",
    "E": "events (interactions)",
    "F": "numeric columns of the item table",
    "V": "nodes of the graph: users, then items",
}
