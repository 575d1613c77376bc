"""What the service stands on: every locked dependency with its licence, and whether the lock holds.

    python -m tests.safety.audit        (make audit)

Known holes are looked up by pip-audit where it is installed and its data can be had; without, the lock and the
procedure in docs/security.md stand in.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PIP_AUDIT_SECONDS = 120


def locked(constraints: str) -> dict[str, str]:
    """The pinned version of each package by its canonical name."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", constraints, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def needed(package: str) -> dict[str, Distribution]:
    """Every installed package that `package` needs to run, itself left out; those of its extras are not."""
    found: dict[str, Distribution] = {}
    waiting = [(package, frozenset({""}))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = item = waiting.pop()
        if item in seen:
            continue
        seen.add(item)
        for text in distribution(name).requires or ():
            requirement = Requirement(text)
            if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
                continue
            try:
                there = distribution(requirement.name)
            except PackageNotFoundError:
                continue
            found[canonicalize_name(requirement.name)] = there
            waiting.append((requirement.name, frozenset({"", *requirement.extras})))
    return found


def licence(package: Distribution) -> str | None:
    """What the package says of its licence: the expression, the classifier or the first line of the text."""
    about = package.metadata
    classifiers = [c.rpartition(" :: ")[2] for c in about.get_all("Classifier") or () if c.startswith("License ::")]
    said = about.get("License-Expression") or next(iter(classifiers), None) or about.get("License") or ""
    return said.strip().splitlines()[0][:60] if said.strip() else None


def problems(packages: dict[str, Distribution], pins: dict[str, str]) -> list[str]:
    """Packages that are not locked, are another version than locked, or say nothing of a licence."""
    found = []
    for name, package in sorted(packages.items()):
        if name not in pins:
            found.append(f"{name} {package.version}: not in constraints.txt")
        elif pins[name] != package.version:
            found.append(f"{name} {package.version}: constraints.txt says {pins[name]}")
        if licence(package) is None and not any("licen" in str(file).lower() for file in package.files or ()):
            found.append(f"{name} {package.version}: no licence is told")
    return found


def known_holes() -> str:
    """What pip-audit says of the lock, or why it could not be asked."""
    if shutil.which("pip-audit") is None:
        return "Known holes: not looked up, pip-audit is not installed; see docs/security.md for the procedure."
    try:
        done = subprocess.run(["pip-audit", "--no-deps", "--disable-pip", "-r", str(ROOT / "constraints.txt")],
                              capture_output=True, text=True, timeout=PIP_AUDIT_SECONDS)  # fmt: skip
    except subprocess.TimeoutExpired:
        return "Known holes: not looked up, the data could not be had; see docs/security.md for the procedure."
    return done.stdout + done.stderr


def main() -> int:
    """Print the table; exit status 1 when the lock does not hold."""
    packages = needed("handoff")
    for name, package in sorted(packages.items()):
        print(f"{name:32} {package.version:14} {licence(package) or 'see its licence file'}")
    found = problems(packages, locked((ROOT / "constraints.txt").read_text("utf-8")))
    print(f"{len(packages)} packages stand under the service; {len(found)} problems", *found, sep="\n")
    print(known_holes())
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
