"""Mining of hard negatives among several candidates per query."""

from recpair.mining.contract import Miner
from recpair.mining.dns import DNS

MINERS: dict[str, type[DNS]] = {
    "dns": DNS,
}

__all__ = ["MINERS", "Miner"]
