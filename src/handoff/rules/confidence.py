"""The assistant's own confidence as the rules see it: calibrated per version of the assistant, where a file says so.

Only rules read the calibrated values. Features and models go on with what the assistant reported, so that a model
sees at serving what it saw in training. `handoff calibrate` writes the file, HANDOFF_CONFIDENCE switches it on.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from handoff.calibration import Calibration
from handoff.errors import BadModel, BadPolicy
from handoff.features import FEATURES, Moment
from handoff.features.heard import Heard
from handoff.features.table import Running
from handoff.signals import read
from handoff.transcript import Message

# Fewer labelled replies of a version say too little of what its confidence is worth: it stays as reported.
LEAST_REPLIES = 500
# Log-odds of a confidence of 0 or 1 would be infinite.
CLOSEST = 1e-6
DECIMALS = 6

Label = Literal["outcome", "next_message", "label"]

# The features that say something of the confidence, with their columns in a row.
_COLUMNS = tuple(
    (column, feature.source)
    for column, feature in enumerate(FEATURES)
    if feature.family == "confidence" and isinstance(feature.source, Running)
)
CONFIDENCE_FEATURES = frozenset(FEATURES[column].name for column, _ in _COLUMNS)


class VersionConfidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the confidence of one version of the assistant is worth, from `replies` labelled ones of which `helped`
    did. `log_loss` is out of fold, by method, "none" being the confidence as it is reported."""

    replies: int
    helped: int
    log_loss: dict[Literal["none", "sigmoid", "isotonic", "temperature"], float]
    calibration: Calibration


class ConfidenceCalibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file of `handoff calibrate`: what counted as a reply that helped, in which conversations, and by version of
    the assistant the calibration of its confidence."""

    label: Label
    source: str
    fingerprint: str
    versions: dict[str, VersionConfidence]

    def used(self, message: Message) -> float | None:
        """The confidence that rules go by, to six decimals; as reported for a version that is not in the file."""
        known = self.versions.get(message.assistant_version or "")
        if message.confidence is None or known is None:
            return message.confidence
        raw = np.array([confidence_log_odds(message.confidence)])
        return round(float(known.calibration.probabilities(raw)[0]), DECIMALS)


def confidence_log_odds(confidence: float) -> float:
    """Log-odds of a confidence from 0 to 1, both ends moved in by a millionth."""
    inside = min(max(confidence, CLOSEST), 1 - CLOSEST)
    return math.log(inside / (1 - inside))


def load_confidence(path: Path) -> tuple[ConfidenceCalibration, bytes]:
    """The file and its bytes. Raises `BadPolicy` naming the file, the version and what is wrong."""
    try:
        content = path.read_bytes()
        found = msgspec.json.decode(content, type=ConfidenceCalibration)
    except OSError as error:
        raise BadPolicy(f"{path}: cannot be read ({error.strerror}); 'handoff calibrate' writes such a file") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadPolicy(f"{path}: {error}; 'handoff calibrate' writes such a file") from None
    for version, known in found.versions.items():
        _check(f"{path}, version '{version}'", known)
    return found, content


def _check(place: str, known: VersionConfidence) -> None:
    if known.replies < LEAST_REPLIES:
        raise BadPolicy(f"{place}: {known.replies} labelled replies; needs at least {LEAST_REPLIES}")
    try:
        known.calibration.check()
    except BadModel as error:
        raise BadPolicy(f"{place}, {error}") from None


class UsedConfidence:
    """The confidence features of one conversation over the values that rules go by, fed one `Moment` after another.

    It starts anew where the features of `Moment.row_since_decline` do.
    """

    __slots__ = ("_calibration", "_episode", "_statistics", "_values")

    def __init__(self, calibration: ConfidenceCalibration) -> None:
        self._calibration, self._episode = calibration, 0
        self._start_anew()

    def _start_anew(self) -> None:
        self._statistics = [source.statistic() for _, source in _COLUMNS]
        self._values = [_number(statistic.value()) for statistic in self._statistics]

    def row(self, moment: Moment) -> tuple[float, ...]:
        """`row_since_decline` with the confidence as used. What did not change is the same object as in the last."""
        if moment.episode != self._episode or moment.message.event == "declined":
            self._episode = moment.episode
            self._start_anew()
        if moment.read and moment.message.role == "assistant" and moment.message.event != "resolved":
            self._hear(moment.message)
        row = list(moment.row_since_decline)
        for (column, _), value in zip(_COLUMNS, self._values, strict=True):
            row[column] = value
        return tuple(row)

    def _hear(self, message: Message) -> None:
        used = msgspec.structs.replace(message, confidence=self._calibration.used(message))
        heard = Heard(used, read("", "assistant"), frozenset(), None, None, 1)  # these signals read no text
        for place, ((_, source), statistic) in enumerate(zip(_COLUMNS, self._statistics, strict=True)):
            statistic.update(source.signal.read(heard))
            self._values[place] = _number(statistic.value())


def _number(value: float | None) -> float:
    return math.nan if value is None else value
