"""Encoders, which compute vectors of item texts or read existing vectors."""

from collections.abc import Callable

from recpair.semantics.encoders.contract import CorpusEncoder, Encoder, normalised
from recpair.semantics.encoders.embeddings_endpoint import EmbeddingsEndpoint
from recpair.semantics.encoders.sentence_transformer import SentenceTransformer
from recpair.semantics.encoders.tfidf import Tfidf
from recpair.semantics.encoders.vector_file import VectorFile
from recpair.semantics.encoders.word_llama import WordLlama

ENCODERS: dict[str, Callable[..., Encoder | VectorFile]] = {
    "file": VectorFile,
    "openai": EmbeddingsEndpoint,
    "sentence_transformers": SentenceTransformer,
    "tfidf": Tfidf,
    "wordllama": WordLlama,
}

__all__ = ["ENCODERS", "CorpusEncoder", "Encoder", "VectorFile", "normalised"]
