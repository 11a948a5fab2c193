import importlib
from types import ModuleType

import pytest

from workers.iri.vision import import_torchvision


def test_torchvision_imports_beside_this_torch() -> None:
    assert len(import_torchvision().models.list_models()) >= 121


def test_timm_imports_after_it() -> None:
    import_torchvision()
    assert len(importlib.import_module("timm").list_models()) > 1000


def test_an_import_that_fails_for_another_reason_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> ModuleType:
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(RuntimeError, match="disk on fire"):
        import_torchvision()
