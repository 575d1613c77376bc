"""What the assistant's own confidence is worth, version by version: from replies of which it is known whether they
helped.

A file of these calibrations makes the rules go by calibrated confidence (`handoff.rules.confidence`). Which method,
or none, is decided by log loss on customers that the fit has not seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from handoff.calibration import NONE, Calibration, sigmoid
from handoff.errors import BadInput, NotEnoughData, nearest
from handoff.features import FEATURE_NAMES, Moment, follow
from handoff.metrics import calibration_error, log_loss
from handoff.rules.confidence import (
    LEAST_REPLIES,
    ConfidenceCalibration,
    Label,
    VersionConfidence,
    confidence_log_odds,
)
from handoff.training.calibrate import METHODS, Method, fit_calibration
from handoff.training.rows import Source, source_of
from handoff.training.splits import folds
from handoff.transcript import Conversation, to_json
from handoff.transcript.outcomes import before_the_end, hand_offs

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FOLDS = 5
# What a customer's next message must not do for the reply before it to count as one that helped.
DENIES = tuple(
    FEATURE_NAMES.index(name)
    for name in ("customer_repeats_count", "not_helping_count", "asks_for_human_count", "asks_for_manager_count")
)
LABELS: dict[Label, str] = {
    "outcome": (
        "a reply helped where its episode ended resolved and no human took over; "
        "it failed where a human did, or the customer gave up, or nothing was resolved"
    ),
    "next_message": (
        "a reply helped unless the customer's next message repeats, says that it does not help, or asks for a human, "
        "or a human takes over next; the last reply, as the outcome says"
    ),
    "label": "a reply helped where its own label is 0, and failed where it is 1",
}


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """What was found for one version. `method` is what its confidence is used with: "none" is as reported.

    `log_loss` is out of fold, by method; `mean_reported` and `share_helped` are over its `replies`, of which `helped`
    did. `calibration_error` is of the confidence as reported and, out of fold, as used. All None with too few replies.
    """

    version: str
    replies: int
    helped: int
    mean_reported: float
    method: Literal["none", "sigmoid", "isotonic", "temperature"]
    says: str
    log_loss: dict[Method | Literal["none"], float] | None = None
    error_reported: float | None = None
    error_used: float | None = None


class Found(msgspec.Struct, frozen=True):
    """The file to be written, and every version that was looked at, those that stay as reported too."""

    file: ConfidenceCalibration
    fits: tuple[Fit, ...]
    conversations: int
    without_version: int


@dataclass(frozen=True, slots=True)
class Reply:
    """One labelled reply; `of` is its conversation, a position among those that hold one."""

    version: str
    confidence: float
    helped: int
    of: int


def labelled_replies(conversation: Conversation, label: Label) -> Iterator[tuple[Moment, int]]:
    """The assistant's replies that report a confidence and of which it is known whether they helped (1) or not (0).

    Only while the assistant owns the episode, up to the hand-off.
    """
    moments = list(follow(before_the_end(conversation)))
    points = hand_offs(conversation)
    for moment in moments:
        if not moment.read or moment.message.role != "assistant" or moment.message.confidence is None:
            continue
        if moment.index >= points.get(moment.episode, len(moments)):
            continue
        helped = _helped(conversation, moments, moment, points.get(moment.episode), label)
        if helped is not None:
            yield moment, helped


def _helped(
    conversation: Conversation, moments: Sequence[Moment], reply: Moment, handed_off: int | None, label: Label
) -> int | None:
    """`handed_off` is where the reply's episode went to a human. None where nobody knows whether it helped."""
    if label == "label":
        return None if reply.message.label is None else 1 - reply.message.label
    if label == "outcome" and handed_off is not None:
        return 0
    for later in moments[reply.index + 1 : handed_off]:
        if later.message.event == "resolved":
            return 1
        if later.episode != reply.episode:
            return None
        if label == "next_message" and later.read:
            return _goes_on_well(reply, later)
    return _by_the_outcome(conversation) if handed_off is None else 0


def _goes_on_well(reply: Moment, later: Moment) -> int | None:
    if later.message.role == "assistant":
        return None
    return int(all(later.row[column] <= reply.row[column] for column in DENIES))


def _by_the_outcome(conversation: Conversation) -> int | None:
    outcome = conversation.outcome
    if outcome is None:
        return None
    if outcome.abandoned:
        return 0
    return None if outcome.resolved is None else int(outcome.resolved)


def check_label(label: str) -> Label:
    """The label by its name. Raises `BadInput` with the nearest one for another name."""
    for known in LABELS:
        if label == known:
            return known
    raise BadInput(f"unknown label {label!r}{nearest(label, tuple(LABELS))}")


def fit_confidence(conversations: Iterable[Conversation], label: Label, source: str, seed: int) -> Found:
    """Calibrate each version with replies enough. Raises `NotEnoughData` where no reply is labelled.

    `source` names the conversations for whoever reads the file.
    """
    replies, sources, read, digest, without = list[Reply](), list[Source](), 0, hashlib.sha256(), 0
    for conversation in conversations:
        read += 1
        digest.update(to_json(conversation))
        found = list(labelled_replies(conversation, label))
        if found:
            sources.append(source_of(conversation))
        for moment, helped in found:
            version, confidence = moment.message.assistant_version, moment.message.confidence
            without += version is None
            if version is not None and confidence is not None:
                replies.append(Reply(version, confidence, helped, len(sources) - 1))
    if not replies:
        raise NotEnoughData(
            f"none of {read} conversations holds a reply with a confidence, an assistant_version and a label "
            f"({label}: {LABELS[label]})"
        )
    fits, versions = list[Fit](), dict[str, VersionConfidence]()
    for version in sorted({reply.version for reply in replies}):
        fit, known = _fit_version(version, [reply for reply in replies if reply.version == version], sources, seed)
        fits.append(fit)
        if known is not None:
            versions[version] = known
    file = ConfidenceCalibration(label=label, source=source, fingerprint=digest.hexdigest()[:16], versions=versions)
    return Found(file, tuple(fits), read, without)


def _fit_version(
    version: str, replies: Sequence[Reply], sources: Sequence[Source], seed: int
) -> tuple[Fit, VersionConfidence | None]:
    y = np.array([reply.helped for reply in replies], dtype=np.int64)
    raw = np.array([confidence_log_odds(reply.confidence) for reply in replies])
    fit = Fit(
        version=version, replies=len(y), helped=int(y.sum()), method="none", says="",
        mean_reported=float(np.mean([reply.confidence for reply in replies])),
    )  # fmt: skip
    too_few = _too_few(y)
    if too_few:
        return msgspec.structs.replace(fit, says=f"stays as reported: {too_few}"), None
    of = np.array([reply.of for reply in replies], dtype=np.int64)
    used = out_of_fold(raw, y, _fold(of, y, sources, seed))
    weight = np.ones(len(y))
    loss = {name: log_loss(y, p, weight) for name, p in used.items()}
    best = min(loss, key=lambda name: loss[name])
    fit = msgspec.structs.replace(
        fit,
        method=best,
        says="stays as reported: no method had a lower log loss" if best == "none" else "calibrated",
        log_loss=dict(loss),
        error_reported=calibration_error(y, used["none"], weight),
        error_used=calibration_error(y, used[best], weight),
    )
    if best == "none":
        return fit, None
    calibration = _calibration(best, raw, y)
    known = VersionConfidence(replies=len(y), helped=int(y.sum()), log_loss=dict(loss), calibration=calibration)
    return fit, known


def _too_few(y: Integers) -> str | None:
    if len(y) < LEAST_REPLIES:
        return f"{len(y)} labelled replies; needs at least {LEAST_REPLIES}"
    least = min(int(y.sum()), int(len(y) - y.sum()))
    return (
        None if least >= FOLDS else f"{least} replies of one kind; needs at least {FOLDS} that helped and that did not"
    )


def out_of_fold(raw: Floats, y: Integers, fold: Integers) -> dict[Method | Literal["none"], Floats]:
    """Probabilities by each method, a row's from fits that have not seen its fold; "none": the confidence itself."""
    found: dict[Method | Literal["none"], Floats] = {"none": sigmoid(raw)}
    for method in METHODS:
        p = np.empty(len(raw))
        for held in np.unique(fold):
            learn = fold != held
            p[~learn] = _calibration(method, raw[learn], y[learn]).probabilities(raw[~learn])
        found[method] = p
    return found


def _calibration(method: Method | Literal["none"], raw: Floats, y: Integers) -> Calibration:
    if method == "none":
        return NONE
    return fit_calibration(raw, y, np.ones(len(y)), int(y.sum()), method)


def _fold(of: Integers, y: Integers, sources: Sequence[Source], seed: int) -> Integers:
    """The fold of each reply; the conversations of one customer share theirs."""
    present = np.isin(np.arange(len(sources)), of)
    helped = np.isin(np.arange(len(sources)), of[y == 1])
    return folds(sources, helped, present, FOLDS, seed)[of]
