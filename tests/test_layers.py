"""The map in CONTRIBUTING.md: who may import whom, read from the imports themselves."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "gateway"
CACHED = type(cache(len))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in ROOT.rglob("*.py")}


@cache
def parsed(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """All imports below `node`, those within functions too, but for type checkers' own."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        elif isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
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
    assert "strawberry" in imported()["gateway.schema.relay"]
    assert "graphql" in imported()["gateway.engine._documents.limits"]


def rooms() -> list[tuple[str, ...]]:
    """CONTRIBUTING.md's map from the top down: one entry a line, of one module or more."""
    text = (ROOT.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = re.findall(r"^- ((?:`[a-z_/.]+`(?:, )?)+): ", text, re.MULTILINE)
    return [
        tuple(name.strip("/").removesuffix(".py").replace("/", ".") for name in names)
        for names in (re.findall("`(.+?)`", entry) for entry in found)
    ]


def room_of(module: str) -> int | None:
    """The number of the narrowest entry of the map that `module` is in."""
    fitting = [
        (len(name), number)
        for number, names in enumerate(rooms())
        for name in names
        if within(module, name)
    ]
    return max(fitting)[1] if fitting else None


def test_the_map_names_every_room():
    """And no room that is not there."""
    named = {f"gateway.{name}" for names in rooms() for name in names}

    assert sorted(named - MODULES.keys()) == []
    halls = {name for name in MODULES if any(room.startswith(f"{name}.") for room in named)}
    assert [name for name in MODULES if room_of(name) is None and name not in halls] == []


def test_imports_go_down_the_map():
    """No room knows one that stands above it: not what it serves, nor what it is served by."""
    places = {module: room_of(module) for module in MODULES}
    upward = {
        f"{module} -> {name}"
        for module, place in places.items()
        for name in ours(module)
        if name != "gateway" and place is not None and (places[name] or 0) < place
    }

    assert sorted(upward) == []


def private_within(module: str) -> str | None:
    """The package that `module` is private to, if any: by the first name that says so."""
    found = re.match(r"(gateway(?:\.[a-z]\w*)*)\._(?!_main__)", module)
    return found[1] if found else None


def test_private_modules_are_known_within_their_package_only():
    """Who wants something of a package asks its face."""
    reached = {
        f"{module} -> {name}"
        for module in MODULES
        for name in ours(module)
        if (package := private_within(name)) and not f"{module}.".startswith(f"{package}.")
    }

    assert sorted(reached) == []


def test_packages_with_private_modules_have_a_face():
    """`__all__` says what they are for."""
    faces = {package for package in map(private_within, MODULES) if package}

    assert [name for name in sorted(faces) if not dunder_all(name)] == []


def dunder_all(module: str) -> list[str]:
    for node in parsed(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


@pytest.mark.parametrize("package", ["engine", "rest"])
def test_the_page_of_a_package_has_its_names(package):
    """Each in a row of its table, and no other."""
    page = (ROOT.parent / "docs" / f"{package}.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+?`) \| ", page, re.MULTILINE)

    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(
        dunder_all(f"gateway.{package}")
    )


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("errors", ()),
        ("time_limits", ()),
        ("trace_context", ()),
        ("rest", ("errors", "time_limits", "trace_context")),
        ("rest.decoding", ("errors",)),
        ("engine", ("errors",)),
        ("records", ("errors", "rest.decoding")),
        ("backends.lists", ("errors", "records", "backends.port")),
        ("loading", ("engine", "errors", "records", "backends.port")),
        ("serving", ("settings", "telemetry", "disconnect")),
        # It shares no code with the adapters, so that it can't share their mistakes.
        ("simulator", ()),
    ],
)
def test_some_rooms_know_next_to_nothing(package, allowed):
    """They could be lifted out: of the gateway they import these alone."""
    for module in filter(lambda name: within(name, package), MODULES):
        assert [name for name in ours(module) if not within(name, package, *allowed)] == [], module


def test_graphql_is_known_to_few():
    """Below the loaders nobody knows that the question was asked in GraphQL."""
    allowed = ("schema", "engine", "http", "request")

    assert [name for name in importers("graphql", "strawberry") if not within(name, *allowed)] == []


def test_the_http_client_is_known_to_few():
    """REST calls are made by backends; the app only chooses what they are made with, and is asked
    in its own process by `explain`.
    """
    allowed = ("backends", "rest", "app", "serving", "explain")

    assert [name for name in importers("httpx", "httptools") if not within(name, *allowed)] == []


def test_redis_is_known_to_few():
    """All else goes on without it; settings check its URL."""
    allowed = ("replicas", "settings")

    assert [name for name in importers("redis") if not within(name, *allowed)] == []


def test_adapters_do_not_know_each_other():
    """One adapter can be thrown away without touching another."""
    adapters = ("backends.flow_retail", "backends.commercetools")
    for module in filter(lambda name: within(name, *adapters), MODULES):
        others = [name for name in adapters if not within(module, name)]
        assert [name for name in ours(module) if within(name, *others)] == [], module


def test_the_schema_sees_the_port_and_no_adapter():
    """A resolver can't ask a particular backend, only any."""
    for module in filter(lambda name: within(name, "schema", "request", "loading"), MODULES):
        beyond = {name for name in ours(module) if within(name, "backends", "rest")}
        assert beyond <= {"gateway.backends.port"}, module


def test_what_answers_http_knows_no_rest():
    """Between a request and the REST calls made for it stand the operation and its loaders."""
    for module in filter(lambda name: within(name, "http"), MODULES):
        assert [name for name in ours(module) if within(name, "backends", "rest")] == [], module


def test_the_simulator_is_started_by_the_command_line_only():
    """What is deployed has no way to it."""
    knowing = {
        module
        for module in MODULES
        if not within(module, "simulator") and any(within(n, "simulator") for n in ours(module))
    }

    assert knowing <= {"gateway.demo"}


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
    called |= {"Cache", "LRUCache", "TTLCache", "WeakKeyDictionary", "WeakValueDictionary"}
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        value = getattr(node, "value", None)
        call = isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] in called
        if isinstance(node, ast.Assign | ast.AnnAssign) and (isinstance(value, made) or call):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {ast.unparse(target): node for target in targets}
    return found


def state(tree: ast.Module) -> Iterator[str]:
    """The mutable names that are no constants, and what is done to change those that are."""
    names = mutables(tree).keys() - {"__all__"}
    yield from (name for name in names if not name.isupper())
    for node in ast.walk(tree):
        match node:
            case ast.Global():
                yield ast.unparse(node)
            case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in MUTATING:
                if names and ast.unparse(value) in names:
                    yield ast.unparse(node)
            case ast.Subscript(value=value, ctx=ast.Store() | ast.Del()):
                if names and ast.unparse(value) in names:
                    yield ast.unparse(node)


def test_no_module_has_state():
    """What two requests share is made by the app and handed on; a constant stays as it is."""
    found = [f"{module}: {what}" for module in MODULES for what in state(parsed(module))]

    assert sorted(found) == []


def test_state_is_seen():
    """Each way to have some."""
    tree = ast.parse(
        "seen = {}\nNAMES = []\nTAKEN = set()\n__all__ = ['f']\n"
        "def f(n):\n    global g\n    NAMES.append(n)\n    NAMES[0] = n\n    del NAMES[0]\n"
        "    TAKEN.union(n)\n    n.add(1)\n"
    )

    assert sorted(state(tree)) == ["NAMES.append(n)", "NAMES[0]", "NAMES[0]", "global g", "seen"]


CACHES = {
    "gateway.backends.commercetools.wire.CommercetoolsDecoders": "fields of records",
    "gateway.backends.flow_retail.wire.FlowDecoders": "fields of records",
    "gateway.engine._documents.plainly_valid._field_facts": "fields of a schema",
    "gateway.engine._plan.serializers._struct": "names in responses",
    "gateway.rest.decoding._tolerant._not_too_long": "nothing",
}
"""The caches that modules hold, and what is known by what: of requests and callers, nothing."""


def test_modules_hold_no_cache_but_these():
    """Whichever way it is made. Each is bounded, for clients choose what they ask for."""
    held = {
        f"{cached.__module__}.{cached.__qualname__}": cached
        for module in map(importlib.import_module, MODULES)
        for owner in (module, *filter(inspect.isclass, vars(module).values()))
        for cached in vars(owner).values()
        if isinstance(cached, CACHED) and cached.__module__.startswith("gateway.")
    }

    assert held.keys() == CACHES.keys()
    assert [
        name
        for name, cached in held.items()
        if cached.cache_info().maxsize is None and inspect.signature(cached).parameters
    ] == []
