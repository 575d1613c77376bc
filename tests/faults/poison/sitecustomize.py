"""Python runs this at its start where it is on the path: a model that raises on the refunds that a load asks for (traffic.py), not on its exam."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from types import ModuleType
from typing import Any

MODULE = "handoff.models.escalation"


class _Poison(importlib.abc.MetaPathFinder):
    """Spoils the module once it is imported."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None and spec.loader is not None
        run = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            _spoil(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _spoil(module: ModuleType) -> None:
    answer = module.EscalationModel.probabilities

    def poisoned(model: Any, moments: Any) -> Any:
        if any("charged me twice for order" in moment.message.text for moment in moments):
            raise ZeroDivisionError("poison")
        return answer(model, moments)

    module.EscalationModel.probabilities = poisoned  # type: ignore[attr-defined]


sys.meta_path.insert(0, _Poison())
