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
NOT_BY_STAR = ["compile"]  # `from microgradnet import *` leaves Python's own `compile` alone
NAMES = {name: getattr(microgradnet, name) for name in [*microgradnet.__all__, *NOT_BY_STAR]}
FORMULAS = {
    f"formulas.{name}": function
    for name, function in vars(formulas).items()
    if inspect.isfunction(function) and function.__module__ == formulas.__name__ and not name.startswith("_")
}
MEMBERS = {
    f"{name}.{member}": thing
    for name, of in NAMES.items()
    if inspect.isclass(of)
    for member, thing in inspect.getmembers(of)
    if not member.startswith("_")
    and (inspect.isroutine(thing) or isinstance(thing, property))
    and (getattr(thing, "__module__", "") or "microgradnet").startswith("microgradnet")
}


def examples(thing):
    return doctest.DocTestParser().get_examples(inspect.getdoc(thing) or "")


@pytest.mark.parametrize("name", [*NAMES, *FORMULAS])
def test_it_has_a_docstring_with_an_example_that_shows_something(name):
    """One that mentions it and expects some output; the doctests run them all."""
    thing = (NAMES | FORMULAS)[name]
    assert len((inspect.getdoc(thing) or "").split()) >= 10
    sources = [example.source for example in examples(thing)]
    assert any(re.search(rf"\b{name.split('.')[-1]}\b", source) for source in sources)
    assert any(example.want for example in examples(thing))


@pytest.mark.parametrize("name", MEMBERS)
def test_its_methods_and_properties_have_docstrings(name):
    """Each of a public class, inherited ones included."""
    assert inspect.getdoc(MEMBERS[name])


@pytest.mark.parametrize("name", [*NAMES, *FORMULAS])
def test_it_has_a_place_in_the_readmes_tables(name):
    """In code quotes, in a line of a table."""
    rows = [line for line in README.splitlines() if line.startswith("|")]
    code = " ".join(word for row in rows for word in re.findall(r"`([^`]+)`", row))
    assert re.search(rf"(?<![\w.]){re.escape(name)}\b", code)


def test_the_readmes_tables_name_nothing_that_is_not_there():
    """Every name that looks like one of ours, and every test, exists."""
    rows = [line for line in README.splitlines() if line.startswith("|")]
    for name in re.findall(r"`formulas\.(?!py`)(\w+)", " ".join(rows)):
        assert hasattr(formulas, name)
    for file, test in re.findall(r"`(test_\w+\.py)(?:::(\w+))?`", " ".join(rows)):
        text = (Path(__file__).parent / file).read_text(encoding="utf-8")
        assert f"def {test}" in text


def test_a_users_program_that_uses_every_name_runs(capsys):
    """The one that mypy checks strictly."""
    source = inspect.getsource(user_program)
    _, body = source.split("\n)\n", 1)
    for name in NAMES:
        assert re.search(rf"\b{name}\b", body), f"{name} is imported and not used"
    for name in FORMULAS:
        assert f"{name}(" in body
    user_program.main()
    assert "δ-recursion" in capsys.readouterr().out


def test_a_star_import_hides_nothing_of_pythons():
    """No name of ours that it brings is a builtin's."""
    assert not set(microgradnet.__all__) & set(dir(builtins))


def test_nothing_else_is_public():
    """What `dir` shows besides modules is what is promised."""
    others = {
        name
        for name, thing in vars(microgradnet).items()
        if not name.startswith("_") and not inspect.ismodule(thing) and name not in NAMES
    }
    assert not others
