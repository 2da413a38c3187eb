"""Words made of phrases: a table from code to template, which a catalogue may replace.

A template names its parameters in braces, each with how it is shown:

    {energy}                    the text or number as it is, a phrase in its own words
    {group:quoted}              'residents'
    {element:ordinal}           counted from 1, as people do
    {kwh:number}                an exact decimal, as the language writes it
    {amount:money}              18.00 EUR, in the parameter or context "currency"
    {date:day}                  2026-03-01; {start:month_day} 05-01, {period:period} 2026-03
    {start:clock}               07:30
    {text:told}                 what was told us in English words, for who can read it back
    {seconds:duration}          2 h 30 min
    {per:word period}           the table's word for "period.day"
    {percent:share}             the table's "share.all" for 100, else its "share.part"
    {uses:times}                the table's "times.once" or "times.many"
    {dimensions:costs}          the table's "costs.one" or "costs.several"
    {label:label}               a phrase by its label, as it stands on a bill
    {sizes:/ or }               several, with what joins them after the slash
    {name:? (*)}                what stands around it if it is there; left out, it says nothing

They combine in this order: `{members:quoted?, for members of the group *}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from string import Formatter
from types import MappingProxyType
from typing import Final, NamedTuple

from tariffs.phrases.phrase import Phrase

_MINUTE: Final = 60
_WHOLE: Final = Decimal(100)

Templates = Mapping[str, str]
Styles = Mapping[str, Callable[[str], str]]
Money = Callable[[str, str], str]
Part = str | int | Phrase
Context = Mapping[str, str | int | None]
NO_CONTEXT: Final[Context] = {}


# What needs no words of a language, and what chooses between two templates of it.
_STYLES: Final[Styles] = {
    "": str,
    "quoted": repr,
    "number": str,
    "day": str,
    "month_day": str,
    "period": str,
    "clock": str,
    "told": str,
    "ordinal": lambda text: str(int(text) + 1),
    "duration": lambda text: duration_text(int(text)),
}
_CHOICES: Final[Mapping[str, Callable[[str], str]]] = {
    "share": lambda text: "all" if Decimal(text) == _WHOLE else "part",
    "times": lambda text: "once" if text == "1" else "many",
}


_MONEY: Final = "money"
_CURRENCY: Final = "currency"


class _Field(NamedTuple):
    """One parameter of a template, and how it is shown."""

    name: str
    style: str
    joint: str
    around: str


class Wording:
    """Makes words of phrases, by one language's table of templates.

    `labels` are the short names that stand on a bill beside a fee, by the same codes. `styles`
    replace how English shows what needs no words ("duration"), `money` how it shows an amount
    (exact text) of a currency ("" where none is known).
    """

    def __init__(
        self,
        templates: Templates,
        labels: Templates,
        styles: Styles = MappingProxyType({}),
        money: Money = "{} {}".format,
    ) -> None:
        self._templates, self._labels = templates, labels
        self._styles, self._money = {**_STYLES, **styles}, money
        self._pieces: dict[str, tuple[tuple[str, _Field | None], ...]] = {}

    def extended(self, templates: Templates, styles: Styles = MappingProxyType({})) -> Wording:
        """Return this wording with the sentences, and the styles, of a further layer."""
        templates, styles = {**self._templates, **templates}, {**self._styles, **styles}
        return Wording(templates, self._labels, styles, self._money)

    def words(self, said: Phrase, context: Context = NO_CONTEXT) -> str:
        """Return *said* as words; an unknown code is its own word, for decisions outlive tables."""
        template = self._templates.get(said.code)
        return said.code if template is None else self._filled(template, said, context)

    def joined(self, said: Sequence[Phrase], context: Context = NO_CONTEXT) -> str:
        """Return several phrases about one thing as one text."""
        return self.joint.join(self.words(each, context) for each in said)

    @property
    def joint(self) -> str:
        """Return what stands between several phrases about one thing."""
        return self._templates["joint"]

    def label(self, said: Phrase, context: Context = NO_CONTEXT) -> str | None:
        """Return what stands on a bill beside the fee; None where nothing does."""
        template = self._labels.get(said.code)
        return None if template is None else self._filled(template, said, context)

    def word(self, kind: str, value: str) -> str | None:
        """Return the word for one *value* of a *kind* ("day", "MONDAY"), None if there is none."""
        return self._templates.get(f"{kind}.{value}")

    def parameters_of(self, code: str) -> frozenset[str]:
        """Return the parameters that the words or the label of *code* need, or may have."""
        found = (self._templates.get(code, ""), self._labels.get(code, ""))
        fields = [field for text in found for _, field in self._parsed(text) if field is not None]
        names = frozenset(field.name for field in fields)
        return names | {_CURRENCY} if any(each.style == _MONEY for each in fields) else names

    def whole(self, said: Phrase, context: Context) -> Phrase:
        """Return *said* with the parameters that *context* has for it."""
        known = {**context, **said.parameters}
        # In the order of names: a set's would differ from process to process.
        names = sorted(self.parameters_of(said.code) | said.parameters.keys())
        parameters = {
            name: self._whole(value, context)
            for name in names
            if (value := known.get(name)) is not None
        }
        return Phrase(said.code, parameters)

    def _whole(self, value: Part | tuple[Part, ...], context: Context) -> Part | tuple[Part, ...]:
        if isinstance(value, tuple):
            return tuple(
                self.whole(each, context) if isinstance(each, Phrase) else each for each in value
            )
        return self.whole(value, context) if isinstance(value, Phrase) else value

    def _parsed(self, template: str) -> tuple[tuple[str, _Field | None], ...]:
        pieces = self._pieces.get(template)
        if pieces is None:
            pieces = self._pieces[template] = tuple(
                (text, None if name is None else _field(name, spec or ""))
                for text, name, spec, _ in Formatter().parse(template)
            )
        return pieces

    def _filled(self, template: str, said: Phrase, context: Context) -> str:
        text = ""
        for before, field in self._parsed(template):
            text += before
            if field is not None:
                value = said.parameters.get(field.name, context.get(field.name))
                if field.style == _MONEY and _CURRENCY in said.parameters:
                    context = {**context, _CURRENCY: str(said.parameters[_CURRENCY])}
                text += self._shown(field, value, context)
        return text

    def _shown(self, field: _Field, value: Part | tuple[Part, ...] | None, context: Context) -> str:
        if value is None or value == ():
            return ""
        if field.style == "costs":
            text = self._costs(value, context)
        else:
            each = value if isinstance(value, tuple) else (value,)
            text = field.joint.join(self._part(field.style, part, context) for part in each)
        return field.around.replace("*", text) if field.around else text

    def _part(self, style: str, part: Part, context: Context) -> str:
        if isinstance(part, Phrase):
            label = self.label(part, context) if style == "label" else None
            return self.words(part, context) if label is None else label
        text = str(part)
        if style.startswith("word "):
            return self.word(style[5:], text) or text
        if style in _CHOICES:
            chosen = self._templates[f"{style}.{_CHOICES[style](text)}"]
            return chosen.replace("*", self._styles["number"](text))
        if style == _MONEY:
            return self._money(text, str(context.get(_CURRENCY) or ""))
        return self._styles[style](text)

    def _costs(self, value: Part | tuple[Part, ...], context: Context) -> str:
        each = value if isinstance(value, tuple) else (value,)
        key = "costs.several" if len(each) > 1 else "costs.one"
        words = (self._part("word dimension", part, context) for part in each)
        return self._templates[key].replace("*", self._templates["costs.and"].join(words))


def _field(name: str, spec: str) -> _Field:
    shown, _, around = spec.partition("?")
    style, _, joint = shown.partition("/")
    return _Field(name, style, joint, around)


def duration_text(seconds: int) -> str:
    """Return "2 h 30 min", "45 s"."""
    minutes, rest = divmod(seconds, _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    parts = [f"{n} {unit}" for n, unit in ((hours, "h"), (minutes, "min"), (rest, "s")) if n]
    return " ".join(parts) or "0 s"
