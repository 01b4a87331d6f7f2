"""The table of docs/augmentation.md; `tests/test_docs.py` runs its code."""

import re
import shlex

import pytest

import flags
from simclr_tf.experiment import view_words, views
from tests import guides

PAGE = "docs/augmentation.md"


@pytest.mark.parametrize("line", guides.shell_lines(PAGE))
def test_commands_build_their_views(line):
    config, _ = flags.parse(["run.py", *shlex.split(guides.flags_of(line))])
    views.build_views(config, seed=0)


def test_the_table_has_every_word_with_its_arguments():
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", guides.text(PAGE), re.MULTILINE)
    found = {word: re.findall(r"`(\w+)`", text) for word, text in rows}
    assert found == {word: list(names) for word, names in view_words.WORDS.items()}
