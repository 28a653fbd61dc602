"""What deploy/ says of the gateway is true. Its form is checked by `make deploy-check`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.settings import Settings
from gateway.settings.configuration import read_settings
from gateway.telemetry.metrics import Metrics

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
ALERTS = (DEPLOY / "prometheus/alerts.yml").read_text(encoding="utf-8")
DASHBOARD = (DEPLOY / "grafana/dashboard.json").read_text(encoding="utf-8")


def test_every_metric_that_is_watched_is_exported():
    """A name that nobody exports draws an empty panel, and an alert that never fires."""
    exported = set(re.findall("^# TYPE (\\S+)", Metrics(Settings()).shown().decode(), re.M))

    for text in (ALERTS, DASHBOARD):
        names = set(re.findall(r"\b(?:gateway|process|python)_[a-z_]+", text))
        families = {re.sub("_(bucket|sum|count)$", "", name) for name in names}
        assert families - exported == set()


def test_the_docs_say_what_to_do_about_each_alert():
    """A row of the table of alerts for each rule, in their order."""
    rules = re.findall(r"- alert: (\w+)", ALERTS)
    docs = (ROOT / "docs/operations.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| `([A-Z]\w+)` \|", docs, re.M) == rules


@pytest.mark.parametrize("file", ["gateway.toml", "kubernetes/production/gateway.toml"])
def test_each_file_of_settings_is_one_that_the_gateway_starts_with(file):
    """With the port of metrics that Prometheus asks."""
    settings = read_settings({"GATEWAY_CONFIG": str(DEPLOY / file)})

    assert settings.management_port == 9464
    assert settings.default_upstream is not None


def test_there_is_time_to_drain_and_to_answer_what_was_begun():
    """As docs/operations.md says how long stopping takes; on Kubernetes and with Compose."""
    deployment = (DEPLOY / "kubernetes/base/deployment.yaml").read_text(encoding="utf-8")
    compose = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")

    [pod] = re.findall(r"terminationGracePeriodSeconds: (\d+)", deployment)
    [container] = re.findall(r"stop_grace_period: (\d+)s", compose)

    assert min(int(pod), int(container)) > Settings().drain + Settings().deadline + 7
