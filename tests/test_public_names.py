"""Every public name is documented, shown, typed and listed: a new one without these fails here."""

import builtins
import doctest
import inspect
import re
from pathlib import Path

import pytest
import user_program

import microgradnet
from microgradnet import formulas

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
TABLES = "\n".join(line for line in README.splitlines() if line.startswith("|"))
NOT_BY_STAR = ["compile"]  # `from microgradnet import *` leaves Python's own `compile` alone
NAMES = {name: getattr(microgradnet, name) for name in [*microgradnet.__all__, *NOT_BY_STAR]}
FORMULAS = {
    f"formulas.{name}": function
    for name, function in vars(formulas).items()
    if inspect.isfunction(function) and function.__module__ == formulas.__name__ and not name.startswith("_")
}


@pytest.mark.parametrize("name", [*NAMES, *FORMULAS])
def test_it_is_documented_with_an_example_and_has_a_place_in_the_readmes_tables(name):
    """The example mentions it and expects some output; the doctests run them all. In the tables it stands in code quotes."""
    thing = (NAMES | FORMULAS)[name]
    text = inspect.getdoc(thing) or ""
    examples = doctest.DocTestParser().get_examples(text)
    assert len(text.split()) >= 10
    assert any(re.search(rf"\b{name.split('.')[-1]}\b", example.source) for example in examples)
    assert any(example.want for example in examples)
    assert re.search(rf"(?<![\w.]){re.escape(name)}\b", " ".join(re.findall(r"`([^`\n]+)`", TABLES)))


def test_the_readmes_tables_name_nothing_that_is_not_there():
    """Every name that looks like one of ours, and every test, exists."""
    for name in re.findall(r"`formulas\.(?!py`)(\w+)", TABLES):
        assert hasattr(formulas, name)
    for file, test in re.findall(r"`(test_\w+\.py)(?:::(\w+))?`", TABLES):
        text = (Path(__file__).parent / file).read_text(encoding="utf-8")
        assert f"def {test}" in text


def test_a_users_program_that_uses_every_name_runs(capsys):
    """The one that mypy checks strictly."""
    source = inspect.getsource(user_program)
    for name in NAMES.keys() - {"Value", "formulas"}:
        assert re.search(rf"\bm\.{name}\b", source)
    for name in [*FORMULAS, "Value"]:
        assert f"{name}(" in source
    user_program.main()
    assert "δ-recursion" in capsys.readouterr().out


def test_what_is_promised_is_all_that_is_public():
    """A star import hides no builtin; `dir` shows nothing else, modules aside."""
    assert not set(microgradnet.__all__) & set(dir(builtins))
    public = {name for name, thing in vars(microgradnet).items() if name[0] != "_" and not inspect.ismodule(thing)}
    assert public <= set(NAMES)
