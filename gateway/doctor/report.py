"""What was found out, for a person, for a program, and as settings to paste."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from gateway.settings import CommercetoolsSettings, FlowRetailSettings
from gateway.settings.printed import masked, pair

Certainty = Literal["certain", "likely", "not found out"]
WIDTHS: Final = (17, 49, 8, 20)
"""Of the table's columns, which make 100 with what is between them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to a question, with its evidence; or why there is none."""

    question: str
    found: str
    certainty: Certainty = "certain"
    setting: tuple[str, Any] | None = None
    """The setting that this decides, and the value that it should have."""


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What a change of the doctor's has left and it could not clean up."""

    what: str
    call: str
    """The REST calls that would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All findings about one tenant's API."""

    tenant: str
    backend: str
    in_force: FlowRetailSettings | CommercetoolsSettings
    listed: bool
    """Whether [tenants] has a table for the tenant."""
    findings: Sequence[Finding]
    reached: bool
    calls: int
    left: Sequence[LeftBehind] = ()
    stopped: bool = False
    """Whether somebody has ended it."""

    @property
    def exit_code(self) -> int:
        """3: not reached; 1: a setting should change, or something is left; 130: it was ended."""
        if not self.reached:
            return 3
        if self.stopped and not self.left:
            return 130
        return int(bool(self.left) or any(map(self.differs, self.findings)))

    @property
    def decided(self) -> Mapping[str, Finding]:
        """By setting, what decides it: what was found out last knows more."""
        return {each.setting[0]: each for each in self.findings if each.setting is not None}

    def differs(self, finding: Finding) -> bool:
        """Whether it decides that a setting in force should be another."""
        if finding.setting is None or self.decided[finding.setting[0]] is not finding:
            return False
        name, value = finding.setting
        return bool(getattr(self.in_force, name) != value)

    def toml(self) -> str:
        """The backend's table with what differs from the defaults, or from what is in force; empty
        if nothing does.
        """
        defaults = type(self.in_force)()
        lines: list[str] = []
        for name, each in self.decided.items():
            value = each.setting and each.setting[1]
            if self.differs(each) or value != getattr(defaults, name):
                evidence = f"{each.found} ({each.certainty})"
                lines += textwrap.wrap(evidence, 96, initial_indent="# ", subsequent_indent="# ")
                lines.append(pair(name, value))
        if lines and self.listed:
            lines.insert(0, f"# or in [tenants.{self.tenant}], for this tenant alone")
        return "\n".join([f"[{self.backend}]", *lines, ""]) if lines else ""

    def text(self) -> str:
        """For a person."""
        url = masked(self.in_force.url or "")
        parts = [
            f"{self.tenant} at {url} ({self.backend}), {self.calls} REST calls\n",
            *_table([*self._rows()]),
        ]
        if unknown := [each for each in self.findings if each.certainty == "not found out"]:
            parts.append("\nNot found out:")
            parts += [
                textwrap.fill(
                    f"{each.question}: {each.found}",
                    100,
                    initial_indent="- ",
                    subsequent_indent="  ",
                )
                for each in unknown
            ]
        if not self.reached:
            parts.append("\nNothing else was tried.")
        elif table := self.toml():
            parts.append(f"\nFor gateway.toml:\n\n{table}")
        else:
            parts.append("\nThe defaults of all settings agree with what was found.")
        if self.reached and self.exit_code == 0:
            parts.append("The settings in force agree with what was found.")
        if self.left:
            parts.append("\nLeft behind, with the calls that clean it up:")
            parts += [f"- {each.what}: {each.call}" for each in self.left]
        return "\n".join(parts)

    def _rows(self) -> Iterator[Sequence[str]]:
        for each in self.findings:
            if each.certainty != "not found out":
                yield each.question, each.found, each.certainty, self._decided(each)

    def _decided(self, finding: Finding) -> str:
        if finding.setting is None:
            return ""
        name, value = finding.setting
        if isinstance(value, Mapping):
            return f"{name}, {'as below' if self.differs(finding) else 'as it is'}"
        was = json.dumps(getattr(self.in_force, name))
        return pair(name, value) + (f", not {was}" if self.differs(finding) else "")

    def json(self) -> str:
        """For a program."""
        return json.dumps(
            {
                "tenant": self.tenant,
                "backend": self.backend,
                "reached": self.reached,
                "restCalls": self.calls,
                "exitCode": self.exit_code,
                "findings": [
                    {
                        "question": each.question,
                        "found": each.found,
                        "certainty": each.certainty,
                        "setting": each.setting
                        and {
                            "name": each.setting[0],
                            "value": _plain(each.setting[1]),
                            "inForce": _plain(getattr(self.in_force, each.setting[0])),
                        },
                    }
                    for each in self.findings
                ],
                "toml": self.toml(),
                "leftBehind": [{"what": each.what, "call": each.call} for each in self.left],
            },
            indent=2,
        )


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    titles = [("question", "found", "how sure", "setting")] if rows else []
    for number, row in enumerate([*titles, *rows]):
        cells = [textwrap.wrap(text, width) for text, width in zip(row, WIDTHS, strict=True)]
        for line in range(max(map(len, cells))):
            words = [cell[line] if line < len(cell) else "" for cell in cells]
            yield "  ".join(map(str.ljust, words, WIDTHS)).rstrip()
        if not number:
            yield "  ".join("-" * width for width in WIDTHS)
