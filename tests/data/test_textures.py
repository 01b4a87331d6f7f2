"""The folder of textures on which the preset for small data was found."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from scripts import make_textures


def noise(height, width, seed):
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3), np.uint8)


def write(path, images):
    with zipfile.ZipFile(path, "w") as archive:
        for name, image in images.items():
            file = io.BytesIO()
            Image.fromarray(image).save(file, "png")
            archive.writestr(f"textures/{name}.png", file.getvalue())


def pictures(folder):
    return {np.asarray(Image.open(path)).tobytes() for path in folder.glob("*.png")}


def test_textures_are_cut_into_tiles_for_training_and_test(tmp_path, capsys):
    rock, wood = noise(256, 300, 1), noise(256, 256, 2)
    half_empty = noise(256, 256, 3)
    half_empty[:64] = 90
    archive = {
        "tex_material/wood002": wood,
        "tex_material/wood002_nm": wood,
        "tex_material/wood": wood,
        "tex_doors/door001": wood,
        "tex_material/rock001": wood,
        "tex_nature/rock001": rock,
        "tex_nature/small001": noise(255, 300, 4),
        "tex_nature/empty001": half_empty,
    }
    write(tmp_path / "textures.pk3", archive)
    output = tmp_path / "tiles"
    make_textures.main([f"--source={tmp_path / 'textures.pk3'}", f"--output={output}"])
    assert "2 textures: 24 tiles to train on and 8 to test." in capsys.readouterr().out
    for name, middle in {"rock001": rock[:, 22:278], "wood002": wood}.items():
        train, test = (pictures(output / split / name) for split in ("train", "test"))
        assert (len(train), len(test)) == (12, 4)
        assert train | test == {
            middle[y : y + 64, x : x + 64].tobytes()
            for y in range(0, 256, 64)
            for x in range(0, 256, 64)
        }
    assert {path.name for path in output.glob("*/*")} == {"rock001", "wood002"}


@pytest.mark.parametrize(
    ("source", "output", "reason"),
    [
        ("nowhere.pk3", "new", "--source must be 0textures.pk3, a zip, got "),
        ("textures.pk3", ".", "--output must be a new folder, got "),
    ],
)
def test_wrong_input_writes_nothing(tmp_path, capsys, source, output, reason):
    write(tmp_path / "textures.pk3", {"tex_nature/rock001": noise(256, 256, 1)})
    flags = [f"--source={tmp_path / source}", f"--output={tmp_path / output}"]
    with pytest.raises(SystemExit) as exit:
        make_textures.main(flags)
    assert exit.value.code == 2 and reason in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["textures.pk3"]
