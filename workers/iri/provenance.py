"""What made an image: versions, device, threads. Stored beside every IRI."""

import platform
import tomllib
from importlib import metadata
from pathlib import Path

import torch


def provenance(device: str | torch.device = "cpu") -> dict[str, str | int]:
    """Versions of torch, torchvision and this code, and the device, threads and platform of this process."""
    return {
        "code": code_version(),
        "torch": torch.__version__,
        "torchvision": _version("torchvision"),
        "python": platform.python_version(),
        "device": _device_name(torch.device(device)),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "processor": torch.backends.cpu.get_cpu_capability(),
    }


def code_version() -> str:
    """This project's version, from its installed metadata or from pyproject.toml of the source tree."""
    installed = _version("irisurvey")
    if installed != "absent":
        return installed
    pyproject = Path(__file__).resolve().parents[2] / "pyproject.toml"
    version: str = tomllib.loads(pyproject.read_text())["project"]["version"]
    return version


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"


def _device_name(device: torch.device) -> str:
    if device.type != "cuda":
        return str(device)
    return f"{device} {torch.cuda.get_device_name(device)}"
