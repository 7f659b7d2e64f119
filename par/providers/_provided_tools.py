"""Tools of the provider among the caller's own, as both APIs that have them want it."""

from collections.abc import Iterable

from par.providers._reading import string
from par.providers._wired import Wired

__all__ = ["with_provided"]


def with_provided(own: Iterable[Wired], provided: Iterable[Wired], kind: str) -> list[Wired]:
    """Return the caller's tools followed by the provider's.

    An entry that has the name of an own tool does not follow: one of ``kind``, or without a type, says more of that
    tool, and one of another type takes its place.
    """
    forms = list(own)
    places = {string(form.get("name")): place for place, form in enumerate(forms)}
    for entry in provided:
        place = places.get(string(entry.get("name")))
        if place is None:
            forms.append(entry)
        elif entry.get("type") in (None, kind):
            forms[place] = Wired({**forms[place], **entry})
        else:
            forms[place] = entry
    return forms
