"""The guide, docs/augmentation.md, runs as it stands."""

import os
import re
import shlex

import pytest

import flags
import simclr_tf
from simclr_tf.experiment import view_words, views

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(simclr_tf.__file__)))
with open(os.path.join(ROOT, "docs", "augmentation.md"), encoding="utf-8") as _file:
    GUIDE = _file.read()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("command", "".join(blocks("bash")).splitlines())
def test_commands(command):
    config, _ = flags.parse(shlex.split(command)[1:])
    views.build_views(config, seed=0)


def test_code(capsys):
    names, views = {}, []
    for block in blocks("python"):
        exec(block, names)
        if "model" in names:
            views.append(len(names.pop("model").augmentation))
    assert views == [2, 6]  # two full ones; with small ones behind them
    assert "RandomNegative()" in capsys.readouterr().out


def test_the_table_has_every_word_with_its_arguments():
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", GUIDE, re.MULTILINE))
    found = {word: re.findall(r"`(\w+)`", text) for word, text in rows.items()}
    assert found == {word: list(names) for word, names in view_words.WORDS.items()}
