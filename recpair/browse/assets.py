"""Files of the page, read once: no path of a request is ever opened."""

from importlib import resources

TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def assets() -> dict[str, tuple[bytes, str]]:
    """Return content and media type of each file of the page by name."""
    found = {}
    for file in resources.files(__package__).joinpath("static").iterdir():
        ending = file.name.rpartition(".")[2]
        if ending in TYPES:
            found[file.name] = file.read_bytes(), f"{TYPES[ending]}; charset=utf-8"
    return found
