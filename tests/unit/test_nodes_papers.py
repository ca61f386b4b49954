"""Examples, help pages and translations say what the nodes are, not what they were."""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from kling_takes import nodes
from kling_takes.apis.kling.model_file import load_table
from kling_takes.apis.kling.products.image_to_video import FRAME_RULES
from kling_takes.devtools import papers, tables
from kling_takes.nodes import host

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "example_workflows").glob("*.json"))
NODES = list(nodes.NODE_DISPLAY_NAME_MAPPINGS)
#: English is in the code; its folder has only the plain words for the camera's axes
LANGUAGES = sorted(folder.name for folder in (ROOT / "locales").iterdir() if folder.name != "en")
VIDEO_NODES = [name for name in NODES if nodes.NODE_CLASS_MAPPINGS[name].RETURN_TYPES[0] == "VIDEO"]
BUYING_NODES = [name for name in VIDEO_NODES if name != "KlingTakesRecover"]


@pytest.fixture(autouse=True)
def _without_a_models_file_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "user_dir", lambda: tmp_path)


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def inputs_of(node_id: str) -> dict[str, Any]:
    groups = nodes.NODE_CLASS_MAPPINGS[node_id].INPUT_TYPES()
    return {**groups.get("required", {}), **groups.get("optional", {})}


def is_widget(entry: Any) -> bool:
    return isinstance(entry[0], list) or entry[0] in ("STRING", "INT", "FLOAT", "BOOLEAN")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_its_api_form_with_the_same_nodes_and_values(path: Path) -> None:
    ui, api = load(path), load(path.parent / "api" / path.name)
    drawn = {str(node["id"]): node for node in ui["nodes"] if node["type"] != "Note"}
    assert {key: node["type"] for key, node in drawn.items()} == {
        key: node["class_type"] for key, node in api.items()
    }
    for key, node in api.items():
        if node["class_type"] not in NODES:
            continue
        widgets = [name for name, entry in inputs_of(node["class_type"]).items() if is_widget(entry)]
        values = dict(zip(widgets, drawn[key]["widgets_values"], strict=True))
        for name, value in node["inputs"].items():
            if not isinstance(value, list):
                assert values[name] == value, (key, name)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_uses_inputs_that_exist_and_passes_the_nodes_own_check(path: Path) -> None:
    for key, node in load(path.parent / "api" / path.name).items():
        if node["class_type"] not in NODES or path.stem == "recover":
            continue  # an example can't know the id of anybody's task
        known = inputs_of(node["class_type"])
        assert set(node["inputs"]) <= set(known), key
        required = nodes.NODE_CLASS_MAPPINGS[node["class_type"]].INPUT_TYPES()["required"]
        assert set(required) <= set(node["inputs"]), key
        check = getattr(nodes.NODE_CLASS_MAPPINGS[node["class_type"]], "VALIDATE_INPUTS", None)
        if check is not None:
            judged = inspect.getfullargspec(check).args
            values = {k: None if isinstance(v, list) else v for k, v in node["inputs"].items()}
            assert judged
            assert check(**{k: v for k, v in values.items() if k in judged}) is True, key


def test_every_example_has_an_id_of_its_own_in_the_form_the_frontend_wants() -> None:
    ids = [uuid.UUID(load(path)["id"]) for path in EXAMPLES]
    assert len(set(ids)) == len(EXAMPLES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_links_of_an_example_lead_where_its_slots_say(path: Path) -> None:
    ui = load(path)
    by_id = {node["id"]: node for node in ui["nodes"]}
    for link, source, out_slot, target, in_slot, kind in ui["links"]:
        out = by_id[source]["outputs"][out_slot]
        assert link in out["links"]
        assert out["type"] == kind
        assert by_id[target]["inputs"][in_slot]["link"] == link


def test_every_node_is_in_an_example() -> None:
    shown = {node["type"] for path in EXAMPLES for node in load(path)["nodes"]}
    assert set(NODES) <= shown


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_a_picture_for_the_template_browser(path: Path) -> None:
    assert path.with_suffix(".jpg").read_bytes()[:2] == b"\xff\xd8"


def test_the_readme_lists_every_node_by_its_name() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    section = page.partition("## The nodes")[2].partition("**Models.**")[0]
    listed = [
        line.split(" | ")[0].removeprefix("| ") for line in section.splitlines() if line.startswith("| ")
    ]
    assert listed[1:] == list(nodes.NODE_DISPLAY_NAME_MAPPINGS.values())


@pytest.mark.parametrize("name", NODES)
def test_a_help_page_names_every_input_and_output(name: str) -> None:
    page = (ROOT / "web" / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for wanted in (*inputs_of(name), *nodes.NODE_CLASS_MAPPINGS[name].RETURN_NAMES):
        assert f"| `{wanted}` |" in page, wanted
    for part in ("## Inputs", "## Outputs", "## Price", "## When something goes wrong"):
        assert part in page
    assert page.startswith(f"# {nodes.NODE_DISPLAY_NAME_MAPPINGS[name]}\n")


@pytest.mark.parametrize("name", NODES)
def test_the_pictures_of_a_help_page_exist(name: str) -> None:
    page = (ROOT / "web" / "docs" / f"{name}.md").read_text(encoding="utf-8")
    pictures = [part.split(")")[0] for part in page.split("](")[1:]]
    assert pictures
    for picture in pictures:
        assert (ROOT / "web" / "docs" / picture).is_file(), picture


def test_the_tables_in_the_papers_are_those_of_the_nodes_and_of_the_model_table() -> None:
    assert papers.stale() == {}, "run `python3 dev.py papers` and read the difference"


def test_a_page_without_a_place_for_a_table_is_named() -> None:
    page = papers.BEGIN.format("inputs") + papers.END.format("inputs")
    assert papers.filled(page, {"inputs": "new\n"}).splitlines()[2] == "new"
    with pytest.raises(papers.NoPlace, match="outputs"):
        papers.filled(page, {"inputs": "", "outputs": ""})
    with pytest.raises(papers.NoPlace, match="other tables"):
        papers.filled(page + papers.BEGIN.format("models"), {"inputs": ""})


def test_the_command_writes_a_stale_page_and_only_names_it_when_asked_to_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "folder_paths", None)  # put back what the command leaves there
    for path in papers.wanted():
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(papers, "ROOT", tmp_path)
    assert papers.main(["--check"]) == 0
    good = (tmp_path / "README.md").read_bytes()
    (tmp_path / "README.md").write_bytes(good.replace(b"| 0.042 |", b"| 0.041 |"))
    assert papers.main(["--check"]) == 1
    assert "README.md: stale" in capsys.readouterr().out
    assert papers.main([]) == 0
    assert (tmp_path / "README.md").read_bytes() == good
    assert papers.main(["--check"]) == 0


def rows(text: str) -> dict[str, list[str]]:
    """The cells of a table's lines below its head, by the first one."""
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    return {cells[0].split()[0]: cells[1:] for line in lines for cells in [line[2:-2].split(" | ")]}


@pytest.mark.parametrize("name", BUYING_NODES)
def test_a_help_page_prices_every_living_model_that_its_node_offers_and_no_other(name: str) -> None:
    table = load_table()
    found = rows(tables.prices_table(nodes.NODE_CLASS_MAPPINGS[name], table))
    offered = inputs_of(name)["model_name"][0]
    assert list(found) == [model for model in offered if table.specs[model].living]
    for model, cells in found.items():
        rates = table.specs[model].prices
        wanted = {f"${(rate.units_per_second or 0) * table.usd_per_unit:.3f}".rstrip("0") for rate in rates}
        assert set(re.findall(r"\$[0-9.]+", " ".join(cells))) == wanted, model


@pytest.mark.parametrize("name", BUYING_NODES)
def test_a_help_page_has_a_row_for_every_model_that_its_node_offers(name: str) -> None:
    table = load_table()
    found = rows(tables.models_table(nodes.NODE_CLASS_MAPPINGS[name], table))
    assert list(found) == inputs_of(name)["model_name"][0]
    for model, cells in found.items():
        spec = table.specs[model]
        assert cells[0] == ("yes" if spec.living else f"until {spec.retired_on}")
        if "mode" in inputs_of(name):
            assert cells[1].split(", ") == list(spec.modes)


@pytest.mark.parametrize(
    ("node", "model", "cells"),
    [
        ("KlingTakesStartEndFrameToVideo", "kling-v2-6", ["5, 10 s", "pro, silent", "pro", "-"]),
        ("KlingTakesStartEndFrameToVideo", "kling-v3", ["3 to 15 s", "yes", "yes", "yes"]),
        ("KlingTakesTextToVideo", "kling-3.0-turbo", ["3 to 15 s", "always", "yes"]),
        ("KlingTakesTextToVideoCameraControl", "kling-v1", ["5, 10 s", "-", "std, 5 s"]),
        ("KlingTakesImageToVideoCameraControl", "kling-v1", ["5, 10 s", "-", "-"]),
        ("KlingTakesImageToVideoCameraControl", "kling-v1-5", ["5, 10 s", "-", "pro, 5 s, simple"]),
    ],
)
def test_a_models_table_says_under_what_circumstances_a_model_can_do_a_thing(
    node: str, model: str, cells: list[str]
) -> None:
    assert rows(tables.models_table(nodes.NODE_CLASS_MAPPINGS[node], load_table()))[model][2:] == cells


def test_the_prices_of_the_readme_are_those_of_the_model_table() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    table = load_table()
    made = ("text2video", "image2video")
    living = [spec for spec in table.specs.values() if spec.living and any(spec.can(name) for name in made)]
    found = rows(tables.readme_table(table))
    assert list(found) == [spec.name for spec in living]
    for spec in living:
        cells = [cell.strip() for cell in found[spec.name]]
        wanted = {
            f"{(rate.units_per_second or 0) * table.usd_per_unit:.3f}".rstrip("0") for rate in spec.prices
        }
        assert set(re.findall(r"[0-9]+\.[0-9]+", " ".join(cells))) == wanted, spec.name
        offered = [bool(cell) for cell in cells[4:]]
        assert offered == [spec.can("end_frame"), spec.can("sound"), spec.can("shots")], spec.name
    all_prices = [
        (rate.units_per_second or 0) * table.usd_per_unit * seconds
        for spec in living
        for rate in spec.prices
        for seconds in spec.durations
    ]
    assert f"A generation costs ${min(all_prices):.2f} to ${max(all_prices):.2f} " in page


#: words for what a model is today and may not be tomorrow; what it is then says the table
FACTS = re.compile(
    r"living model|retired v1|omni|kling-(?:v|video|3|2|o)|\b20\d\d-\d\d-\d\d"
    r"|lebende|eingestellten v1|在用的模型|v1 系列",
    re.IGNORECASE,
)


def by_hand(page: str) -> str:
    """A page without what is written by dev.py."""
    return re.sub(
        r"<!-- (\w+) \(written by dev\.py papers\) -->.*?<!-- end of \1 -->", "", page, flags=re.DOTALL
    )


def test_no_sentence_says_what_is_a_fact_about_a_model() -> None:
    texts: dict[str, str] = {}
    for name in NODES:
        texts[f"{name}.md"] = by_hand((ROOT / "web" / "docs" / f"{name}.md").read_text(encoding="utf-8"))
        node = nodes.NODE_CLASS_MAPPINGS[name]
        tooltips = [entry[1]["tooltip"] for entry in inputs_of(name).values()]
        texts[name] = " ".join([node.DESCRIPTION, *node.OUTPUT_TOOLTIPS, *tooltips])
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    texts["README.md"] = by_hand(readme.partition("**Models.**")[2].partition("**Headless.**")[0])
    for language in LANGUAGES:
        texts[language] = (ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8")
    for path in EXAMPLES:
        notes = [node["widgets_values"][0] for node in load(path)["nodes"] if node["type"] == "Note"]
        texts[path.name] = " ".join(notes)
    told = {place: FACTS.findall(text) for place, text in texts.items() if FACTS.search(text)}
    assert told == {}
    assert re.findall(r"(?i)no living model|retired v1", sentences_of_the_code()) == []


def sentences_of_the_code() -> str:
    """Every text in `apis` and `nodes`, with a gap where a value is put in."""
    found = []
    for path in [*(ROOT / "apis").rglob("*.py"), *(ROOT / "nodes").rglob("*.py")]:
        for part in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                found.append(part.value)
            elif isinstance(part, ast.JoinedStr):
                pieces = [one.value if isinstance(one, ast.Constant) else "\0" for one in part.values]
                found.append("".join(str(piece) for piece in pieces))
    return "\n".join(found)


@pytest.mark.parametrize("page", ["README.md", *(f"web/docs/{name}.md" for name in NODES)])
def test_the_messages_that_a_page_explains_are_those_that_the_code_gives(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8").partition("## When something goes wrong")[2]
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][1:]
    assert rows
    code = sentences_of_the_code()
    for message in rows:
        if "a sentence that begins with" in message:
            continue
        words = re.sub(r"^[a-z_]+: ", "", message)  # the widget is put in
        for piece in filter(None, re.split(r" ?(?:\.\.\.|…) ?", words)):
            assert piece in code, f"no code says {piece!r}"


def test_the_limits_in_the_texts_are_those_of_the_model_table() -> None:
    table = load_table()
    for limits in table.limits.values():
        told = f"At least {limits.image_side} pixels a side, no longer than {limits.image_ratio:g} times"
        assert FRAME_RULES.startswith(told)
    words, seconds = (inputs_of("KlingTakesShot")[name][1] for name in ("prompt", "seconds"))
    assert f"up to {table.shot_limits.characters} characters" in words["tooltip"]
    assert seconds["max"] == max(max(spec.durations) for spec in table.specs.values() if spec.can("shots"))
    assert table.shot_limits.most == 6, "the texts say six"
    for language in LANGUAGES:
        translated = load(ROOT / "locales" / language / "nodeDefs.json")
        frame = translated["KlingTakesImageToVideo"]["inputs"]["start_frame"]["tooltip"].replace(",", ".")
        shot = translated["KlingTakesShot"]["inputs"]["prompt"]["tooltip"]
        assert re.findall(r"[0-9.]*[0-9]", frame) == ["300", "2.5"], "as the English text says"
        assert str(table.shot_limits.characters) in shot


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_covers_every_node_and_nothing_else(language: str) -> None:
    texts = load(ROOT / "locales" / language / "nodeDefs.json")
    assert set(texts) == set(NODES)
    for name in NODES:
        node = nodes.NODE_CLASS_MAPPINGS[name]
        assert set(texts[name].get("inputs", {})) == set(inputs_of(name)), name
        assert set(texts[name]["outputs"]) == {str(slot) for slot in range(len(node.RETURN_TYPES))}, name


def test_english_gives_the_camera_plain_words_for_every_axis() -> None:
    texts = load(ROOT / "locales" / "en" / "nodeDefs.json")
    assert set(texts) == {"KlingTakesCameraControls"}
    assert set(texts["KlingTakesCameraControls"]["inputs"]) == set(inputs_of("KlingTakesCameraControls"))
