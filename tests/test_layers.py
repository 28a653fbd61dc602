"""The layers of ARCHITECTURE.md: who may import whom, read from the imports themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "gateway"
LIBRARIES = ("graphql", "strawberry", "httpx", "httptools")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in ROOT.rglob("*.py")}


def parsed(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """All imports below `node`, those within functions too, but for type checkers' own."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from statements(child)


def imports(tree: ast.AST) -> set[str]:
    """The modules that are imported, in full: `from gateway import records` is gateway.records."""
    found: set[str] = set()
    for statement in statements(tree):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        else:
            assert statement.level == 0, "imports are absolute"
            assert statement.module is not None
            names = {f"{statement.module}.{alias.name}" for alias in statement.names}
            found |= {name if name in MODULES else statement.module for name in names}
    return found


@cache
def imported() -> dict[str, set[str]]:
    """By module; read when a test asks, for to read them all would hold up every worker."""
    return {module: imports(parsed(module)) for module in MODULES}


def ours(module: str) -> set[str]:
    return {name for name in imported()[module] if name.partition(".")[0] == "gateway"}


def within(module: str, *packages: str) -> bool:
    """Whether `module` is one of `packages`, given without `gateway.`, or inside of one."""
    return any(
        module == f"gateway.{package}" or module.startswith(f"gateway.{package}.")
        for package in packages
    )


def importers(*libraries: str) -> set[str]:
    return {
        module
        for module, names in imported().items()
        if any(name.partition(".")[0] in libraries for name in names)
    }


def test_the_imports_are_seen():
    """The rules below would hold of nothing at all: the reader finds what is known to be there."""
    assert {"gateway.http.endpoint", "gateway.schema", "gateway.settings"} <= ours("gateway.app")
    assert "strawberry" in imported()["gateway.schema.node"]
    assert "graphql" in imported()["gateway.limits"]


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("errors", set()),
        ("settings", {"gateway.settings.settings", "gateway.settings.bounds"}),
        ("settings.settings", set()),
        ("settings.bounds", set()),
        ("telemetry", {"gateway.errors", "gateway.rest"}),
        ("records", {"gateway.errors", "gateway.rest.decoding"}),
        ("counts", set()),
        ("time_limits", set()),
        ("loading.answer_cache", set()),
        ("limits", {"gateway.errors", "gateway.counts"}),
    ],
)
def test_the_ground_floor_stands_on_nothing(module, allowed):
    """What everybody imports imports next to nothing of ours."""
    assert ours(f"gateway.{module}") <= allowed


def test_graphql_is_known_to_few():
    """Below the loaders nobody knows that the question was asked in GraphQL."""
    allowed = ("schema", "execution", "limits", "counts", "http", "context")

    assert [name for name in importers("graphql", "strawberry") if not within(name, *allowed)] == []


def test_the_http_client_is_known_to_few():
    """REST calls are made by backends; the app only chooses what they are made with."""
    allowed = ("backends", "rest", "app", "serving")

    assert [name for name in importers("httpx", "httptools") if not within(name, *allowed)] == []


def test_adapters_do_not_know_each_other():
    """One adapter can be thrown away without touching another."""
    flow_retail = {name for name in MODULES if name.startswith("gateway.backends.flow_retail")}
    commercetools = {name for name in MODULES if name.startswith("gateway.backends.commercetools")}

    assert [name for name in flow_retail if ours(name) & commercetools] == []
    assert [name for name in commercetools if ours(name) & flow_retail] == []


def test_the_schema_sees_the_port_and_no_adapter():
    """A resolver can't ask a particular backend, only any."""
    allowed = {"gateway.backends.port"}

    for module in filter(lambda name: within(name, "schema", "context", "loading"), MODULES):
        assert {name for name in ours(module) if within(name, "backends", "rest")} <= allowed, (
            module
        )


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        (
            "rest",
            (
                "backends",
                "context",
                "loading",
                "schema",
                "http",
                "execution",
                "limits",
                "app",
            ),
        ),
        ("backends", ("context", "loading", "schema", "http", "execution", "limits", "app")),
        ("loading", ("context", "schema", "http", "execution", "app")),
        ("context", ("schema", "http", "execution", "app")),
        ("schema", ("http", "app")),
        ("http", ("app", "backends", "rest")),
    ],
)
def test_imports_go_one_way(lower, higher):
    """No layer knows the one that it serves."""
    for module in filter(lambda name: within(name, lower), MODULES):
        assert [name for name in ours(module) if within(name, *higher)] == [], module


def test_the_simulator_is_not_the_gateways_twin():
    """It shares no code with the adapters, so that it can't share their mistakes."""
    for module in filter(lambda name: within(name, "simulator"), MODULES):
        assert [name for name in ours(module) if not within(name, "simulator")] == [], module


def test_the_simulator_is_started_by_the_command_line_only():
    """What is deployed has no way to it."""
    knowing = {
        module
        for module in MODULES
        if not within(module, "simulator") and any(within(n, "simulator") for n in ours(module))
    }

    assert knowing <= {"gateway.__main__", "gateway.demo", "gateway.simulations"}


def test_there_are_no_cycles():
    """Every module can be read, and tested, with those alone that it imports."""
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail[trail.index(module) :], module])
        if module not in done:
            for name in ours(module):
                visit(name, (*trail, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


MUTATING = {"append", "add", "clear", "extend", "insert", "pop", "popitem", "remove", "setdefault"}


def mutables(tree: ast.Module) -> dict[str, ast.stmt]:
    """Module-level names of list, dict and set displays, comprehensions and calls."""
    made = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
    called = {"list", "dict", "set", "defaultdict", "deque", "Counter", "OrderedDict", "ContextVar"}
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        value = getattr(node, "value", None)
        call = isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] in called
        if isinstance(node, ast.Assign | ast.AnnAssign) and (isinstance(value, made) or call):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {ast.unparse(target): node for target in targets}
    return found


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_module_has_state(module):
    """What two requests share is made by the app and handed on; a constant stays as it is."""
    tree = parsed(module)
    names = mutables(tree)
    names.pop("__all__", None)
    changed = {
        ast.unparse(node.func.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in MUTATING
    } | {
        ast.unparse(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load)
    }

    assert [name for name in names if not name.isupper()] == []
    assert [name for name in names if name in changed] == []
    assert [node for node in ast.walk(tree) if isinstance(node, ast.Global)] == []
