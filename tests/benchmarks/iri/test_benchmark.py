"""The benchmark itself, tiny: that it compares what is the same, never how long it took."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.progress import Progress

from tests.benchmarks.iri import __main__ as command
from tests.benchmarks.iri import cache, gpu, hour, kept_memory, per_step, settings, time_to_match
from tests.benchmarks.iri.__main__ import main
from tests.benchmarks.iri.peers import Peer
from tests.benchmarks.iri.reference import Reference
from tests.benchmarks.iri.subjects import RESNET18, STAGES, TRAINED, photographs
from tests.benchmarks.iri.timing import WARM_UP, estimate, in_turn, ratios
from workers.iri.inversion import invert
from workers.iri.layer_errors import LayerNotFound
from workers.iri.recipe import Recipe, preset
from workers.iri.start_images import make_start

pytestmark = pytest.mark.torch
SIZE, STEPS = 32, 12


def nothing() -> None:
    pass


@pytest.mark.parametrize("layer", RESNET18.layers)
def test_the_papers_preset_has_the_references_iterates(layer: str) -> None:
    network, targets = RESNET18.build(), photographs(2, SIZE)
    recipe = preset("reg_free_paper", image_size=SIZE, steps=STEPS, relu_passthrough=False)
    found = invert(network, layer, targets, recipe, [0, 1])
    starts = torch.stack([make_start(recipe.start, SIZE, seed) for seed in (0, 1)])
    assert torch.equal(starts, found.start_images)
    reference = Reference(network, layer, targets, starts)
    for _ in range(STEPS + 1):  # the library looks at its last iterate as well
        reference.step()
    assert found.relative_errors == pytest.approx(reference.errors, rel=1e-3)
    assert torch.allclose(found.images, reference.best, atol=2e-3)


def test_a_step_is_compared_with_the_reference_and_with_bare_passes() -> None:
    (row,) = per_step.step_costs(per_step.QUICK, nothing, stages=STAGES[:1])
    assert row.layer == RESNET18.layers[0]
    assert row.largest_difference <= per_step.TOLERANCE
    assert 0 < row.speedup.low <= row.speedup.median <= row.speedup.high
    assert row.overhead.rounds == per_step.QUICK.rounds


def test_passes_with_and_without_kept_memory_are_compared() -> None:
    (row,) = kept_memory.memory_gains(kept_memory.QUICK, nothing, [RESNET18], STAGES[:1])
    assert (row.network, row.layer) == (RESNET18.name, RESNET18.layers[0])
    assert 0 < row.gain.low <= row.gain.median <= row.gain.high


def test_what_goes_wrong_in_a_peer_is_raised_here() -> None:
    with (
        Peer(kept_memory.pass_loop, RESNET18, "layer9", kept_memory.QUICK, False) as peer,
        pytest.raises(LayerNotFound, match="the network has no layer 'layer9'"),
    ):
        peer.step()


def test_the_time_to_match_is_taken_on_decoded_images_and_its_factors_multiply(tmp_path: Path) -> None:
    setting = time_to_match.QUICK
    (row,) = time_to_match.matches(TRAINED[:1], setting, tmp_path, nothing, stages=STAGES[:1])
    assert [image.is_reached for image in row.images] == [True, True]
    assert all(image.library_error <= image.reference_error * 1.0001 for image in row.images)
    assert row.speedup == pytest.approx(row.per_step * row.fewer_steps * row.dropping)
    (file,) = tmp_path.glob("*.pt")
    assert torch.load(file, weights_only=True)["steps"] == setting.reference_steps


def test_the_device_decides_how_large_and_long_the_match_is() -> None:
    on_cpu = time_to_match.setting_for(torch.device("cpu"), is_quick=False)
    on_gpu = time_to_match.setting_for(torch.device("cuda", 1), is_quick=False)
    assert (on_cpu.size, on_cpu.reference_steps) == (128, 1000)
    assert (on_gpu.size, on_gpu.reference_steps) == (224, 5000)
    assert time_to_match.setting_for(torch.device("cuda"), is_quick=True) == time_to_match.QUICK


def test_a_reference_goes_on_from_its_file(tmp_path: Path) -> None:
    network, targets = RESNET18.build(), photographs(1, SIZE)
    start = make_start(preset("reg_free").start, SIZE, 0)[None]

    def begin() -> Reference:
        return Reference(network, "layer1", targets, start)

    file = tmp_path / "one.pt"
    cache.descend(begin(), 3, file, nothing)
    counted: list[int] = []
    resumed = cache.descend(begin(), 7, file, lambda: counted.append(1))
    whole = cache.descend(begin(), 7, None, nothing)
    assert len(counted) == 7
    assert resumed.errors == whole.errors
    assert torch.equal(resumed.images, whole.images)


def test_an_interval_of_a_median_is_made_of_order_statistics() -> None:
    values = [float(value) for value in range(1, 16)]
    # n = 15: the 4th and the 12th hold the median 96.5 times in 100, the 5th and the 11th only 88.
    assert (estimate(values).low, estimate(values).median, estimate(values).high) == (4, 8, 12)
    assert (estimate([2.0, 1.0, 4.0]).low, estimate([2.0, 1.0, 4.0]).high) == (1, 4)


def test_variants_take_turns_and_the_first_rounds_are_not_counted() -> None:
    order: list[str] = []

    def taking(name: str) -> Callable[[], float]:
        def run() -> float:
            order.append(name)
            return float(len(order))

        return run

    seconds = in_turn({"a": taking("a"), "b": taking("b")}, 2, nothing)
    assert order == ["a", "b"] * (2 + WARM_UP)
    assert seconds == {"a": [2 * WARM_UP + 1, 2 * WARM_UP + 3], "b": [2 * WARM_UP + 2, 2 * WARM_UP + 4]}
    assert ratios([2.0, 6.0, 4.0], [1.0, 2.0, 2.0]).median == 2


def test_the_command_writes_its_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results.json"
    main(["--quick", "--parts", "batching", "--json", str(file)])
    results = json.loads(file.read_text())
    assert results["machine"]["torch"] == torch.__version__
    assert [row["repeated"] for row in results["batching"]] == [True] * 3
    assert "One by one against all at once" in capsys.readouterr().out


def test_the_part_for_gpus_runs_here_tiny(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "results.json"
    monkeypatch.setattr(gpu, "QUICK", replace(gpu.QUICK, precisions=("bf16", "tf32")))
    main(["--quick", "--parts", "gpu", "--device", "cpu", "--json", str(file)])
    rows = json.loads(file.read_text())["gpu"]
    assert [(row["precision"], row["compiler"]) for row in rows] == [
        ("bf16", compiler) for compiler in ("none", "aot_eager")
    ]
    for row in rows:
        assert 0 < row["matched"] <= row["batch"]
        assert row["peak_bytes"] is None
        assert (row["same_bytes"], row["error_change"]) == (1.0, 0.0)
        assert min(row["step"]["median"], row["bare_share"]["median"], row["channels_last"]["median"]) > 0
    assert "The search on one device" in capsys.readouterr().out


def test_all_precisions_are_measured_on_a_gpu() -> None:
    rows = gpu.variants(gpu.GpuSetting(), torch.device("cuda"))
    assert len(rows) == 3 * 3 * 2
    assert ("avgpool", "tf32", "inductor") in rows


def test_a_device_that_is_not_there_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        main(["--device", "cuda", "--json", "x"])
    assert "device is 'cuda', but torch finds no CUDA device here" in capsys.readouterr().err


def test_a_setting_of_several_stages_goes_on_from_what_it_found() -> None:
    tiny = replace(settings.QUICK, names=("coarse to fine, Adam 0.1",))
    rows = settings.floors(tiny, nothing)
    assert [row.stage for row in rows] == list(STAGES)
    coarse, fine = settings.settings(tiny.size, tiny.steps)["coarse to fine, Adam 0.1"]
    assert (coarse.image_size, fine.image_size) == (tiny.size // 2, tiny.size)
    network, (_, layer, _) = TRAINED[0].build(), TRAINED[0].layers
    alone = settings.descend((fine,), network, layer, 2)
    after = settings.descend((coarse, fine), network, layer, 2)
    assert after.shape == alone.shape
    assert not torch.equal(after, alone)


def test_an_unknown_setting_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no setting 'Adam'; allowed: .*Adam 0.07; .*coarse to fine"):
        settings.chosen(replace(settings.QUICK, names=("Adam",)))


def test_another_recipe_and_rate_run_against_the_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Recipe] = []

    def noting(*given: object, device: torch.device) -> list[time_to_match.Match]:
        assert device == torch.device("cpu")
        asked.extend(one for one in given if isinstance(one, Recipe))
        return []

    monkeypatch.setattr(time_to_match, "matches", noting)
    usual = ["--quick", "--parts", "match", "--json", str(tmp_path / "results.json")]
    main(usual)
    main([*usual, "--recipe", "freq_tv", "--rate", "0.05"])
    tv = preset("freq_tv")
    assert asked == [preset("reg_free"), replace(tv, optimizer=replace(tv.optimizer, learning_rate=0.05))]


def test_the_match_runs_on_the_device_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, torch.device]] = []

    def noting(_subjects: object, setting: object, *_others: object, device: torch.device) -> list[object]:
        asked.append((setting, device))
        return []

    monkeypatch.setattr(time_to_match, "matches", noting)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    command._match(command._parser().parse_args(["--device", "cuda", "--json", "x"]), Progress())
    assert asked == [(time_to_match.ON_GPU, torch.device("cuda"))]


def test_a_rate_that_cannot_be_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--rate", "-1", "--json", "x"])
    assert "optimizer.learning_rate is -1.0; allowed: a number from" in capsys.readouterr().err


def test_an_unknown_part_is_named_with_those_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--parts", "steps,speed", "--json", "x"])
    said = capsys.readouterr().err
    assert "unknown part 'speed'; allowed: steps, memory, match, settings, batching, gpu, hour" in said


def test_what_an_hour_makes_is_counted_over_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "results.json"
    main(["--quick", "--parts", "hour", "--batch", "2", "--batch", "3", "--json", str(file)])
    some, whole = json.loads(file.read_text())["hour"]
    assert (some["batch"], some["whole"], whole["batch"]) == (2, None, 3)
    assert whole["whole"]["failures"] == 0
    assert whole["whole"]["used"] is None
    assert min(whole["whole"][part] for part in ("search", "encode", "measure")) > 0
    assert min(row["speedup"]["low"] for row in (some, whole)) > 0
    assert "IRIs an hour, every image all steps" in capsys.readouterr().out


def test_an_hour_is_of_the_slowest_that_is_known() -> None:
    step = estimate([0.5, 0.5])
    row = hour.Hour("net", "layer", 32, 10, "float32", "none", step, step, None, None, 24)
    assert row.per_hour == 3600 * 10 / 12
    whole = hour.Whole(search=15, encode=3, measure=2, used=None, failures=0)
    assert replace(row, whole=whole).per_hour == 3600 * 10 / 20


def test_networks_precisions_and_compilers_can_be_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[hour.HourSetting] = []

    def noting(setting: hour.HourSetting, *_: object) -> list[hour.Hour]:
        asked.append(setting)
        return []

    monkeypatch.setattr(hour, "hours", noting)
    usual = ["--parts", "hour", "--json", str(tmp_path / "results.json"), "--network", "vit_b_16"]
    main([*usual, "--precision", "bf16", "--precision", "float32", "--batch", "4"])
    (setting,) = asked
    assert [case.network for case in setting.cases] == ["vit_b_16"]
    assert (setting.precisions, setting.compilers) == (("bf16", "float32"), ("none",))
    assert (setting.batches, setting.whole) == ((4,), 4)
    assert hour.count(setting) == 2
