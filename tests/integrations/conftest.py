"""What the tests of the bridge share."""

from collections.abc import Callable

import pytest
import torch
from safetensors.torch import load_file

import recpair


@pytest.fixture
def resumes_exactly(tmp_path) -> Callable[..., None]:
    """Asserts that four epochs leave the checkpoint of two, and two more after ``--resume``."""

    def check(config, data):
        whole = recpair.fit(config, ["train.epochs=4"], data=data)
        part = config | {"output": str(tmp_path / "part")}
        recpair.fit(part, ["train.epochs=2"], data=data)
        resumed = recpair.fit(part, ["train.epochs=4"], data=data, resume=True)
        ours, theirs = (load_file(run.folder / "checkpoint" / "last.safetensors") for run in (whole, resumed))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)

    return check
