"""The contact sheet: what is on it, and where it is written."""

import html.parser
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import run
from simclr_tf import augmentation, data
from simclr_tf.data import contact_sheet, preview

VIEW = augmentation.CropAndFlip(8, seed=0)


def folder_of(path, sizes, names=("a&b", "<c>")):
    for number, (width, height) in enumerate(sizes):
        folder = path / names[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        color = (20 * number, 100, 250 - 20 * number)
        Image.new("RGB", (width, height), color).save(folder / f"<{number}>.png")
    return path


def test_rows_are_random_images_with_their_views_and_words(tmp_path):
    sizes = [(30, 20), (9, 40), (300, 10), (16, 16), (1, 1)]
    source = data.open_source(str(folder_of(tmp_path, sizes)))
    pair = (VIEW, VIEW)
    rows = preview.draw_rows(source, pair, num_images=3, num_pairs=2, seed=1)
    again = preview.draw_rows(source, pair, num_images=3, num_pairs=2, seed=1)
    assert len({row.name for row in rows}) == 3
    for row, same in zip(rows, again, strict=True):
        number = int(row.name.strip("<>.png"))
        assert row.label == ("a&b", "<c>")[number % 2]
        assert row.size == "{} x {} px".format(*sizes[number])
        assert np.all(row.image == [20 * number, 100, 250 - 20 * number])
        assert np.shape(row.draws) == (2, 2, 8, 8, 3)
        np.testing.assert_array_equal(row.draws, same.draws)
    all_rows = preview.draw_rows(source, pair, num_images=30, num_pairs=1)
    assert len(all_rows) == 5


def test_draws_differ_and_each_view_has_its_own_layer():
    images = np.random.RandomState(0).randint(0, 256, [4, 20, 20, 3]).astype("uint8")
    white = augmentation.Policy(
        [
            augmentation.RandomResizedCrop(8),
            augmentation.RandomCutout(1.0, probability=1.0, value=1.0),
        ]
    )
    source = data.ArraySource(images)
    (row,) = preview.draw_rows(source, (VIEW, white), num_images=1)
    assert row.label == "no label" and row.name.startswith("image ")
    assert np.any(row.draws[0][0] != row.draws[1][0])
    assert all(np.max(second) == 255 for _, second in row.draws)
    assert all(np.mean(second) > np.mean(first) for first, second in row.draws)


def test_sources_without_random_access_are_read_from_their_beginning():
    images = np.arange(50, dtype="uint8")[:, None, None, None] * np.ones([1, 4, 4, 3])

    class Stream(data.Source):
        random_access = False

        def as_dataset(self, mask=None):
            numbers = tf.constant(np.flatnonzero(mask))
            return tf.data.Dataset.from_tensor_slices(numbers).map(
                lambda number: tf.gather(tf.constant(images.astype("uint8")), number)
            )

    rows = preview.draw_rows(Stream("stream", 50), (VIEW,), 5, 1)
    assert len(rows) == 5
    for row in rows:
        assert row.name == f"image {row.image[0, 0, 0]}"


def test_the_sheet_shows_each_picture_in_its_cell():
    red, blue = np.zeros([4, 4, 3], "uint8"), np.zeros([50, 100, 3], "uint8")
    red[..., 0], blue[..., 2] = 255, 255
    views = [[red, red], [blue[:4, :4], red]]
    row = preview.Row(blue, "x" * 300, "y" * 300, views)
    sheet = np.array(contact_sheet.draw([row, row], ["title", "long words " * 90]))

    def pixels(color):
        return np.all(sheet == color, axis=-1).sum()

    assert pixels([255, 0, 0]) == 2 * 3 * contact_sheet.CELL**2
    assert pixels([0, 0, 255]) == 2 * (1 + 1 / 2) * contact_sheet.CELL**2


def test_the_page_escapes_what_it_shows():
    image = np.zeros([4, 4, 3], "uint8")
    row = preview.Row(image, "<b>\udce9\n.png", "<script>", [[image]])
    text = preview.page([row], ["<title>", "a & b"]).decode()
    tags, shown, sources = [], [], []

    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag, attributes):
            tags.append(tag)
            sources.extend(value for name, value in attributes if name == "src")

        def handle_data(self, text):
            shown.append(text)

    Reader().feed(text)
    assert "script" not in tags and tags.count("img") == 2
    assert {"<title>", "a & b", "<script>", "<b>\N{REPLACEMENT CHARACTER}?.png"} <= set(
        shown
    )
    assert all(source.startswith("data:image/png;base64,") for source in sources)


@pytest.mark.parametrize("mode", ["pretrain", "finetune"])
def test_the_command_writes_both_without_a_run(tmp_path, monkeypatch, capsys, mode):
    folder_of(tmp_path / "pictures", [(30, 20), (9, 40)], ("cat", "dog"))
    monkeypatch.chdir(tmp_path)
    arguments = ["--mode=preview", "--dataset=pictures", "--image_size=8", "--seed=0"]
    arguments += ["--preview_images=1", "--preview_pairs=2", "--from_scratch"]
    arguments = arguments[:-1] if mode == "pretrain" else arguments
    code = run.main(["run.py", f"--train_mode={mode}", *arguments])
    assert code == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert "Preview: preview/preview.png" in out and "smallest class cat 1" in out
    assert sorted(path.name for path in (tmp_path / "preview").iterdir()) == [
        "preview.html",
        "preview.png",
    ]
    sheet = (tmp_path / "preview" / "preview.png").read_bytes()
    assert Image.open(io.BytesIO(sheet)).width > contact_sheet.CELL
    page = (tmp_path / "preview" / "preview.html").read_text()
    assert page.count("<img") == (5 if mode == "pretrain" else 3)


def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    pictures = folder_of(tmp_path / "pictures", [(30, 20)])
    (tmp_path / "file").touch()
    arguments = [f"--dataset={pictures}", f"--model_dir={tmp_path / 'file'}"]
    code = run.main(["run.py", "--mode=preview", "--image_size=8", *arguments])
    assert code == 2
    assert "cannot be written: Not a directory" in capsys.readouterr().err
