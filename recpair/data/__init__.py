"""Reading, filtering and splitting of data into train, valid and test over one vocabulary."""

from recpair.data.events import SOURCES
from recpair.data.splitting import SPLITS

__all__ = ["SOURCES", "SPLITS"]
