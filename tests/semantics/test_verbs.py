"""recpair embed and recpair neighbours, as they are typed."""

import json
import re
from pathlib import Path

import polars as pl
import pytest
import yaml

from recpair.cli import main

pytest.importorskip("wordllama", reason="needs recpair[text]")
pytest.importorskip("faiss", reason="needs recpair[text]")


@pytest.fixture
def project(tmp_path, events, items, monkeypatch):
    """A folder with events, items and a config, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    events.write_csv("events.csv")
    items.write_csv("items.csv")
    config = {
        "data": {"path": "events.csv", "items": "items.csv"},
        "split": "leave_last",
        "semantics": {"template": "{title}", "k": 3},
        "output": "runs/demo",
    }
    Path("config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def test_embed_keeps_its_results_beside_the_run_folder_and_nowhere_else(project, capsys):
    assert main(["embed", "--config", "config.yaml"]) == 0
    out = capsys.readouterr().out
    assert "40, 40 with a vector" in out
    assert "runs/.semantics" in out
    made = {str(path) for path in Path().rglob("*") if path.is_file()} - {"events.csv", "items.csv", "config.yaml"}
    assert {str(Path(path).parent) for path in made} == {"runs/.semantics"}
    times = {path: Path(path).stat().st_mtime_ns for path in made}
    assert main(["embed", "--config", "config.yaml"]) == 0
    assert {path: Path(path).stat().st_mtime_ns for path in made} == times
    assert main(["embed", "--config", "config.yaml", "semantics.folder=elsewhere"]) == 0
    assert len(list(Path("elsewhere").iterdir())) == len(made)


def test_a_config_without_the_section_uses_the_usual_encoder(project, capsys):
    config = yaml.safe_load(Path("config.yaml").read_text())
    del config["semantics"]
    Path("config.yaml").write_text(yaml.safe_dump(config))
    assert main(["embed", "--config", "config.yaml"]) == 2
    assert "semantics.template names 'categories', which" in capsys.readouterr().err
    assert main(["embed", "--config", "config.yaml", "semantics.template='{title}'"]) == 0


def test_neighbours_of_an_item(project, capsys):
    assert main(["neighbours", "7", "--config", "config.yaml"]) == 0
    out = capsys.readouterr().out
    assert "Nearest to 7: blue soap 7" in out
    assert out.count("blue soap") == 4  # itself and three more of its kind
    assert "cosine" in out


def test_neighbours_of_a_users_history(project, capsys, monkeypatch):
    monkeypatch.setattr("recpair.cli.console.console.width", 200)
    events = pl.read_csv("events.csv").filter(pl.col("user_id") == 4)
    titles = dict(pl.read_csv("items.csv").iter_rows())
    taken = [titles[item] for item in dict.fromkeys(events["item_id"])][
        :-3
    ]  # without test, validation, and the last of training
    assert main(["neighbours", "--user", "4", "--config", "config.yaml", "semantics.k=2"]) == 0
    out = capsys.readouterr().out
    assert f"Nearest to 4: {' · '.join(taken[::-1][:5])}" in out
    rows = [line.split("│")[1:-1] for line in out.splitlines() if line.startswith("│")]
    assert len(rows) == 2
    assert all(row[1].strip() != "4" for row in rows)
    assert main(["neighbours", "semantics.k=1", "--user", "4", "--config", "config.yaml"]) == 0


def test_a_user_without_a_training_event_has_no_history(project, capsys):
    """The row before the user's would be another user's event."""
    trained = pl.read_csv("events.csv").with_columns(split=pl.lit("train"))
    tested = trained.tail(1).with_columns(split=pl.lit("test"))
    pl.concat([trained.head(-1), tested, tested.with_columns(user_id=pl.lit(99, pl.Int64))]).write_csv("events.csv")
    labelled = ["-c", "config.yaml", "split=predefined", "evaluate.monitor=null"]
    assert main(["neighbours", "--user", "99", *labelled]) == 2
    assert "unknown user_id: 99" in capsys.readouterr().err


def test_neighbours_of_a_run(project, capsys, checkerboard):
    Path("runs/demo").mkdir(parents=True)
    Path("runs/demo/config.yaml").write_text(Path("config.yaml").read_text())
    assert main(["neighbours", "7", "--run", "runs/demo"]) == 0
    assert "blue soap" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["neighbours", "77", "-c", "config.yaml"], "unknown item_id: 77"),
        (["neighbours", "--user", "77", "-c", "config.yaml"], "unknown user_id: 77"),
        (["neighbours", "7"], "give either --config FILE or --run RUN"),
        (["neighbours", "-c", "config.yaml"], "give either an ITEM_ID or --user ID"),
        (["embed", "-c", "config.yaml", "semantics.encoder=x"], "config key semantics.encoder is unknown"),
        (["embed", "-c", "config.yaml", "semantics.name=wordlama"], "did you mean wordllama?"),
        (["embed", "-c", "config.yaml", "semantics.template='{brand}'"], "names 'brand', .*columns: title"),
        (["embed", "-c", "config.yaml", "data.items=null"], "give it with data.items"),
        (["embed", "-c", "config.yaml", "semantics.name=file", "semantics.path=none.parquet"], "does not exist"),
        (["embed", "-c", "config.yaml", "semantics=null", "describe.model=m"], "add semantics: {name: wordllama}"),
        (["embed", "-c", "config.yaml", "describe.items=true"], "describe.model is missing"),
        (["embed", "-c", "config.yaml", "semantics.k=0"], "semantics.k: input should be greater than 0"),
        (["embed", "-c", "config.yaml", "semantics.decay=2"], "semantics.decay: input should be less than or equal"),
    ],
)
def test_mistakes_are_one_line(project, capsys, arguments, message):
    assert main(arguments) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert re.search(message, errors[0])


def test_a_dry_run_asks_nothing_and_writes_nothing(project, capsys, server, monkeypatch):
    monkeypatch.setattr("recpair.cli.console.console.width", 200)
    describe = [f"describe.base_url={server.url}", "describe.model=m", "describe.key_variable=null"]
    prices = ["describe.price_in=1", "describe.price_out=2"]
    assert main(["embed", "-c", "config.yaml", *describe, *prices, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "40 requests (0 answers are there already)" in out
    assert "by the prices in describe" in out
    assert server.requests == []
    assert not Path("runs").exists()
    assert main(["embed", "-c", "config.yaml", *describe]) == 0
    assert len(server.requests) == 40
    rows = [json.loads(line) for line in Path("runs/.semantics/answers.jsonl").read_text().splitlines()]
    assert {row["model"] for row in rows} == {"m"}
    assert main(["embed", "-c", "config.yaml", *describe, "--dry-run"]) == 0
    assert "0 requests (40 answers are there already)" in capsys.readouterr().out
    assert main(["embed", "-c", "config.yaml", "--dry-run"]) == 0
    assert "is not asked" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["embed", "neighbours"])
def test_the_verbs_have_a_page_of_help(verb, capsys):
    assert main([verb, "--help"]) == 0
    assert "Examples" in capsys.readouterr().out


def with_sections(folder: Path, **sections) -> None:
    """Change a run folder's config, as another person who made the folder could."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump(config | sections))


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"describe": {"model": "m", "base_url": "http://127.0.0.1:9/v1", "key_variable": "AWS_SECRET_ACCESS_KEY"}},
            "describe.base_url http://127.0.0.1:9/v1 comes from a run folder",
        ),
        (
            {
                "semantics": {
                    "name": "openai",
                    "model": "m",
                    "template": "{title}",
                    "base_url": "http://127.0.0.1:9/v1",
                    "key_variable": "AWS_SECRET_ACCESS_KEY",
                }
            },
            "semantics.base_url http://127.0.0.1:9/v1 comes from a run folder",
        ),
        (
            {"semantics": {"name": "file", "path": "/etc/passwd"}},
            "semantics.path is '/etc/passwd' in the config of the",
        ),
        ({"semantics": {"name": "sentence_transformers", "model": "/tmp/code"}}, "semantics.model is '/tmp/code'"),
        ({"describe": {"model": "m", "item_prompt": "/etc/passwd"}}, "describe.item_prompt is '/etc/passwd'"),
    ],
)
def test_a_run_folder_sends_no_secret_and_opens_no_file(project, capsys, monkeypatch, sections, message):
    from recpair.semantics.endpoint import Endpoint

    monkeypatch.setattr(Endpoint, "_ask", lambda *args, **kwargs: pytest.fail("the endpoint is asked"))
    monkeypatch.setattr(Endpoint, "_key", property(lambda self: pytest.fail("the key is read")))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "T0PSECRET")
    folder = Path("runs/other")
    folder.mkdir(parents=True)
    folder.joinpath("config.yaml").write_text(Path("config.yaml").read_text())
    with_sections(folder, **sections)
    assert main(["neighbours", "7", "--run", "runs/other"]) == 2
    assert message in capsys.readouterr().err


def test_titles_are_printed_as_they_are(project, capsys, items):
    titles = [f"Film [/x] {i} :smile: \\" for i in range(len(items))]
    items.with_columns(title=pl.Series(titles)).write_csv("items.csv")
    assert main(["neighbours", "7", "--config", "config.yaml"]) == 0
    assert "Nearest to 7: Film [/x] 7 :smile: \\" in capsys.readouterr().out
