"""The rules of permissions: which calls they mean, and what they say of them."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from inspect import iscoroutinefunction
from typing import Literal, TypeAlias, cast, get_args

import attrs
from attrs import validators

from par.approvals import Risk
from par.calls import Effect, ToolCall
from par.middleware._checks import Field, choice

__all__ = ["Action", "Rule"]

Action: TypeAlias = Literal["allow", "confirm", "deny"]

_text = validators.instance_of(str)
_names = validators.deep_iterable(_text, validators.instance_of(tuple))


def _pattern(_instance: object, field: Field, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{field.name} must be the name of a tool or a pattern, got {value!r}")
    if not value:
        raise ValueError(f"{field.name} must not be empty: it would match no tool")


def _plain(_instance: object, field: Field, value: Callable[[ToolCall], bool] | None) -> None:
    if iscoroutinefunction(value):
        raise TypeError(f"{field.name} must be a plain function: an async one cannot be waited for here")


@attrs.frozen
class Rule:
    """Says what happens to the calls that it matches: all its conditions must hold.

    ``Rule("deny", "delete_*")``, ``Rule("confirm", effect="once")``, ``Rule("allow", "deploy", roles=("admin",))``.
    """

    action: Action = attrs.field(validator=choice(*get_args(Action)))
    """``"allow"`` lets the call go on, ``"confirm"`` asks a person, ``"deny"`` refuses it."""
    tool: str = attrs.field(default="*", validator=_pattern)
    """The tool's name, or a pattern with ``*``, ``?`` and ``[...]``; upper and lower case differ."""
    effect: Effect | None = attrs.field(
        default=None, kw_only=True, validator=validators.optional(validators.in_(get_args(Effect)))
    )
    """The effect that the tool declares; ``None`` for any. A tool that does not exist counts as ``read``."""
    roles: tuple[str, ...] = attrs.field(default=(), kw_only=True, validator=_names)
    """The caller must have one of these; empty for any caller."""
    when: Callable[[ToolCall], bool] | None = attrs.field(
        default=None, kw_only=True, validator=[validators.optional(validators.is_callable()), _plain]
    )
    """A plain function of the call. It sees arguments that fit the tool, for others are refused before. If it
    raises, or answers anything but True and False, the call is denied."""
    approvers: tuple[str, ...] = attrs.field(default=(), kw_only=True, validator=_names)
    """The roles of those who may confirm; empty for anybody."""
    risk: Risk | None = attrs.field(
        default=None, kw_only=True, validator=validators.optional(validators.in_(get_args(Risk)))
    )
    """The risk that the person is told. By default it follows the effect: ``read`` is low, ``idempotent`` medium,
    ``once`` high."""
    reason: str = attrs.field(default="", kw_only=True, validator=_text)
    """A sentence for whoever is asked or refused: the person, or the model."""

    def names(self, call: ToolCall) -> bool:
        """Tell whether the tool is one that the rule means."""
        return fnmatchcase(call.name, self.tool) and self.effect in (None, call.tool.spec.effect)

    def holds(self, call: ToolCall) -> bool:
        """Tell whether the rule's function says yes.

        Raises:
            TypeError: if it gives no answer.
            Exception: what it raises.
        """
        if self.when is None:
            return True
        answer = cast("object", self.when(call))  # callers without a checker may return anything
        if answer is not True and answer is not False:
            raise TypeError(f"the function of a rule must answer True or False, not {type(answer).__name__}")
        return answer
