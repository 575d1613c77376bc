"""What the writer of one message wrote in it: earlier messages, code and addresses set apart, typography evened out.

Everything here takes time in proportion to the length of the text, also on hostile input: no nested or unbounded
repetition in a pattern, and long texts are read by head and tail.
"""

from __future__ import annotations

import re
import unicodedata

# A longer message is a pasted log or a whole thread; what its writer wants stands at either end of it.
MAX_CHARACTERS = 10_000
HEAD_CHARACTERS = 7_000

# What stands in a text for something that is neither a word nor a letter. The first seven are written by
# `handoff.transcript.redact`, the last two by `own_text`.
PLACEHOLDERS = ("[email]", "[phone]", "[card]", "[iban]", "[ip]", "[number]", "[name]", "[code]", "[url]")

_EVEN: dict[int, str] = str.maketrans(
    {
        **dict.fromkeys("’‘‛ʼ`´′＇", "'"),
        **dict.fromkeys("“”„‟«»″＂", '"'),
        **dict.fromkeys("‐‑‒−", "-"),
        **dict.fromkeys("–—―", " , "),
        **dict.fromkeys("\u2028\u2029\u0085", "\n"),
        # Zero-width characters, soft hyphens, marks of direction, variation selectors: invisible, yet they part words.
        **dict.fromkeys("\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff", ""),
        **dict.fromkeys(map(chr, [*range(0x200E, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]), ""),
        **dict.fromkeys(map(chr, range(0xFE00, 0xFE10)), ""),
    }
)

# Few characters of a text are among those; looking at these alone is faster than translating all.
_ODD = re.compile(r"[`\u0080-\U0010ffff]")

_INLINE_CODE = re.compile(r"`[^`\n]{1,500}`")
_ADDRESS = re.compile(r"(?:\b[a-z][a-z0-9+.-]{1,10}://|\bwww\.)[^\s<>\"]+", re.IGNORECASE)
_MAILBOX = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,5}")
# A host or a file named in passing ("agent.example.com", "manager.js"): its parts are not words of the sentence.
_FILE = re.compile(
    r"(?<![\w./\\-])[\w-]{1,60}(?:[./\\][\w-]{1,60}){0,6}\.(?:com|net|org|io|co|js|jsx|ts|tsx|py|php|html?|css|json|xml|ya?ml|txt"
    r"|csv|pdf|png|jpe?g|gif|svg|exe|log|zip|docx?|xlsx?|md|sh|sql|env|ini|conf)(?![\w-])",
    re.IGNORECASE,
)
# The dot first, since a pattern that begins with a letter of its own is found several times as fast.
_INNER_DOT = re.compile(r"\.(?<=\w\.)[A-Za-z]")
# 'single quotes' around a few words, told from apostrophes by what stands outside of them.
_SINGLE_QUOTES = re.compile(r"'(?<![\w']')([^'\n]{1,80})'(?![\w'])")

# The line with which a mail program introduces the message that it quotes.
_INTRODUCES = re.compile(
    r"^(?:on\b.{4,200}\bwrote|le\b.{4,200}\ba écrit|am\b.{4,200}\bschrieb\b.{0,80}|el\b.{4,200}\bescribió"
    r"|em\b.{4,200}\bescreveu|il\b.{4,200}\bha scritto|op\b.{4,200}\bschreef\b.{0,80})\s?:$",
    re.IGNORECASE,
)
_INTRODUCTION_ENDS = ("wrote:", "écrit:", "écrit :", "escribió:", "escreveu:", "scritto:")
_FORWARDED = re.compile(
    r"^-{2,} ?(?:original message|forwarded message|ursprüngliche nachricht|message d'origine)", re.IGNORECASE
)
_OUTLOOK = re.compile(r"^(?:from|von|de|da): \S", re.IGNORECASE)
_OUTLOOK_NEXT = re.compile(r"^(?:sent|date|to|gesendet|envoyé|enviado|inviato): \S", re.IGNORECASE)


def own_text(raw: str) -> str:
    """The part of a message that its writer wrote, in the original case and with its emoji.

    Quoted earlier messages are gone; code, web addresses, mailboxes and file names are placeholders;
    apostrophes and quotation marks are straight; invisible characters are dropped.
    """
    text = _cut(raw)
    if not text.isascii():
        text = even(_without_code(text))
    elif "`" in text:
        text = _without_code(text)
    text = _without_quoted_messages(text)
    return _without_addresses(text)


def even(text: str) -> str:
    """The text in compatibility form (NFKC), straight quotes and apostrophes, nothing invisible."""
    straight = _even(text)
    composed = unicodedata.normalize("NFKC", straight)
    return straight if composed == straight else _even(composed)


def _even(text: str) -> str:
    return _ODD.sub(lambda found: _EVEN.get(ord(found[0]), found[0]), text)


def _cut(raw: str) -> str:
    if len(raw) <= MAX_CHARACTERS:
        return raw
    return f"{raw[:HEAD_CHARACTERS]}\n{raw[HEAD_CHARACTERS - MAX_CHARACTERS :]}"


def _without_code(text: str) -> str:
    """Fenced blocks (also one never closed) and inline code as placeholders. A lone back-tick is an apostrophe."""
    if "`" not in text:
        return text
    if "```" in text:
        text = "".join(" [code] " if place % 2 else part for place, part in enumerate(text.split("```")))
    return _INLINE_CODE.sub(" [code] ", text).replace("`", "'")


def _without_addresses(text: str) -> str:
    if "://" in text or "www." in text or "WWW." in text:
        text = _ADDRESS.sub(" [url] ", text)
    if "@" in text:
        text = _MAILBOX.sub(" [email] ", text)
    if _INNER_DOT.search(text):
        text = _FILE.sub(" [url] ", text)
    return _SINGLE_QUOTES.sub(r'"\1"', text) if text.count("'") > 1 else text


def _without_quoted_messages(text: str) -> str:
    """The lines that are the writer's own; what follows an introduction is quoted to the end, unless it is marked."""
    if not (">" in text or "\n" in text or text.startswith("--")):
        return text
    lines = text.split("\n")
    kept: list[str] = []
    index = 0
    while index < len(lines):
        introduction = _introduction_lines(lines, index)
        if introduction and not _quotes_by_marks(lines, index + introduction):
            break
        if not introduction and not _is_quoted(lines[index].strip()):
            kept.append(lines[index])
        index += introduction or 1
    return "\n".join(kept)


def _is_quoted(bare: str) -> bool:
    """Whether a line is marked as quoted by ">"; ">:(" and ">_<" are faces, "> 5" and ">=" compare."""
    if not bare.startswith(">"):
        return False
    return not (bare[1:2] in (":", "_", ".", "=", ";") or bare[1:].lstrip()[:1].isdigit())


def _introduction_lines(lines: list[str], index: int) -> int:
    """How many lines introduce a quoted message here: 0 when none does, 2 where a mail program has wrapped one."""
    bare = lines[index].strip()
    if index + 1 == len(lines):
        return 0
    if bare.startswith("--"):
        return 1 if _FORWARDED.match(bare) else 0
    if bare.endswith(":"):
        return 1 if _INTRODUCES.match(bare) else 0
    following = lines[index + 1].strip()
    if _OUTLOOK.match(bare) and _OUTLOOK_NEXT.match(following):
        return 1
    wrapped = following.endswith(_INTRODUCTION_ENDS) and _INTRODUCES.match(f"{bare} {following}")
    return 2 if wrapped else 0


def _quotes_by_marks(lines: list[str], index: int) -> bool:
    """Whether the quoted message is marked line by line, so that what follows it is the writer's own again."""
    return any(line.lstrip().startswith(">") for line in lines[index : index + 3])
