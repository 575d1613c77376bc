"""Train a model from conversations: table, split, fit, evaluate, write, track, register, promote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from handoff.errors import BadInput, NotEnoughData
from handoff.features import FEATURE_NAMES, FEATURES_VERSION
from handoff.models.artifact import ENCODERS
from handoff.models.champion import champion, promote
from handoff.models.encoder import DEFAULT_KIND, Encoder, Kind
from handoff.models.manifest import DataReference, EncoderReference, Manifest, Name
from handoff.models.routing import RoutingModel, weights_bytes
from handoff.models.wording import Wording, wording_bytes
from handoff.training import build, log, tracking
from handoff.training.card import escalation_card, routing_card
from handoff.training.doubt import doubt
from handoff.training.embeddings import FOLDER as EMBEDDINGS
from handoff.training.embeddings import embedded
from handoff.training.evaluate import evaluate_escalation, evaluate_routing
from handoff.training.export_encoder import ensure_encoder
from handoff.training.fit_escalation import FittedEscalation, check_enough, fit_escalation
from handoff.training.fit_routing import FittedRouting, fit_routing
from handoff.training.labels import EscalationTarget, is_about_hand_offs
from handoff.training.leaks import suspicious
from handoff.training.report import EscalationReport, RoutingReport
from handoff.training.rows import RoutingTable, Source, Table, routing_table, table
from handoff.training.splits import Split, keys_of, split
from handoff.training.teams import routing_team
from handoff.training.trivial import trivial_policies
from handoff.transcript import Conversation

DEFAULT_SEED = 7
# A model of these may serve without being asked for; the others answer another question.
SERVING_TARGETS = ("escalated", "needed_human")


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train and where to put it.

    With `out` the version is written there and not registered; without, it becomes the next version in `models`.
    `promote` None: only when there is no champion yet and the target is one that may serve.
    """

    models: Path
    out: Path | None = None
    target: EscalationTarget = "escalated"
    within: int | None = None
    seed: int = DEFAULT_SEED
    threads: int = 2
    promote: bool | None = None
    encoder: Kind = DEFAULT_KIND
    wording: bool = True


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """A trained version: where it is, what it is, and how good it is on the test side.

    `doubt` is what the test says against letting it serve, None where the version beats every trivial policy.
    """

    folder: str
    label: str
    registered: str | None
    promoted: bool
    run_id: str
    tracking_uri: str
    split: str
    conversations_read: int
    features: int
    suspicious: dict[str, float]
    doubt: str | None
    report: EscalationReport | RoutingReport


def train_escalation(conversations: Iterable[Conversation], settings: Settings) -> Trained:
    """Train an escalation model. Raises `NotEnoughData` saying what is missing."""
    if settings.within is not None and settings.within < 1:
        raise BadInput(f"the horizon is {settings.within} messages; expected 1 or more")
    rows = table(
        conversations,
        settings.target,
        settings.within,
        requests=is_about_hand_offs(settings.target, settings.within),
        team_of=routing_team(settings.models),
    )
    check_enough(rows, settings.target)
    parted = split(rows.sources, settings.seed)
    train, test = rows.take(parted.train), rows.take(parted.test)
    fitted = fit_escalation(train, settings.target, settings.seed, settings.threads, wording=settings.wording)
    _check_test_side(test, settings.target)
    leaks = suspicious(train.X, train.y, train.weight, FEATURE_NAMES)
    probabilities, trivial = fitted.probabilities(test), trivial_policies(train, test)
    report = evaluate_escalation(
        test, probabilities, trivial, settings.target, settings.within, parted.how, settings.seed
    )
    with tracking.tracked("escalation", rows.fingerprint) as run, _new_version("escalation", settings) as new:
        manifest = _escalation_manifest(fitted, rows, parted, new.version, run.run_id, settings)
        manifest = msgspec.structs.replace(manifest, doubt=doubt(report))
        card = escalation_card(manifest, report, leaks)
        words = wording_bytes(fitted.wording.vocabulary, fitted.wording.coefficients) if fitted.wording else None
        booster = fitted.booster.model_to_string().encode()
        build.build(new.folder, manifest, booster, card, rows.candidates, wording=words)
        log.escalation(run, fitted, train, test, probabilities, trivial, report, card)
        stored = log.escalation_model(run, new.folder, rows)
        registered = _registered("escalation", new, stored, run.run_id)
    return _finish("escalation", settings, new, run, registered, rows.read, len(fitted.features), parted, leaks, report)


def train_routing(conversations: Iterable[Conversation], settings: Settings) -> Trained:
    """Train a routing model. Raises `NotEnoughData` saying what is missing."""
    rows = routing_table(conversations)
    if not rows.teams:
        raise NotEnoughData(
            f"routing: none of {rows.read} conversations was handed to a known team; "
            "it reads outcome.team and the hand-off"
        )
    parted = split(rows.sources, settings.seed)
    encoders = settings.models / ENCODERS
    encoder = ensure_encoder(encoders, settings.encoder)
    texts = (text for moment in rows.moments for text in moment.customer_texts)
    embeddings = embedded(encoder, texts, settings.models / EMBEDDINGS)
    fitted = fit_routing(rows, parted.train, embeddings, settings.seed)
    with tracking.tracked("routing", rows.fingerprint) as run, _new_version("routing", settings) as new:
        manifest = _routing_manifest(fitted, encoder, rows, parted, new.version, run.run_id, settings)
        wording = Wording(fitted.vocabulary, fitted.coefficients, encoder)
        report = evaluate_routing(RoutingModel(manifest, fitted.weights, wording), rows, parted, settings.seed)
        manifest = msgspec.structs.replace(manifest, doubt=doubt(report))
        card = routing_card(manifest, report, fitted.left_out)
        reference = manifest.encoder.folder_name if manifest.encoder else ""
        words = wording_bytes(fitted.vocabulary, fitted.coefficients)
        build.build(new.folder, manifest, weights_bytes(fitted.weights), card, rows.candidates, encoders, words)
        log.routing(run, fitted, report, card, settings.seed)
        stored = log.routing_model(run, new.folder, encoders / reference, rows)
        registered = _registered("routing", new, stored, run.run_id)
        if new.out:  # a folder that was asked for has to work wherever it is taken
            build.copy_encoder(encoders / reference, new.folder / ENCODERS / reference)
    return _finish("routing", settings, new, run, registered, rows.read, len(fitted.features), parted, {}, report)


def _new_version(name: Name, settings: Settings) -> build.NewVersion:
    return build.NewVersion(name, settings.models, settings.out)


def _registered(name: Name, new: build.NewVersion, model_uri: str, run_id: str) -> str | None:
    return None if new.out else tracking.register(name, model_uri, run_id, new.version)


def _finish(
    name: Name,
    settings: Settings,
    new: build.NewVersion,
    run: tracking.Run,
    registered: str | None,
    conversations_read: int,
    features: int,
    parted: Split,
    leaks: dict[str, float],
    report: EscalationReport | RoutingReport,
) -> Trained:
    promoted = new.out is None and _wants_promotion(name, settings)
    if promoted:
        promote(name, new.version, settings.models)
        tracking.set_champion(name, new.version)
    return Trained(
        folder=str(new.final),
        label=f"{name}/{new.version}",
        registered=registered,
        promoted=promoted,
        run_id=run.run_id,
        tracking_uri=run.uri,
        split=parted.how,
        conversations_read=conversations_read,
        features=features,
        suspicious=leaks,
        doubt=doubt(report),
        report=report,
    )


def _wants_promotion(name: Name, settings: Settings) -> bool:
    if settings.promote is not None:
        return settings.promote
    may_serve = name == "routing" or (settings.target in SERVING_TARGETS and settings.within is None)
    return may_serve and champion(name, settings.models) is None


def _escalation_manifest(
    fitted: FittedEscalation, rows: Table, parted: Split, version: str, run_id: str, settings: Settings
) -> Manifest:
    return Manifest(
        name="escalation",
        version=version,
        target=settings.target,
        within=settings.within,
        created=datetime.now(UTC).replace(microsecond=0),
        features=fitted.features,
        features_version=FEATURES_VERSION,
        calibration=fitted.calibration,
        data=DataReference(
            fingerprint=rows.fingerprint,
            conversations=rows.conversations,
            rows=len(rows),
            seed=settings.seed,
            positive_conversations=int(rows.positive.sum()),
            learnt_from=_learnt_from(rows.sources, parted),
        ),
        run_id=run_id,
        libraries=tracking.library_versions(),
        files={},
    )


def _routing_manifest(
    fitted: FittedRouting,
    encoder: Encoder,
    rows: RoutingTable,
    parted: Split,
    version: str,
    run_id: str,
    settings: Settings,
) -> Manifest:
    return Manifest(
        name="routing",
        version=version,
        target="team",
        created=datetime.now(UTC).replace(microsecond=0),
        features=fitted.features,
        features_version=FEATURES_VERSION,
        teams=fitted.teams,
        temperature=fitted.temperature,
        certain_from=fitted.certain_from,
        encoder=EncoderReference(name=encoder.name, version=encoder.version),
        data=DataReference(
            fingerprint=rows.fingerprint,
            conversations=len(rows.teams),
            rows=len(rows.teams),
            seed=settings.seed,
            learnt_from=_learnt_from(rows.sources, parted),
        ),
        run_id=run_id,
        libraries=tracking.library_versions(),
        files={},
    )


def _learnt_from(sources: Sequence[Source], parted: Split) -> bytes:
    return keys_of([source for source, learnt in zip(sources, parted.train, strict=True) if learnt])


def _check_test_side(test: Table, target: EscalationTarget) -> None:
    positives = int(test.positive.sum())
    if positives == 0 or (test.y == 1).all():
        raise NotEnoughData(
            f"target {target!r}: {positives} of the {test.conversations} conversations held out for testing "
            "are positive; figures need both kinds. More conversations, or another seed, are needed"
        )
