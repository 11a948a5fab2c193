"""The shell does what the admin does, and says what it would not do."""

import io
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from survey_site.stimuli import services
from survey_site.stimuli.models import ImageSet, IRIJob, Network, Recipe
from tests.builders import image_set, network, png

pytestmark = pytest.mark.django_db

QUEUE = ("queue_pairs", "--network", "net", "--layer", "pool", "--image-set", "photos")


def run(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(*arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def refusal(*arguments: str) -> str:
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    return str(refused.value)


NEW_SET = ("--image-set", "photos", "--licence", "CC0-1.0", "--source", "drawn for a test")


def test_import_images_takes_a_folder_and_names_what_it_refuses(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "a.png").write_bytes(png(1))
    (tmp_path / "b.png").write_bytes(png(2))
    (tmp_path / "c.png").write_bytes(png(2))
    (tmp_path / "notes.txt").write_text("words")
    out, err = run("import_images", str(tmp_path), *NEW_SET)
    assert out == (
        "c.png is there already: b.png\n2 added, 1 there already, 1 refused; the set has 2 images\n"
    )
    assert err.startswith("refused notes.txt: not an image")
    made = ImageSet.objects.get()
    assert (made.licence, made.source) == ("CC0-1.0", "drawn for a test")
    assert list(made.targets.values_list("name", "label")) == [("a.png", "cats"), ("b.png", "")]


def test_import_images_reads_torchvisions_folders(tmp_path: Path) -> None:
    for number, folder in enumerate(("train/cat", "train/dog/small", "val/cat")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "1.png").write_bytes(png(number))
    run("import_images", str(tmp_path), *NEW_SET)
    assert sorted(ImageSet.objects.get().targets.values_list("label", flat=True)) == ["cat", "cat", "dog"]


def test_import_images_reads_a_zip_to_its_end(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for number in range(20):
            archive.writestr(f"photos/{'cat' if number % 2 else 'dog'}/{number}.png", png(number))
    out, _ = run("import_images", str(tmp_path / "photos.zip"), *NEW_SET)
    assert out == "20 added, 0 there already, 0 refused; the set has 20 images\n"
    assert ImageSet.objects.get().targets.label_counts() == [("cat", 10), ("dog", 10)]


def test_import_images_follows_links_to_files_alone(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").write_bytes(png(1))
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "link.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    (folder / "circle").symlink_to(folder)
    (folder / "broken.png").symlink_to(tmp_path / "nowhere")
    out, err = run("import_images", str(folder), *NEW_SET)
    assert out == "1 added, 0 there already, 2 refused; the set has 1 images\n"
    assert err.count("a link to a folder or to nothing; allowed: files, and links to files") == 2


def test_import_images_wants_to_know_what_may_be_done_with_a_new_set(tmp_path: Path) -> None:
    said = refusal("import_images", str(tmp_path), "--image-set", "photos", "--licence", "CC0-1.0")
    assert said.startswith("photos is a new image set: give --source, so that others know")
    assert not ImageSet.objects.exists()


def test_import_images_wants_a_folder_or_a_zip(tmp_path: Path) -> None:
    said = refusal("import_images", str(tmp_path / "no"), "--image-set", "s")
    assert said == f"{tmp_path}/no is not a folder or a ZIP"


def test_queue_pairs_queues_each_layer() -> None:
    network()
    image_set(3)
    out, _ = run(*QUEUE, "--layer", "fc", "--recipe", "reg_free", "--rng-seed", "4", "--priority", "2")
    assert out.count("3 IRIs") == 2
    assert set(IRIJob.objects.values_list("rng_seed", "priority", "queue")) == {(4, 2, "iri.cpu")}


def test_queue_pairs_takes_a_stored_recipe_by_name() -> None:
    network()
    image_set(1)
    run(*QUEUE, "--image-size", "64", "--steps", "7")
    (stored,) = Recipe.objects.all()
    run(*QUEUE, "--recipe", stored.name, "--rng-seed", "1")
    assert Recipe.objects.count() == 1


def test_recipes_that_differ_have_names_that_differ() -> None:
    network()
    image_set(1)
    for steps in ("7", "8"):
        run(*QUEUE, "--steps", steps)
    assert Recipe.objects.values("name").distinct().count() == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--network", "nett"), "there is no network 'nett'; there are: net"),
        (("--image-set", "pics"), "there is no image set 'pics'; there are: photos"),
        (("--layer", "poll"), "network 'net' has no layer 'poll'; nearest: pool"),
        (("--recipe", "magic"), "preset is 'magic'; allowed: 'reg_free', 'reg_free_paper'"),
        (("--steps", "0"), "steps is 0; allowed: a whole number from 1 to 100000"),
    ],
)
def test_queue_pairs_names_what_there_is(change: tuple[str, str], message: str) -> None:
    network()
    image_set(1)
    assert refusal(*QUEUE, *change).startswith(message)
    assert not IRIJob.objects.exists()


def test_queue_pairs_says_when_there_is_nothing_yet() -> None:
    assert refusal(*QUEUE) == "there is no network 'net'; there are: none yet"


@contextmanager
def answering(answer: Callable[[Network], None]) -> Iterator[None]:
    """A worker that inspects the first network it sees."""

    def work() -> None:
        try:
            until = time.monotonic() + 20
            while not (waiting := Network.objects.first()) and time.monotonic() < until:
                time.sleep(0.05)
            if waiting:
                answer(waiting)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def find_layer(waiting: Network) -> None:
    layer = services.FoundLayer(name="avgpool", depth=0, output_shape=[512, 1, 1], role="pooled")
    services.record_inspection(network_id=waiting.pk, layers=[layer], weights_sha256="w", facts={})


def fail(waiting: Network) -> None:
    services.fail_inspection(network_id=waiting.pk, reason="missing keys: fc.weight")


@pytest.mark.django_db(transaction=True)
def test_register_network_prints_the_layers_that_a_worker_found(broker: object, tmp_path: Path) -> None:
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(b"tensors")
    with answering(find_layer):
        out, _ = run("register_network", "resnet18", "--weights", str(weights), "--training-loss", "trades")
    assert "   0  avgpool" in out
    assert "512 × 1 × 1" in out
    assert "resnet18 is ready: 1 layers" in out
    made = Network.objects.get()
    assert (made.weights.read(), made.training_loss) == (b"tensors", "trades")


@pytest.mark.django_db(transaction=True)
def test_register_network_prints_the_reason_and_leaves_the_name_free(broker: object) -> None:
    with answering(fail):
        message = refusal("register_network", "resnet18", "--random-seed", "0")
    assert message == "resnet18 cannot be built: missing keys: fc.weight"
    assert not Network.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_register_network_says_that_no_worker_answered_and_keeps_the_network(broker: object) -> None:
    message = refusal("register_network", "resnet18", "--random-seed", "0", "--timeout", "0.1")
    assert message.startswith("no worker answered within 0 s; resnet18 stays registered")
    assert Network.objects.get().state == "pending"


def test_register_network_refuses_what_cannot_be(tmp_path: Path) -> None:
    assert refusal("register_network", "resnet18") == (
        "give exactly one of: a weights file, pretrained weights, an RNG seed"
    )
    missing = tmp_path / "no.pt"
    assert refusal("register_network", "resnet18", "--weights", str(missing)) == f"{missing} is not a file"
    network("resnet18")
    assert "exists already" in refusal("register_network", "resnet18", "--random-seed", "0")


def test_register_network_sets_every_fact() -> None:
    facts = "--input-size 32 --mean 0.4 0.5 0.6 --std 0.2 0.2 0.2 --num-classes 10 --family ResNet --residual"
    factors = [
        "--training-loss",
        "cross-entropy",
        "--augmentation",
        "l2 adversarial",
        "--training-set",
        "CIFAR-10",
    ]
    more = ["--epsilon", "1.0", "--control", "--timeout", "0"]
    refusal("register_network", "resnet18", "--random-seed", "0", *facts.split(), *factors, *more)
    made = Network.objects.get()
    assert (made.input_size, made.mean, made.std) == (32, [0.4, 0.5, 0.6], [0.2, 0.2, 0.2])
    assert (made.num_classes, made.family, made.is_residual, made.is_control) == (10, "ResNet", True, True)
    assert (made.training_loss, made.augmentation) == ("cross-entropy", "l2 adversarial")
    assert (made.training_set, made.epsilon) == ("CIFAR-10", 1.0)


def test_register_network_refuses_a_std_of_zero() -> None:
    message = refusal("register_network", "resnet18", "--random-seed", "0", "--std", "0", "0.2", "0.2")
    assert message == "std is [0.0, 0.2, 0.2]; allowed: three numbers above 0"
