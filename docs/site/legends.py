"""Reference pages of the supplied values, the axes and the values of metrics."""

from rst import escaped, heading, literal, table

from recpair.axes import AXES
from recpair.evaluation.legend import LEGEND
from recpair.experiment.requirements import MESSAGES
from recpair.step import SUPPLIES


def pages() -> dict[str, str]:
    """Names and texts of the pages."""
    return {"reference/legends.rst": "".join((supplied(), needs(), metrics(), axes()))}


def supplied() -> str:
    text = (
        "In the signature of a component, parameters before ``*`` are supplied by recpair, by name; parameters after ``*`` "
        "are config keys. See :doc:`/docs/extend`.\n\n"
    )
    rows = [
        (
            literal(name),
            literal(each.shape) if each.shape else "",
            escaped(each.meaning),
            each.needs or "",
            when(each.building),
        )
        for name, each in SUPPLIES.items()
    ]
    header = ("name", "shape", "value", "requires", "supplied to")
    return heading("Supplied values") + text + heading("Names", 2) + table(header, rows)


def when(building: bool) -> str:
    return "constructor" if building else "step"


def needs() -> str:
    rows = [(need, escaped(message.format(model="NAME"))) for need, message in MESSAGES.items()]
    text = "If a component requires what the model or the data does not have, the config is refused:\n\n"
    return heading("Requirements", 2) + text + table(("requires", "message"), rows)


def metrics() -> str:
    rows = [
        (literal(name), literal(each.shape) if each.shape else "", escaped(each.meaning), each.requires)
        for name, each in LEGEND.items()
    ]
    text = "Metrics are supplied with these values instead. *Requires* is the input from which a value is computed.\n\n"
    return heading("Values of metrics", 2) + text + table(("name", "shape", "value", "requires"), rows)


def axes() -> str:
    rows = [(literal(letter), escaped(meaning)) for letter, meaning in AXES.items()]
    text = 'Letters of all shape annotations, such as ``Float[Tensor, "Q P"]``.\n\n'
    return heading("Axes", 2) + text + table(("letter", "axis"), rows)
