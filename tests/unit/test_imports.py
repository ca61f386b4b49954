"""How the project hangs together: no circles, ``apis`` stands alone, and a product has a room of its own."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from kling_takes.apis.kling.products import PRODUCTS, legacy_paths

ROOT = Path(__file__).resolve().parents[2]
#: what people run or import; tests may know everything
PROJECT = ("__init__.py", "apis", "nodes", "simulator", "devtools", "headless.py", "dev.py")

#: lines; nobody holds a longer module in the head
LONGEST = 400
#: one file by design, to be copied to another machine by itself
MAY_BE_LONGER = {"headless.py"}

Graph = Mapping[str, set[str]]


def files_in(*places: str) -> list[Path]:
    """The Python files of these folders and files below the root."""
    found = []
    for place in places:
        path = ROOT / place
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return found


def name_of(file: Path) -> str:
    """The name of a module below the root, which itself has none."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def with_parents(name: str) -> list[str]:
    """The packages that a name lies in, outermost first, and the name itself."""
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def imports_of(text: str, package: str) -> Iterator[str]:
    """Every name that a module imports, wherever: at its top, under ``TYPE_CHECKING``, in a function."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names, source = [alias.name for alias in node.names], ""
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".") if node.level and package else []
            parents = parents[: len(parents) - node.level + 1]
            source = ".".join([*parents, *([node.module] if node.module else [])])
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (f"{source}.{name}".strip(".").removeprefix("kling_takes.") for name in names)


def graph_of(texts: Mapping[str, str], packages: set[str]) -> Graph:
    """Which module imports which; a package counts as its ``__init__``, which its modules load as well."""
    graph: dict[str, set[str]] = {}
    for module, text in texts.items():
        inside = set(with_parents(module))
        graph[module] = set()
        for name in imports_of(text, module if module in packages else module.rpartition(".")[0]):
            known = [part for part in with_parents(name) if part in texts]
            # The packages it lies in have begun already: it depends on one only where it asks it for a name.
            graph[module] |= {part for part in known if part not in inside} | set(known[-1:])
    return graph


def circle_in(graph: Graph) -> list[str]:
    """A way from some module back to itself, or nothing."""
    clear: set[str] = set()

    def search(module: str, way: list[str]) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        for target in sorted(graph[module] - clear):
            if circle := search(target, [*way, module]):
                return circle
        clear.add(module)
        return []

    return next((circle for module in sorted(graph) if (circle := search(module, []))), [])


def graph_of_project() -> Graph:
    files = files_in(*PROJECT)
    texts = {name_of(file): file.read_text(encoding="utf-8") for file in files}
    return graph_of(texts, {name_of(file) for file in files if file.stem == "__init__"})


def test_no_module_depends_on_itself_by_any_detour() -> None:
    graph = graph_of_project()
    assert {"apis.plan", "apis.studio"} <= graph["nodes.base"], "imports for types are not seen"
    assert "apis.media" in graph["nodes.base"], "imports in functions are not seen"
    circle = circle_in(graph)
    assert not circle, " -> ".join(circle)


A_CIRCLE = {
    "": "from .a import one",
    "a": "",
    "a.one": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .b.two import Two",
    "a.b": "from . import two",
    "a.b.two": "def late():\n    from ... import c",
    "c": "import kling_takes.a.one",
}


def test_a_circle_is_found_through_types_functions_and_packages() -> None:
    graph = graph_of(A_CIRCLE, {"", "a", "a.b"})
    assert circle_in(graph) == ["a.one", "a.b", "a.b.two", "c", "a.one"]
    assert circle_in(graph_of({**A_CIRCLE, "c": "import a"}, {"", "a", "a.b"})) == []
    asks_its_package = {"a": "from .one import X", "a.one": "from . import X"}
    assert circle_in(graph_of(asks_its_package, {"a"})) == ["a", "a.one", "a"]


@pytest.mark.parametrize(
    ("room", "strangers"),
    [
        ("apis", {"comfy", "comfy_api", "comfy_execution", "folder_paths", "server", "torch", "nodes"}),
        ("apis/kling", {"aiohttp", "requests"}),
        ("simulator", {"apis", "nodes", "comfy", "torch"}),
    ],
)
def test_a_room_does_not_know_what_is_outside_of_it(room: str, strangers: set[str]) -> None:
    for file in files_in(room):
        module = name_of(file)
        package = module if file.stem == "__init__" else module.rpartition(".")[0]
        for name in imports_of(file.read_text(encoding="utf-8"), package):
            assert name.partition(".")[0] not in strangers, f"{module} imports {name}"


def test_nothing_in_apis_imports_the_way_in() -> None:
    users = {module for module, targets in graph_of_project().items() if "apis.studio" in targets}
    assert "nodes.account_access" in users
    assert not {module for module in users if module.startswith("apis")}


def product_names() -> set[str]:
    """What every product is called: by Kling, in an address, and as a module here."""
    return {
        *legacy_paths(),
        *(path.strip("/") for product in PRODUCTS.values() for path in product.paths.values()),
        *(type(product).__module__.rpartition(".")[2].replace("_", "-") for product in PRODUCTS.values()),
    }


def words_in(text: str) -> Iterator[tuple[int, str]]:
    """The names, texts and comments of a module, with their lines, as products would be spelled in them."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in (tokenize.OP, tokenize.NUMBER):
            yield token.start[0], token.string.lower().replace("_", "-").replace(" ", "-")


def named_in(text: str) -> list[str]:
    """Where a module names a product. Words that are also English count only where they stand alone."""
    plain = {name for name in product_names() if name.isalpha()}
    return [
        f"line {line}: {name}"
        for line, word in words_in(text)
        for name in sorted(product_names())
        if (word.strip("\"'") == name if name in plain else name in word)
    ]


@pytest.mark.parametrize(
    "line",
    [
        'PATH = "/v1/videos/text2video"',
        "from .products.text_to_video import TEXT_TO_VIDEO",
        'if product == "effects": pass',
        '"""Text to video, and others."""',
        "avatar = 1",
        "# omni-video has other rules",
        "class KlingText2VideoThing: pass",
        'x = f"a {y} lip-sync"',
    ],
)
def test_a_product_is_seen_wherever_it_is_named(line: str) -> None:
    assert named_in(line)
    assert not named_in("video = sound or effect  # has no effects\n")


def test_only_the_products_room_names_a_product() -> None:
    rooms = ROOT / "apis" / "kling" / "products"
    for file in files_in("apis"):
        if rooms not in file.parents:
            assert named_in(file.read_text(encoding="utf-8")) == [], file.relative_to(ROOT).as_posix()


def test_no_module_is_longer_than_a_head_can_hold() -> None:
    places = sorted(path.name for path in ROOT.iterdir() if not path.name.startswith("."))
    found = {
        file.relative_to(ROOT).as_posix(): len(file.read_text(encoding="utf-8").splitlines())
        for file in files_in(*places)
        if file.suffix == ".py"
    }
    assert len(found) > 100
    assert {
        name: lines for name, lines in found.items() if lines > LONGEST and name not in MAY_BE_LONGER
    } == {}
