"""Common style of all figures."""

import warnings
from pathlib import Path

from matplotlib.figure import Figure

from recpair import files

INK, ACCENT, MUTED = "#1f4e79", "#d1495b", "#9aa5b1"


def tidy(figure: Figure, legend_at: float = -0.2) -> None:
    """Apply light axes, and place each legend below its axes (in units of the axes height)."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e6e9ec", linewidth=0.8)
        axes.set_axisbelow(True)
        n_labels = len(axes.get_legend_handles_labels()[1])
        if n_labels:
            axes.legend(
                frameon=False,
                fontsize=8,
                ncols=min(n_labels, 4),
                columnspacing=1.2,
                handlelength=1.4,
                loc="upper center",
                bbox_to_anchor=(0.5, legend_at),
            )


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure in the format of the extension of a path."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # of names in a script that the font lacks
        files.write(path, lambda partial: figure.savefig(partial, format=path.suffix[1:].lower(), dpi=130))
