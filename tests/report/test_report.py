"""The report of a run: from its folder to a page, and what a browser makes of it."""

import csv
import json
import os
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import run
import simclr_tf
from simclr_tf.experiment import reporting
from tests import browser, pictures

SMALL = (
    "--image_size=8 --resnet_depth=18 --width_multiplier=0.0625 --num_proj_layers=2 "
    "--proj_out_dim=8 --train_batch_size=8 --warmup_epochs=0 --eval_batch_size=8 "
    "--use_blur=False --seed=1 --eval_split=test --train_summary_steps=1 "
    "--train_steps=4 --checkpoint_steps=2"
).split()
HOSTILE = '"><img src=x onerror="injected=1">'
CLASSES = (f"cat {HOSTILE}", "dog")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """`data`, 20 training and 12 test pictures; `run`, trained and judged on them."""
    place = tmp_path_factory.mktemp("report")
    pictures.write(
        place / "data" / split / CLASSES[number % 2] / f"{HOSTILE}{number}.png"
        for split, numbers in (("train", range(20)), ("test", range(20, 32)))
        for number in numbers
    )
    first = place / "data" / "train" / "dog" / f"{HOSTILE}1.png"
    shutil.copy(first, first.with_name("copy.png"))
    flags = [*SMALL, f"--dataset={place / 'data'}", f"--model_dir={place / 'run'}"]
    flags += ["--evaluators=head,knn", "--compare_untrained"]
    assert run.main(["run.py", "--mode=train_then_eval", *flags]) == 0
    return place


@pytest.fixture
def start(capsys):
    """Runs the command; returns exit code, stdout and stderr."""

    def run_command(*flags):
        capsys.readouterr()
        code = run.main(["run.py", *map(str, flags)])
        out, err = capsys.readouterr()
        return code, out, err

    return run_command


@pytest.fixture
def copied(place, tmp_path):
    """A copy of the run, to take parts away from."""
    return shutil.copytree(place / "run", tmp_path / "run")


class Page(HTMLParser):
    """What a page is made of, read without a browser."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.text = [], path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def all(self, *tags):
        return [attrs for tag, attrs in self.tags if tag in tags]

    @property
    def notes(self):
        return re.findall(r'<p class="note"[^>]*>(.*?)</p>', self.text, re.DOTALL)


def test_a_run_that_is_judged_ends_with_a_report(place):
    page = Page(place / "run" / "report.html")
    assert page.notes == []
    titles = re.findall(r"<h2>(.*?)</h2>", page.text)
    assert len(titles) == 12, titles
    result = json.loads((place / "run" / "result.json").read_text())
    assert f"{100 * result['eval/knn_top_1_accuracy']:.1f}%" in page.text
    assert f"{100 * result['eval/untrained_knn_top_1_accuracy']:.1f}%" in page.text
    with open(place / "run" / "report_pairs.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["kind"] == "near_duplicate" and float(rows[0]["similarity"]) > 0.999
    assert {os.path.basename(rows[0][name]) for name in ("file_a", "file_b")} == {
        "copy.png",
        f"{HOSTILE}1.png",
    }
    assert all(row["kind"] == "false_negative" for row in rows[1:])


def test_the_page_needs_no_other_file_and_runs_no_script_but_ours(place):
    page = Page(place / "run" / "report.html")
    assert re.search("https?:", page.text.replace("http://www.w3.org/", "")) is None
    (policy,) = [
        attrs["content"]
        for attrs in page.all("meta")
        if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; img-src data:")
    assert not any("onerror" in attrs for _, attrs in page.tags)
    assert {attrs.get("type") for attrs in page.all("script")} == {
        None,
        "application/json",
    }
    sources = [attrs["src"] for attrs in page.all("img")]
    assert sources and all(source.startswith("data:image/") for source in sources)


def test_figures_have_names_and_headings_are_in_order(place):
    page = Page(place / "run" / "report.html")
    figures = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    assert len(figures) >= 12 and all(svg["aria-label"] for svg in figures)
    assert all(image["alt"] for image in page.all("img"))
    hidden = [svg for svg in page.all("svg") if svg.get("aria-hidden") == "true"]
    assert len(figures) + len(hidden) == len(page.all("svg"))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert max(np.diff(levels)) <= 1
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    named = set(ids)
    links = [attrs.get("href", attrs.get("xlink:href")) for _, attrs in page.tags]
    assert {link[1:] for link in links if link and link.startswith("#")} <= named


def test_the_function_writes_what_the_command_wrote(place, copied):
    said = []
    paths = simclr_tf.report.write(str(copied), said.append)
    assert paths == [str(copied / name) for name in ("report.html", "report_pairs.csv")]
    assert said[1:] == [f"Report: {path}" for path in paths]
    for name in ("report.html", "report_pairs.csv"):
        found = (copied / name).read_text().replace(str(copied), str(place / "run"))
        assert found == (place / "run" / name).read_text()


def test_what_is_missing_is_a_note_in_its_place(copied, tmp_path, start):
    shutil.rmtree(copied / "train")
    for name in ("flags.json", "result.json"):
        (copied / name).unlink()
    for file in copied.glob("ckpt-2.*"):
        file.unlink()
    gone = tmp_path / "gone"
    code, _, err = start("--mode=report", f"--model_dir={copied}", f"--dataset={gone}")
    assert (code, err) == (0, "")
    page = Page(copied / "report.html")
    assert sum("gone" in note for note in page.notes) == 7
    assert any("no TensorBoard events" in note for note in page.notes)
    assert any("nothing has been evaluated yet" in note for note in page.notes)
    assert any("flags.json" in note for note in page.notes)
    assert "There is too little to tell" in page.text
    assert "filters of 3 x 3 pixels" in page.text  # the networks are there


def test_three_images_without_labels_are_enough(place, copied, tmp_path, start):
    few = tmp_path / "few"
    few.mkdir()
    for number, file in enumerate((place / "data").glob("*/dog/*.png")):
        if number < 3:
            shutil.copy(file, few)
    code, _, err = start("--mode=report", f"--model_dir={copied}", f"--dataset={few}")
    assert (code, err) == (0, "")
    page = Page(copied / "report.html")
    assert "3 images of" in page.text and "k-means cluster" in page.text
    assert any("no labels to compare with" in note for note in page.notes)


def test_without_a_run_there_is_one_line(tmp_path, start):
    code, out, err = start("--mode=report", f"--model_dir={tmp_path / 'nothing'}")
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert "no checkpoint there" in err
    assert not (tmp_path / "nothing").exists()


def test_a_report_that_fails_is_a_warning_of_a_run_that_is_done(
    place, tmp_path, start, monkeypatch
):
    reported_on = []

    def fail(config, say):
        reported_on.append(config.checkpoint)
        raise RuntimeError("no ink\nand more")

    monkeypatch.setattr(reporting, "write", fail)
    flags = [*SMALL, f"--dataset={place / 'data'}", f"--model_dir={tmp_path / 'new'}"]
    flags += ["--mode=train_then_eval", "--train_steps=1", "--evaluators=knn"]
    code, out, err = start(*flags, f"--checkpoint={place / 'run'}")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "Warning: no report (RuntimeError: no ink)."
    assert reported_on == [str(tmp_path / "new" / "ckpt-1")]  # not where it began


@pytest.mark.skipif(browser.find() is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser(place, tmp_path, width):
    with browser.Browser(browser.find(), tmp_path) as tab:
        path = place / "run" / "report.html"
        tab.open(path, width)
        assert tab.requests == [f"file://{path}"]
        assert tab.value("typeof injected") == "undefined"
        assert tab.value("document.documentElement.scrollWidth") == width
        wide = "[...document.querySelectorAll('main *')].filter((part) => !part.closest"
        wide += "('.scroll, .store') && part.getBoundingClientRect().right > innerWidth"
        assert tab.value(f"{wide}).length") == 0
        unseen = "[...document.images].filter((image) => !image.naturalWidth || "
        assert tab.value(f"{unseen} !image.clientWidth).length") == 0
        small = "[...document.querySelectorAll('svg[role=img]')].filter((figure) => "
        assert tab.value(f"{small} figure.clientWidth < 200).length") == 0
        seen = Image.open(_file(tmp_path, tab.screenshot())).convert("L")
        assert seen.size == (width, 900) and np.asarray(seen).std() > 10
        # With the keyboard, and with the pointer, an image of the map comes up.
        tip = "document.querySelector('.map .tip')"
        assert tab.value(f"{tip}.hidden")
        tab.value("document.querySelector('.map').focus()")
        first = tab.value(f"{tip}.textContent")
        assert not tab.value(f"{tip}.hidden") and ".png" in first
        for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"):
            tab.call("Input.dispatchKeyEvent", type="keyDown", key=key)
        assert tab.value(f"{tip}.textContent") != first
        assert tab.complaints == []


def _file(folder, content):
    (folder / "seen.png").write_bytes(content)
    return folder / "seen.png"
