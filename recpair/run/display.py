"""HTML table of a run, displayed by notebooks instead of its repr."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

CELL = "text-align:left;vertical-align:top;padding:0.1em 1em 0.1em 0"
NUMBER = "text-align:right;font-variant-numeric:tabular-nums;padding:0.1em 1em 0.1em 0"
LONGEST = 300  # characters of a text


def run_html(folder: Path, config: Mapping[str, Any], metrics: Mapping[str, Any], by_loss: bool) -> str:
    """HTML with model, data, folder, test metrics beside those of the most popular items, and notes; all text is escaped.

    Args:
        folder: the run folder.
        config: the effective config, by section.
        metrics: the content of ``metrics.json``.
        by_loss: whether the model was trained by the config's loss.
    """
    data = metrics["data"]
    rows = [
        ("model", _model(config, by_loss)),
        ("data", ", ".join([str(data.get("name", "")), *_sizes(data.get("sizes"))])),
        ("epochs", _epochs(metrics)),
        ("folder", str(folder)),
        *(("note", note) for note in data.get("notes") or []),
        *(("warning", warning) for warning in metrics.get("warnings") or []),
    ]
    facts = "".join(
        f'<tr><th style="{CELL}">{_text(name)}</th><td style="{CELL}">{_text(value)}</td></tr>' for name, value in rows
    )
    return f"<div><table>{facts}</table>{_metric_table(metrics)}</div>"


def _metric_table(metrics: Mapping[str, Any]) -> str:
    """Test metrics of the model and of the most popular items; empty for a run without a test part."""
    test, popular = metrics["test"], metrics["popularity"]
    if not test:
        return ""
    head = f'<tr><th style="{CELL}">test metric</th>' + "".join(
        f'<th style="{NUMBER}">{title}</th>' for title in ("this model", "most popular")
    )
    rows = "".join(
        f'<tr><td style="{CELL}">{_text(name)}</td><td style="{NUMBER}">{_number(value)}</td>'
        f'<td style="{NUMBER}">{_number(popular.get(name))}</td></tr>'
        for name, value in test.items()
    )
    return f"<table><thead>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _model(config: Mapping[str, Any], by_loss: bool) -> str:
    """Names of the components: ``mf · bpr · pld``."""
    terms = config.get("terms", config.get("contrast"))
    terms = terms if isinstance(terms, list) else []
    sections = [config.get("model"), *([config.get("loss"), config.get("denoise")] if by_loss else [])]
    names = [section.get("name") for section in [*sections, *terms] if isinstance(section, Mapping)]
    return " · ".join(map(str, names))


def _sizes(sizes: Any) -> list[str]:
    """Non-zero sizes, as in ``943 users``."""
    named = sizes.items() if isinstance(sizes, Mapping) else ()
    return [f"{size:,} {name.replace('_', ' ')}" for name, size in named if isinstance(size, int) and size]


def _epochs(metrics: Mapping[str, Any]) -> str:
    epochs, best = metrics["epochs"], metrics["best_epoch"]
    return f"{epochs}, the best is {best}" if epochs else "fitted without epochs"


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else "–"


def _text(value: Any) -> str:
    text = str(value)
    return escape(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")
