"""The compose file, the settings and the documented table of variables say the same."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from survey_site.stack.options import BASE_DIR, StackOptions
from survey_site.stack.processes import Process, housekeeping_worker, iri_worker, web

DOCUMENT = (BASE_DIR / "docs" / "deployment.md").read_text()
COMPOSE_TEXT = (BASE_DIR / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SITE_SERVICES = ("migrate", "web", "worker", "worker-gpu", "beat")
ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \| ([a-z, ]+) \|", re.MULTILINE)
TABLE = {
    name: (default.strip("`"), set(readers.split(", "))) for name, default, readers in ROW.findall(DOCUMENT)
}


def documented_for(reader: str) -> set[str]:
    return {name for name, (_, readers) in TABLE.items() if reader in readers}


def settings_reads() -> dict[str, ast.Call]:
    """Every `env_*("NAME", ...)` in settings.py."""
    tree = ast.parse((BASE_DIR / "survey_site" / "settings.py").read_text())
    calls: dict[str, ast.Call] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.startswith("env_"):
            calls[ast.literal_eval(node.args[0])] = node
    return calls


def environ_reads(*folders: str) -> set[str]:
    """Names read from os.environ directly, outside settings.py and the stack's options."""
    pattern = re.compile(r"environ(?:\.get\(|\[)\"([A-Z_]+)\"")
    files = [path for folder in folders for path in (BASE_DIR / folder).rglob("*.py")]
    return {name for path in files for name in pattern.findall(path.read_text())}


def as_words(default: object) -> str:
    if isinstance(default, list):
        return ",".join(map(str, default)) or "none"
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_the_table_names_what_the_settings_read() -> None:
    assert documented_for("site") == set(settings_reads())


def test_the_table_names_what_the_stack_reads() -> None:
    source = (BASE_DIR / "survey_site" / "stack" / "options.py").read_text()
    assert documented_for("stack") == set(re.findall(r'text\("([A-Z_]+)"', source))


def test_the_table_names_what_workers_read() -> None:
    assert documented_for("worker") == environ_reads("workers")


def test_nothing_else_of_the_site_reads_the_environment() -> None:
    assert environ_reads("survey_site") <= set(TABLE)


def test_defaults_in_the_table_are_those_of_the_settings() -> None:
    for name, call in settings_reads().items():
        if len(call.args) > 1:
            try:
                default = ast.literal_eval(call.args[1])
            except ValueError:  # worked out at start: the table says how, in words
                continue
            assert TABLE[name][0] == as_words(default), name


def test_compose_hands_every_setting_to_every_process() -> None:
    for name in SITE_SERVICES:
        assert set(settings_reads()) <= set(SERVICES[name]["environment"]), name
    assert "IRI_DEVICE" in SERVICES["worker"]["environment"]
    assert "IRI_DEVICE" in SERVICES["worker-gpu"]["environment"]


def test_compose_asks_for_documented_variables_only() -> None:
    assert set(re.findall(r"\$\{([A-Z_]+)", COMPOSE_TEXT)) <= set(TABLE)


def test_compose_reads_what_the_table_says_it_does() -> None:
    assert documented_for("compose") <= set(re.findall(r"\$\{([A-Z_]+)", COMPOSE_TEXT))


def test_every_service_is_there_and_none_refers_to_a_missing_one() -> None:
    assert set(SERVICES) == {*SITE_SERVICES, "postgres", "redis"}
    for name, service in SERVICES.items():
        assert {"image"} <= set(service), name
        assert set(service.get("depends_on", {})) <= set(SERVICES), name
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"], name


def test_every_lasting_service_has_a_health_check_and_comes_back() -> None:
    for name, service in SERVICES.items():
        if name != "migrate":
            assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
            assert service["restart"] == "unless-stopped", name


def test_processes_wait_for_healthy_servers_and_for_migrations() -> None:
    servers = {"postgres": {"condition": "service_healthy"}, "redis": {"condition": "service_healthy"}}
    assert SERVICES["migrate"]["depends_on"] == servers
    for name in ("web", "worker", "worker-gpu", "beat"):
        assert SERVICES[name]["depends_on"] == servers | {
            "migrate": {"condition": "service_completed_successfully"}
        }


def test_the_gpu_worker_is_asked_for() -> None:
    assert SERVICES["worker-gpu"]["profiles"] == ["gpu"]
    devices = SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]


@pytest.mark.parametrize(
    ("service", "process", "own"),
    [
        # What differs on purpose: addresses, queues and names, the schedule's place, gunicorn's processes.
        ("web", web, {"127.0.0.1:8000", "0.0.0.0:8000", "--workers", "2"}),
        ("worker", iri_worker, {"iri.cpu,iri.gpu", "iri.cpu"}),
        ("worker-gpu", iri_worker, {"iri.cpu,iri.gpu", "iri.gpu", "iri@%h", "iri-gpu@%h"}),
        ("beat", housekeeping_worker, {"/var/celerybeat-schedule", "/tmp/celerybeat-schedule"}),  # noqa: S108
    ],
)
def test_containers_run_what_the_supervisor_runs(service: str, process: Any, own: set[str]) -> None:
    options = StackOptions(
        var_dir=Path("/var"), port=8000, public_url="", database_url="x", broker_url="redis://x"
    )
    ours: Process = process(options)
    words = [word for word in ours.child.command[2:] if word not in own]  # without "python -m"
    assert sorted(words) == sorted(word for word in SERVICES[service]["command"] if word not in own)


def test_the_dockerfile_copies_only_what_the_build_context_has() -> None:
    dockerfile = (BASE_DIR / "Dockerfile").read_text()
    allowed = re.findall(r"^!(\S+)", (BASE_DIR / ".dockerignore").read_text(), re.MULTILINE)
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert (BASE_DIR / source).exists(), source
        assert source.split("/")[0] in allowed, source


def test_the_image_does_not_run_as_root() -> None:
    users = re.findall(r"^USER (\S+)", (BASE_DIR / "Dockerfile").read_text(), re.MULTILINE)
    assert users
    assert users[-1] not in ("root", "0")
