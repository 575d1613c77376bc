"""HTML as a person reads it: text, with line breaks, and quoted earlier messages marked by "> "."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from handoff.transcript.types import MAX_TEXT_CHARACTERS

# Beyond this no usable message hides.
_MAX_HTML_CHARACTERS = 10 * MAX_TEXT_CHARACTERS

_UNSEEN = frozenset({"script", "style", "head", "title", "template", "noscript"})
_BLOCKS = frozenset(
    {"p", "div", "br", "hr", "li", "ul", "ol", "tr", "table", "pre", "blockquote", "section", "article", "header"}
    | {f"h{level}" for level in range(1, 7)}
)
_SPACE = re.compile(r"[ \t\r\n\f\xa0]+")
_LOOKS_LIKE_HTML = re.compile(
    r"</?(?:p|br|div|span|b|strong|i|em|u|a|ul|ol|li|blockquote|h[1-6]|table|tr|td|img|pre|script|style)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)


def html_to_text(html: str) -> str:
    """The visible text of a piece of HTML. Scripts, styles and pictures vanish; entities become characters."""
    if len(html) > _MAX_HTML_CHARACTERS:
        return html  # the check of the text's length rejects it by name
    reader = _Reader()
    reader.feed(_closed(html))
    reader.close()
    return reader.text()


def _closed(html: str) -> str:
    """The HTML with every tag and comment that nothing closes turned into text. html.parser would look for its end
    again from each of them, which takes quadratic time: 4 s for 16,000 characters of "<a "."""
    last = html.rfind("-->") + 1
    html = html[:last] + html[last:].replace("<!--", "&lt;!--")
    last = html.rfind(">") + 1
    return html[:last] + html[last:].replace("<", "&lt;")


def text_of(content: str) -> str:
    """The text of a field that may or may not hold HTML: "1 < 2" and "<order number>" stay as they are."""
    return html_to_text(content) if _LOOKS_LIKE_HTML.search(content) else content


class _Reader(HTMLParser):
    """Collects lines and how deeply each is quoted."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[tuple[int, str]] = []
        self._line: list[str] = []
        self._quoted = self._unseen = self._preformatted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag in _BLOCKS:
            self._end_line()
        self._quoted += tag == "blockquote"
        self._preformatted += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(self._unseen - 1, 0)
        elif tag in _BLOCKS:
            self._end_line()
        self._quoted = max(self._quoted - (tag == "blockquote"), 0)
        self._preformatted = max(self._preformatted - (tag == "pre"), 0)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self._end_line()

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        if not self._preformatted:
            self._line.append(data)
            return
        first, *rest = data.split("\n")
        self._line.append(first)
        for line in rest:
            self._end_line()
            self._line.append(line)

    def text(self) -> str:
        self._end_line()
        return "\n".join("> " * quoted + line for quoted, line in self._lines)

    def _end_line(self) -> None:
        line = _SPACE.sub(" ", "".join(self._line)).strip()
        self._line.clear()
        if line:
            self._lines.append((self._quoted, line))
