"""Titles of runs and names of their components."""

from recpair.config import Config


def title(config: Config, data: str) -> str:
    """Title of a run: model, loss, denoiser, terms and data on one line."""
    return f"{' · '.join(components(config))} on {data}"


def components(config: Config) -> list[str]:
    """Names of the model, the loss, the denoiser and the terms of a run."""
    from recpair.integrations.all_models import ALL_MODELS  # imports torch
    from recpair.models import GradientModel
    from recpair.terms.entries import labels

    gradient = issubclass(ALL_MODELS[config["model"]["name"]], GradientModel)
    parts = [config["model"]["name"], config["loss"]["name"] if gradient else ""]
    parts += [
        config["denoise"]["name"] if config["denoise"] else "",
        *labels([entry for entry in config["terms"] if entry["name"] != "l2"]),
    ]
    return [part for part in parts if part]
