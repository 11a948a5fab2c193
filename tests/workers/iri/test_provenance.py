import tomllib
from pathlib import Path

import torch

from workers.iri.provenance import code_version, provenance


def test_what_made_an_image_is_named() -> None:
    found = provenance()
    assert found["torch"] == torch.__version__
    assert found["torchvision"] == "0.28.0"
    assert found["device"] == "cpu"
    assert found["threads"] == torch.get_num_threads()
    assert {"python", "platform", "processor"} <= set(found)


def test_the_code_s_version_is_the_project_s() -> None:
    pyproject = Path(__file__).parents[3] / "pyproject.toml"
    assert code_version() == tomllib.loads(pyproject.read_text())["project"]["version"]
