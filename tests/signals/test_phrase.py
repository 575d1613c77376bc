"""The pattern language of the lexicon: what each sign matches, and what is refused."""

from __future__ import annotations

import pytest

from handoff.signals.phrase import BadPhrase, compile_phrase, endings

GROUPS = {"human": ("agent", "human being"), "bot": ("bot",)}

MATCHES = {
    "words in a row": ("not working", "it is not working today", True),
    "not with a word between": ("not working", "not really working", False),
    "whole words only": ("agent", "the agenda", False),
    "one of several": ("speak|talk", "i talk", True),
    "several words in one alternative": ("real_person|agent", "a real person", True),
    "an optional word that is there": ("a (real) agent", "a real agent", True),
    "an optional word that is not": ("a (real) agent", "a agent", True),
    "one of several optional words": ("talk to (a|an|the) agent", "talk to the agent", True),
    "a gap of three words": ("talk .. agent", "talk to the nice agent", True),
    "no gap of four words": ("talk .. agent", "talk to the very nice agent", False),
    "no gap over a comma": ("talk .. agent", "talk , agent", False),
    "no gap over a full stop": ("talk .. agent", "talk . agent", False),
    "an empty gap": ("talk .. agent", "talk agent", True),
    "the regular endings of a word": ("charge+ me", "charging me", True),
    "a group": ("an <human>", "an agent", True),
    "several words of a group": ("a <human>", "a human being", True),
    "a group among alternatives": ("<human>|machine", "machine", True),
    "a number": ("charged <number>", "charged 40", True),
    "an amount": ("charged <number>", "charged $40.50", True),
    "a number joined to a word": ("<number>_star review", "1 star review", True),
    "no number": ("charged <number>", "charged me", False),
    "a comma that must be there": ("no , agent", "no agent", False),
    "a comma that may be there": ("no (,) agent", "no , agent", True),
    "the beginning of a sentence": ("^ agent", "hello . agent", True),
    "not the beginning of a sentence": ("^ agent", "my agent", False),
    "the end of a sentence": ("agent $", "an agent . thanks", True),
    "not the end of a sentence": ("agent $", "agent status", False),
    "contractions written out": ("doesn't work", "it does not work", True),
    "accents dropped": ("médico", "medico", True),
    "elisions as in the text": ("quelqu'un", "quelquun", True),
}


@pytest.mark.parametrize(("written", "words", "expected"), MATCHES.values(), ids=MATCHES.keys())
def test_matches(written: str, words: str, expected: bool) -> None:
    phrase = compile_phrase(written, GROUPS)
    assert bool(list(phrase.spans(f" . {words} . "))) is expected


REFUSED = {
    "an unknown group": ("an <humen>", "unknown group '<humen>'; did you mean 'human'?"),
    "capitals": ("an Agent", "'Agent' has capitals"),
    "signs of a regular expression": ("agent.*", "'agent.*' is not a word"),
    "square brackets": ("[an] agent", "'[an]' is not a word"),
    "an everyday word alone": ("help", "'help' alone says nothing"),
    "an optional end": ("talk (to)", "ends with '(to)'"),
    "an optional beginning": ("(to) talk", "begins with '(to)'"),
    "a gap at the end": ("talk ..", "ends with '..'"),
    "nothing": ("", "is empty"),
    "only signs": ("^ <number> $", "needs at least one word"),
    "the beginning in the middle": ("a ^ b", "'^' belongs at its beginning"),
    "an empty alternative": ("a||b c", "'' is not a word"),
}


@pytest.mark.parametrize(("written", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses(written: str, message: str) -> None:
    with pytest.raises(BadPhrase) as caught:
        compile_phrase(written, GROUPS)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("charge", "charging"),
        ("cancel", "cancelled"),
        ("cancel", "canceled"),
        ("refund", "refunds"),
        ("deny", "denied"),
        ("crash", "crashes"),
        ("stop", "stopped"),
        ("pay", "paying"),
    ],
)
def test_endings(word: str, form: str) -> None:
    assert form in endings(word)


def test_a_phrase_is_looked_up_by_its_rarest_word() -> None:
    phrase = compile_phrase("not my <human>", GROUPS)
    assert phrase.anchors == {"agent", "human"}
    assert set(phrase.others) == {frozenset({"not"}), frozenset({"my"})}


def test_of_several_words_the_least_common_leads_to_a_phrase() -> None:
    phrase = compile_phrase("a_record|to_slack|dns", GROUPS)
    assert phrase.anchors == {"record", "slack", "dns"}
