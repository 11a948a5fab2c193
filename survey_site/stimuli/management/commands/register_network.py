"""python manage.py register_network ARCHITECTURE (--weights FILE | --pretrained | --random-seed N)"""

import time
from argparse import BooleanOptionalAction
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey_site.stimuli import services
from survey_site.stimuli.models import Network, NetworkSource, NetworkState

POLL_SECONDS = 0.5
FACTS = (
    "num_classes",
    "input_size",
    "mean",
    "std",
    "family",
    "is_residual",
    "is_control",
    "training_loss",
    "augmentation",
    "training_set",
    "epsilon",
)


class Command(BaseCommand):
    help = "Register a network: asks a worker to build it, waits, and prints its layers or the reason."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("architecture", help="as the library spells it, for example resnet18")
        parser.add_argument("--source", default=NetworkSource.TORCHVISION, choices=NetworkSource.values)
        parser.add_argument(
            "--weights", type=Path, help="a local file: safetensors, or .pt/.pth without code"
        )
        parser.add_argument("--pretrained", action="store_true", help="weights that the package carries")
        parser.add_argument("--random-seed", type=int, help="random weights from this RNG seed")
        parser.add_argument("--slug", help="default: the architecture")
        parser.add_argument("--name")
        parser.add_argument("--num-classes", type=int, default=1000)
        parser.add_argument("--input-size", type=int, help="pixels; default: the library's")
        for name in ("mean", "std"):
            parser.add_argument(
                f"--{name}",
                type=float,
                nargs=3,
                metavar=("R", "G", "B"),
                help="default: the file's or library's",
            )
        parser.add_argument("--family", default="", help="of the architecture, for example ResNet")
        parser.add_argument("--residual", action=BooleanOptionalAction, dest="is_residual")
        parser.add_argument("--control", action="store_true", dest="is_control", help="an untrained twin")
        parser.add_argument("--training-loss", default="")
        parser.add_argument("--augmentation", default="")
        parser.add_argument("--training-set", default="")
        parser.add_argument("--epsilon", type=float, help="of adversarial training")
        parser.add_argument("--timeout", type=float, default=120, help="seconds to wait for a worker")

    def handle(self, *args: Any, **options: Any) -> None:
        network = self._register(options)
        self._wait(network, options["timeout"])
        if network.state == NetworkState.FAILED:
            reason = network.state_reason
            network.delete()  # nothing points at it yet, and its name stays free for the mended file
            raise CommandError(f"{options['architecture']} cannot be built: {reason}")
        for layer in network.layers.all():
            shape = " × ".join(map(str, layer.output_shape))
            self.stdout.write(f"{layer.depth:4}  {layer.name:40} {shape:18} {layer.role}".rstrip())
        self.stdout.write(self.style.SUCCESS(f"{network.slug} is ready: {network.layers.count()} layers"))

    def _register(self, options: dict[str, Any]) -> Network:
        slug = options["slug"] or options["architecture"].replace(".", "-")
        fields = {name: options[name] for name in FACTS}
        path: Path | None = options["weights"]
        if path is not None and not path.is_file():
            raise CommandError(f"{path} is not a file")
        handle = path.open("rb") if path else None
        try:
            return services.register_network(
                slug=slug,
                name=options["name"] or slug,
                source=options["source"],
                architecture=options["architecture"],
                pretrained=options["pretrained"],
                random_seed=options["random_seed"],
                weights=File(handle, name=path.name) if handle and path else None,
                **fields,
            )
        except services.NetworkRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        finally:
            if handle:
                handle.close()

    def _wait(self, network: Network, timeout: float) -> None:
        until = time.monotonic() + timeout
        while network.state == NetworkState.PENDING:
            if time.monotonic() > until:
                raise CommandError(
                    f"no worker answered within {timeout:.0f} s; {network.slug} stays registered and will be "
                    "inspected when one runs (make up)"
                )
            time.sleep(POLL_SECONDS)
            network.refresh_from_db()
