import subprocess
import sys

import pytest

import workers.iri


def test_the_public_names_are_found_on_first_use() -> None:
    names = dir(workers.iri)
    assert {"invert", "Recipe", "Term", "measure", "null_distribution"} <= set(names)
    for name in names:
        assert callable(getattr(workers.iri, name))


def test_what_the_library_raises_and_finds_is_public() -> None:
    from workers.iri import Found, inversion, layer_errors, networks, weights

    assert workers.iri.NetworkError is networks.NetworkError
    assert workers.iri.WeightsError is weights.WeightsError
    assert workers.iri.LayerNotFound is layer_errors.LayerNotFound
    assert Found is inversion.Found
    raised = {name for name in dir(workers.iri) if name.endswith(("Error", "Refused", "NotFound"))}
    assert raised == {
        "CompileError", "DeviceError", "ImageError", "InversionError", "LayerError", "LayerNotFound",
            "MeasureError", "NullError",
        "NetworkError", "PerceptualError", "PrecisionError", "RecipeError", "SearchError", "SizeRefused",
        "StartError", "StateRefused", "WeightsError",
    }  # fmt: skip
    assert all(issubclass(getattr(workers.iri, name), ValueError) for name in raised)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'workers.iri' has no attribute 'inverted'"):
        _ = workers.iri.inverted


def test_importing_the_package_loads_neither_torch_nor_django() -> None:
    code = "import sys, workers.iri; sys.exit(bool({'torch', 'django'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_library_needs_no_django() -> None:
    code = "import sys; from workers.iri import invert, measure; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
