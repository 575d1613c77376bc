"""HTML that came along with what somebody wrote: the tags and entities that an editor or a form puts into texts.

Only tags of a fixed list go, and only well-formed ones: "1 < 2", "<order number>" and "a <b and c> d" are text.
"""

from __future__ import annotations

import re

_INLINE = ("a", "b", "code", "em", "font", "i", "s", "small", "span", "strong", "sub", "sup", "u")
_BLOCKS = ("blockquote", "br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "ul")
_ENTITIES = {
    "&nbsp;": " ", "&#160;": " ", "&#xa0;": " ", "&amp;": "&", "&lt;": "<", "&gt;": ">",
    "&quot;": '"', "&#34;": '"', "&apos;": "'", "&#39;": "'", "&#x27;": "'", "&rsquo;": "'", "&lsquo;": "'",
}  # fmt: skip

# Nothing, a slash, or attributes; possessive, so that a tag which nothing closes is looked through once.
_TAG = re.compile(
    rf"</?(?:(?P<block>{'|'.join(_BLOCKS)})|{'|'.join(_INLINE)})(?:\s?/|\s|\s[a-z][a-z-]{{0,20}}\s?=[^<>]*+)?>",
    re.IGNORECASE,
)
_ENTITY = re.compile("|".join(_ENTITIES), re.IGNORECASE)


def may_hold_markup(text: str) -> bool:
    """Whether `without_markup` could change the text: a quick look, for most texts hold neither mark."""
    return "<" in text or "&" in text


def without_markup(text: str) -> str:
    """The text as a browser shows it: no tags, those that end a line as line breaks, and entities as characters."""
    if "<" in text:
        text = _TAG.sub(_instead, text)
    if "&" in text:
        text = _ENTITY.sub(lambda found: _ENTITIES[found[0].lower()], text)
    return text


def _instead(tag: re.Match[str]) -> str:
    return "\n" if tag["block"] else ""
