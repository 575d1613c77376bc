"""The lock holds: whatever the service needs is pinned, at the version that is installed, under a known licence."""

from __future__ import annotations

from tests.safety.audit import ROOT, locked, needed, problems


def test_everything_the_service_needs_is_pinned_and_licensed() -> None:
    packages = needed("handoff")
    assert {"bentoml", "lightgbm", "starlette", "sqlalchemy"} <= set(packages)
    assert "torch" not in packages
    assert problems(packages, locked((ROOT / "constraints.txt").read_text("utf-8"))) == []


def test_what_is_not_pinned_is_named() -> None:
    packages = needed("handoff")
    pins = locked((ROOT / "constraints.txt").read_text("utf-8"))
    changed = {name: version for name, version in pins.items() if name != "starlette"} | {"bentoml": "0.1"}
    said = "\n".join(problems(packages, changed))
    assert "starlette" in said and "constraints.txt says 0.1" in said
