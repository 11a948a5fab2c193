"""The demo's targets: natural photographs that come with installed packages (docs/photographs.md)."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from survey_site.stack.errors import StackError

# Package, file in it, label.
PHOTOGRAPHS = (
    ("skimage", "data/astronaut.png", "astronaut"),
    ("skimage", "data/chelsea.png", "cat"),
    ("skimage", "data/coffee.png", "cup of coffee"),
    ("skimage", "data/hubble_deep_field.jpg", "galaxies"),
    ("skimage", "data/motorcycle_left.png", "motorcycle"),
    ("skimage", "data/rocket.jpg", "rocket"),
    ("sklearn", "datasets/images/china.jpg", "temple"),
    ("sklearn", "datasets/images/flower.jpg", "flower"),
)
LICENCE = "public domain, CC0, CC BY 2.0 (each photograph's own: docs/photographs.md)"
SOURCE = "installed with scikit-image and scikit-learn"


def photographs() -> Iterator[tuple[str, bytes, str]]:
    """(name, bytes, label) of each. The packages are located, not imported, which would take seconds."""
    for package, file, label in PHOTOGRAPHS:
        path = _folder(package) / file
        if not path.is_file():
            raise StackError(f"the photograph {file} is not in {package}: pip install -r requirements.txt")
        yield path.name, path.read_bytes(), label


def _folder(package: str) -> Path:
    found = find_spec(package)
    if found is None or found.origin is None:
        raise StackError(f"the package {package} is not installed: pip install -r requirements.txt")
    return Path(found.origin).parent
