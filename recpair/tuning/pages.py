"""Pages of a study: Markdown, HTML and LaTeX."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import polars as pl

from recpair import files
from recpair.markdown import escaped
from recpair.tuning.duration import in_words
from recpair.tuning.report import markdown

COLUMNS = {
    "noise": "noise",
    "method": "method",
    "validation": "validation",
    "test": "test",
    "seed_sd": "sd over seeds",
    "difference": "difference",
    "interval": "95 % interval",
    "relative": "relative",
    "t_test_holm": "p (t-test)",
    "wilcoxon_holm": "p (Wilcoxon)",
    "epoch_s": "s per epoch",
    "search_s": "s of search",
}
TITLES = {
    "differences": "Difference from the baseline",
    "by_noise": "By noise level",
    "by_activity": "By activity of the user",
    "by_popularity": "By popularity of the test items",
}
STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --soft: #52606d; --line: #d9e0e7; --page: #fff; --mark: #eef4fb; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --soft: #9aa5b1; --line: #3a4450; --page: #161b22; --mark: #1e2a38; }
  img { background: #fff; border-radius: 6px; }
}
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 68rem;
  margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p.sub, figcaption, .note { color: var(--soft); }
ul.verdict { background: var(--mark); border-radius: 8px; padding: 1rem 1rem 1rem 2.2rem; font-size: 1.05rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; } tr.base td { color: var(--soft); } tr.sure td { font-weight: 600; }
figure { margin: 1.2rem 0; } img { max-width: 100%; height: auto; }
code { font-size: .85em; overflow-wrap: anywhere; white-space: normal; }
"""


def write_pages(
    folder: Path,
    data: str,
    metric: str,
    said: Sequence[str],
    results: pl.DataFrame,
    groups: pl.DataFrame,
    figures: Mapping[str, str],
    record: Mapping[str, Any],
) -> None:
    """Write ``report.md``, ``report.html`` (with the plots inside) and ``results.tex``."""
    title = f"Which method helps on {data}?"
    protocol = _protocol(metric, results, record)
    rows = table_rows(results)
    head = list(rows[0])
    settings = _settings(results)
    lines = [f"# {escaped(title)}", "", *(f"- {escaped(sentence)}" for sentence in said), "", escaped(protocol), ""]
    lines += [*markdown(head, [list(row.values()) for row in rows]), "", "Methods:", ""]
    methods = [(name, text) for name, text in record["methods"].items()]
    lines += [
        *(f"- {escaped(name)}: {escaped(text)}" for name, text in methods),
        "",
        "Best settings of each method:",
        "",
    ]
    lines += [*(f"- {escaped(name)}: `{values}`" for name, values in settings), ""]
    for name, path in figures.items():
        lines += [f"![{TITLES[name]}]({path})", ""]
    files.write_text(folder / "report.md", "\n".join(lines))
    page = _html(
        folder, title, protocol, said, rows, results, [("Methods", methods), ("Best settings", settings)], figures
    )
    files.write_text(folder / "report.html", page)
    files.write_text(folder / "results.tex", _latex(rows, metric))


def table_rows(results: pl.DataFrame) -> list[dict[str, str]]:
    """Return the rows of the table as text, by column title."""
    rows = []
    for row in results.iter_rows(named=True):
        base = row["t_test_holm"] is None
        cells = {
            "noise": f"{row['noise']:g}",
            "method": row["method"],
            "validation": f"{row['validation']:.4f}",
            "test": f"{row['test']:.4f}",
            "seed_sd": "" if row["seed_sd"] is None else f"{row['seed_sd']:.4f}",
            "difference": "" if base else f"{row['difference']:+.4f}",
            "interval": "" if base else f"{row['difference_low']:+.4f} to {row['difference_high']:+.4f}",
            "relative": "" if base else f"{row['relative']:+.1%}",
            "t_test_holm": "" if base else _p(row["t_test_holm"]),
            "wilcoxon_holm": "" if base else _p(row["wilcoxon_holm"]),
            "epoch_s": f"{row['epoch_s']:.2f}",
            "search_s": f"{row['search_s']:.0f}",
        }
        rows.append({COLUMNS[key]: cell for key, cell in cells.items()})
    if results["noise"].n_unique() == 1:
        return [{key: cell for key, cell in row.items() if key != COLUMNS["noise"]} for row in rows]
    return rows


def _protocol(metric: str, results: pl.DataFrame, record: Mapping[str, Any]) -> str:
    trials, seeds = (int(results[name].to_numpy().max()) for name in ("trials", "seeds"))
    announced = f", announced {in_words(record['announced_s'])}" if record.get("announced_s") else ""
    return (
        f"The metric is {metric} on held-out events, from 0 to 1; higher is better. Each method received the same budget: "
        f"{trials} trials, compared by validation {metric}. The first trial of each has the values of the config and the "
        f"defaults of the method. The best trial was trained with {seeds} seeds and tested; the test part was read for "
        f"nothing else. Differences are over users (means over the seeds), with 95 % bootstrap intervals; p-values are "
        f"after Holm's correction over the methods of a noise level. The study took {in_words(record['seconds'])}{announced}."
    )


def _settings(results: pl.DataFrame) -> list[tuple[str, str]]:
    several = results["noise"].n_unique() > 1
    return [
        (row["method"] + (f", noise {row['noise']:g}" if several else ""), row["values"])
        for row in results.iter_rows(named=True)
    ]


def _p(value: float) -> str:
    return f"{value:.1e}" if value < 1e-3 else f"{value:.3f}"


def _html(
    folder: Path,
    title: str,
    protocol: str,
    said: Sequence[str],
    rows: Sequence[Mapping[str, str]],
    results: pl.DataFrame,
    lists: Sequence[tuple[str, Sequence[tuple[str, str]]]],
    figures: Mapping[str, str],
) -> str:
    body = [f"<h1>{escape(title)}</h1>", '<ul class="verdict">']
    body += [f"<li>{escape(sentence)}</li>" for sentence in said]
    body += ["</ul>", f'<p class="note">{escape(protocol)}</p>', '<div class="scroll"><table><thead><tr>']
    body += [f"<th>{escape(name)}</th>" for name in rows[0]]
    body.append("</tr></thead><tbody>")
    for row, values in zip(rows, results.iter_rows(named=True), strict=True):
        base = values["t_test_holm"] is None
        sure = not base and max(values["t_test_holm"], values["wilcoxon_holm"]) < 0.05
        kind = ' class="base"' if base else ' class="sure"' if sure else ""
        body.append(f"<tr{kind}>" + "".join(f"<td>{escape(cell)}</td>" for cell in row.values()) + "</tr>")
    body += ["</tbody></table></div>", '<p class="note">Bold: both tests have p below 0.05.</p>']
    for name, path in figures.items():
        data = base64.b64encode((folder / path).read_bytes()).decode("ascii")
        body += [
            f"<h2>{TITLES[name]}</h2>",
            f'<figure><img alt="{TITLES[name]}" src="data:image/png;base64,{data}"></figure>',
        ]
    for heading, entries in lists:
        body += [f"<h2>{escape(heading)}</h2>", "<ul>"]
        body += [f"<li>{escape(name)}: <code>{escape(text)}</code></li>" for name, text in entries]
        body.append("</ul>")
    return "\n".join([*_head(title), *body, "</body></html>", ""])


def _head(title: str) -> list[str]:
    """First lines of an HTML page."""
    return [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
    ]


def _latex(rows: Sequence[Mapping[str, str]], metric: str) -> str:
    head = list(rows[0])
    left = sum(name in (COLUMNS["noise"], COLUMNS["method"]) for name in head)
    lines = [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{{'l' * left}{'r' * (len(head) - left)}}}",
        "\\toprule",
        " & ".join(_tex(name) for name in head) + " \\\\",
        "\\midrule",
        *(" & ".join(_tex(cell) for cell in row.values()) + " \\\\" for row in rows),
        "\\bottomrule",
        "\\end{tabular}",
        f"% validation and test: {metric}",
    ]
    return "\n".join(lines) + "\n"


def _tex(text: str) -> str:
    special = {"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"}
    special |= {c: f"\\{c}" for c in "&%$#_{}"}
    return "".join(special.get(character, character) for character in text)
