"""Takes secrets out of what is recorded."""

import re
from collections.abc import Iterable, Mapping
from typing import final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from par._json import Json
from par.middleware._pii_secrets import Secrets

__all__ = ["Redactor"]

_GONE = "<secret>"
_SHAPES = re.compile(
    r"(?i:\bbearer\s+)[A-Za-z0-9._~+/=-]{6,}"
    r"|\b(?:sk|pk|gsk|xai|csk|hf|rk)[-_][A-Za-z0-9*_-]{12,}"
    r"|\b(?:org-[A-Za-z0-9]{12,}|proj_[A-Za-z0-9]{12,})"
)
_FIELDS = re.compile(
    r"(?i)(?:.*[-_])?(?:api[-_]?key|(?:access|refresh|auth|bearer|session)[-_]?token|(?:client|secret|private)[-_]?(?:secret|key)"
    r"|password|authorization|org(?:ani[sz]ation)?[-_]id)"
)
"""Names of fields that hold secrets. A tool may well have a parameter that is called ``key`` or ``token``."""
_PARAMETERS = re.compile(r"(?i)key|token|sig|signature|code|x-amz-(?:signature|credential|security-token)")
"""More names, of the parameters of an address."""
_HOLDERS = frozenset({
    "api-key",
    "anthropic-organization-id",
    "authorization",
    "cookie",
    "ocp-apim-subscription-key",
    "openai-organization",
    "openai-project",
    "proxy-authorization",
    "set-cookie",
    "x-api-key",
    "x-goog-api-key",
})
_KEPT = re.compile(r"content-type|retry-after(?:-ms)?|(?:x-)?request-id|.*ratelimit-.*")
_SHORTEST = 6


@final
class Redactor:
    """Knows the secrets of one tape: those of the caller, and those that requests carry in their headers.

    A value that was seen in a header is taken out wherever it stands, so a key that a server quotes in an error is
    gone too. Beside these, whatever looks like a key goes, and whatever has a name such as ``api_key``.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = {secret for secret in secrets if secret}
        self._shapes = Secrets()

    def learn(self, headers: Iterable[tuple[str, str]]) -> None:
        """Take the values of headers that hold secrets."""
        for name, value in headers:
            if name.lower() in _HOLDERS:
                words = {value, value.partition(" ")[2]} if " " in value else {value}
                self._known.update(word for word in words if len(word) >= _SHORTEST)

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        for secret in sorted(self._known, key=len, reverse=True):
            text = text.replace(secret, _GONE)
            text = text.replace(quote(secret, safe=""), _GONE)
        text = _SHAPES.sub(_GONE, text)
        for start, end in sorted(self._shapes.find(text), reverse=True):
            text = text[:start] + _GONE + text[end:]
        return text

    def json(self, value: Json, name: str = "") -> Json:
        """Return a JSON value without secrets; fields of such a name lose their text."""
        if isinstance(value, str):
            return _GONE if value and _FIELDS.fullmatch(name) else self.text(value)
        if isinstance(value, list):
            return [self.json(item, name) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self.json(item, key) for key, item in value.items()}
        return value

    def url(self, url: str) -> str:
        """Return an address without its user, and without secrets in its query."""
        parts = urlsplit(url)
        query = [
            (name, _GONE if _FIELDS.fullmatch(name) or _PARAMETERS.fullmatch(name) else self.text(value))
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        ]
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, self.text(parts.path), urlencode(query, safe="<>"), ""))

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers of an answer that a client looks at; all others are left out."""
        return {name.lower(): self.text(value) for name, value in headers.items() if _KEPT.fullmatch(name.lower())}
