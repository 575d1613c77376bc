"""A policy folder with other cuts, for HANDOFF_POLICY: written beside the shipped files, whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import yaml

from handoff.errors import BadInput
from handoff.policy.settings import FILES, Cuts, Policy, load_policy

SETTINGS_FILE = FILES[0]


def write_policy(folder: Path, policy: Policy, cuts: Cuts, says: str, current: Path | None = None) -> Path:
    """Write `folder`/policy.yaml: the policy with `cuts`, `says` as its first comment. Returns the file.

    Teams and messages of the folder in use (`current`) come along. Raises `BadInput` where the folder holds a
    policy.yaml already, and `BadPolicy` where the result would not load.
    """
    target = folder / SETTINGS_FILE
    if target.exists():
        raise BadInput(
            f"{target}: is there already; name a new folder, so that no policy in use changes under a service"
        )
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        (partial / SETTINGS_FILE).write_text(_text(policy, cuts, says), "utf-8")
        for name in FILES[1:]:
            if current is not None and (current / name).is_file():
                shutil.copyfile(current / name, partial / name)
        load_policy(partial)
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(partial.iterdir(), key=lambda path: path.name == SETTINGS_FILE):
            os.replace(file, folder / file.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _text(policy: Policy, cuts: Cuts, says: str) -> str:
    settings = {
        "cuts": msgspec.structs.asdict(cuts),
        "trigger": msgspec.structs.asdict(policy.trigger),
        "within_seconds": msgspec.structs.asdict(policy.within_seconds),
        "only_prepare": sorted(policy.only_prepare),
        "trend_band": policy.trend_band,
        "routing_cut": policy.routing_cut,
    }
    head = "".join(f"# {line}\n" for line in says.splitlines())
    return head + yaml.safe_dump(settings, sort_keys=False, default_flow_style=None)
