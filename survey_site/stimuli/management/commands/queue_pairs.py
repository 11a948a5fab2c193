"""python manage.py queue_pairs --network N --layer L [--layer L2] --recipe reg_free --image-set S"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey_site.stimuli import services
from survey_site.stimuli.models import ImageSet, Layer, MinMemory, Network, Queue, Recipe
from workers.iri.recipe import PRESETS, RecipeError, preset


class Command(BaseCommand):
    help = "Queue (network, layer) pairs: an IRI of every image of the set, at each layer."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--network", required=True, help="slug")
        parser.add_argument("--layer", required=True, action="append", help="name; give it again for more")
        parser.add_argument("--recipe", default="reg_free", help=f"a stored recipe, or {', '.join(PRESETS)}")
        parser.add_argument("--image-size", type=int, help="pixels; default: the preset's")
        parser.add_argument("--steps", type=int, help="default: the preset's")
        parser.add_argument("--image-set", required=True, help="slug")
        parser.add_argument("--rng-seed", type=int, default=0)
        parser.add_argument("--priority", type=int, default=0, help="higher goes first")
        parser.add_argument("--queue", default=Queue.CPU, choices=Queue.values)
        parser.add_argument(
            "--min-memory", type=int, default=0, choices=MinMemory.values, help="GiB of the worker's device"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        network = self._named(Network, options["network"])
        image_set = self._named(ImageSet, options["image_set"])
        try:
            jobs = services.queue_pairs(
                layers=[self._layer(network, name) for name in options["layer"]],
                recipe=self._recipe(options),
                image_set=image_set,
                rng_seed=options["rng_seed"],
                queue=options["queue"],
                min_memory_gib=options["min_memory"],
                priority=options["priority"],
            )
        except services.QueueRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        for job in jobs:
            self.stdout.write(f"job {job.pk}: {job}, {job.iris.count()} IRIs")

    def _named(self, model: Any, slug: str) -> Any:
        found = model.objects.filter(slug=slug).first()
        if found is None:
            known = ", ".join(model.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"there is no {model._meta.verbose_name} {slug!r}; there are: {known}")
        return found

    def _layer(self, network: Network, name: str) -> Layer:
        layer = network.layers.filter(name=name).first()
        if layer is None:
            raise CommandError(services.describe_missing_layer(network, name))
        return layer

    def _recipe(self, options: dict[str, Any]) -> Recipe:
        changes = {name: options[name] for name in ("image_size", "steps") if options[name] is not None}
        stored = Recipe.objects.filter(name=options["recipe"]).first()
        try:
            if stored:
                sizes = {name: options[name] for name in ("image_size", "steps")}
                return services.changed_recipe(stored, **sizes)
            return services.save_recipe(preset(options["recipe"], **changes), preset=options["recipe"])
        except RecipeError as error:
            stored_names = ", ".join(Recipe.objects.values_list("name", flat=True))
            also = f"; stored: {stored_names}" if options["recipe"] not in PRESETS and stored_names else ""
            raise CommandError(f"{error}{also}") from error
