"""Mining: which of several candidate negatives a query trains against."""

from recpair.mining.contract import Miner
from recpair.mining.dns import DNS

MINERS: dict[str, type[DNS]] = {
    "dns": DNS,
}

__all__ = ["MINERS", "Miner"]
