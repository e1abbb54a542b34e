"""What a fit shows in a notebook."""

import json

import nbformat
import pytest
from nbclient import NotebookClient

import recpair
from recpair.notebook import NotebookBar, in_notebook


@pytest.mark.filterwarnings("default")  # the kernel's own
def test_a_fit_shows_a_bar_and_its_notes(tmp_path, checkerboard, quick):
    checkerboard.write_csv(tmp_path / "events.csv")
    quick |= {"data": {"path": "events.csv"}, "output": "run"}
    quick["train"]["lr"] = quick["train"].pop("learning_rate")  # understood with a note
    cells = [
        f"import json, recpair\nrun = recpair.fit(json.loads({json.dumps(quick)!r}))",
        "class Log:\n    def step(self, *args): pass\n    def epoch(self, number, values): print('own', number)\n"
        "run = recpair.fit(run.config, ['output=other'], log=Log())",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, startup_timeout=300, kernel_name="python3", resources=resources).execute()
    shown, own = (cell.outputs for cell in notebook.cells)
    (bar,) = [output.data["text/html"] for output in shown if output.output_type == "display_data"]
    assert "<progress value='5.000' max='5'>" in bar
    assert "epoch 5/5 · loss 0." in bar
    assert "valid ndcg@5" in bar
    printed = "".join(output.text for output in shown if output.output_type == "stream")
    assert "note: train.lr is understood as train.learning_rate" in printed
    assert [output.get("text") for output in own if output.get("name") == "stdout"] == [
        "own 1\nown 2\nown 3\nown 4\nown 5\n"
    ]


def test_a_script_has_neither(checkerboard, quick, capsys):
    assert not in_notebook()
    recpair.fit(quick, data=checkerboard)
    assert capsys.readouterr().out == ""
    NotebookBar(3, None).close()  # nothing to show, and no IPython asked for
