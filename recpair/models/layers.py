"""torch layers with torch's initialisation, drawn from the run's generator instead of the process-wide one."""

import math

from torch import nn

from recpair.seeds import generator


class Embedding(nn.Embedding):
    """``nn.Embedding``: N(0, 1)."""

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, generator=generator())


class Linear(nn.Linear):
    """``nn.Linear``: weights and bias U(−1/√n, 1/√n) with n inputs."""

    def reset_parameters(self) -> None:
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5), generator=generator())
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features)
            nn.init.uniform_(self.bias, -bound, bound, generator=generator())


class GRU(nn.GRU):
    """``nn.GRU``: all weights U(−1/√n, 1/√n) with n hidden units; its dropout accepts no generator and is refused."""

    def reset_parameters(self) -> None:
        assert self.dropout == 0, "torch draws the dropout between layers from its process-wide generator"
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            nn.init.uniform_(weight, -bound, bound, generator=generator())
