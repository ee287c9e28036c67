"""Pictures: dropped, shown, restored as an export would be, removed."""

import io
import shutil

import numpy as np
import pytest

from safelight import Picture, Restorer, read, write
from safelight.picture.scale import measure_scale
from safelight.picture.screen import TILE_PX, Pyramid
from tests.studio.studio_support import served
from tests.support import BUNDLES

pillow = pytest.importorskip("PIL.Image")


def bytes_of(pixels, tmp_path, name="a.png"):
    write(Picture(pixels), tmp_path / name, metadata="strip")
    return (tmp_path / name).read_bytes()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAFELIGHT_MODELS", str(BUNDLES))
        with served(tmp_path_factory.mktemp("state")) as one:
            yield one


def decoded(answer):
    assert answer.status == 200, answer.body
    return np.asarray(pillow.open(io.BytesIO(answer.body)))


def test_tiles_are_the_picture(server, tmp_path, rng):
    pixels = rng.integers(0, 256, (600, 1100, 3), dtype=np.uint8)
    picture = server.drop(bytes_of(pixels, tmp_path), "folder/a.png")
    about = server.ask(f"/api/pictures/{picture}").json
    assert (about["width"], about["height"], about["levels"], about["name"]) == (1100, 600, 3, "folder/a.png")
    assert np.array_equal(
        decoded(server.ask(f"/api/pictures/{picture}/tiles/0/1/0")), pixels[:TILE_PX, TILE_PX : 2 * TILE_PX]
    )
    assert np.array_equal(decoded(server.ask(f"/api/pictures/{picture}/tiles/0/2/1")), pixels[TILE_PX:, 2 * TILE_PX :])
    half = decoded(server.ask(f"/api/pictures/{picture}/tiles/1/0/0")).astype(float)
    mean = pixels[:1024, :1024].reshape(300, 2, 512, 2, 3).mean((1, 3))
    assert np.abs(half - mean).max() <= 1
    for beyond in ("0/3/0", "0/0/2", "3/0/0"):
        assert server.ask(f"/api/pictures/{picture}/tiles/{beyond}").status == 404
    assert decoded(server.ask(f"/api/pictures/{picture}/thumbnail")).shape[1] == 160
    assert server.ask(f"/api/pictures/{picture}", "DELETE").status == 204
    assert server.ask(f"/api/pictures/{picture}").status == 404


def test_sixteen_bits_alpha_and_odd_scales_are_shown(tmp_path, rng):
    dark = rng.integers(1000, 1400, (40, 50, 1)).astype(np.uint16)
    picture = Picture(dark, alpha=np.full((40, 50, 1), 65535, np.uint16))
    shown = np.asarray(pillow.open(io.BytesIO(Pyramid(picture, measure_scale(picture).scale).tile(0, 0, 0))))
    assert shown.shape == (40, 50, 2) and shown[..., 0].min() < 5 and shown[..., 0].max() > 250
    assert (shown[..., 1] == 255).all()


@pytest.mark.parametrize("query", ["strength=1", "strength=0.6&samples=2&layer=sample&sample=2&seed=3", "strength=0"])
def test_a_tile_is_what_the_export_has(server, tmp_path, rng, query):
    """Of a picture of several tiles, whose halos reach into each other."""
    pixels = rng.integers(0, 256, (560, 700, 3), dtype=np.uint8)
    data = bytes_of(pixels, tmp_path)
    picture = server.drop(data, "a.png")
    asked = dict(part.split("=") for part in query.split("&"))
    whole = Restorer.load(BUNDLES / "restore").enhance(
        read(data),
        strength=float(asked["strength"]),
        samples=int(asked.get("samples", 0)),
        seed=int(asked.get("seed", 0)),
        uncertainty=False,
    )
    expected = (whole.samples[1] if "sample" in asked else whole.mean).pixels
    for column, row in ((0, 0), (1, 0), (1, 1)):
        tile = decoded(server.ask(f"/api/pictures/{picture}/restored/{column}/{row}?model=restore&{query}"))
        region = expected[row * TILE_PX : (row + 1) * TILE_PX, column * TILE_PX : (column + 1) * TILE_PX]
        assert np.abs(tile.astype(int) - region).max() <= 1
    assert server.ask(f"/api/pictures/{picture}/restored/2/0?model=restore").status == 404


def test_uncertainty_and_intervals_are_shown(server, tmp_path, rng):
    picture = server.drop(bytes_of(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), tmp_path), "a.png")
    address = f"/api/pictures/{picture}/restored/0/0?model=restore"
    low, high = (decoded(server.ask(f"{address}&layer={layer}&level=0.9")).astype(int) for layer in ("low", "high"))
    assert (low <= high).all() and (low < high).any()
    assert decoded(server.ask(f"{address}&layer=uncertainty")).shape == (64, 64, 3)
    assert server.ask(f"{address}&layer=low&level=0.9999").status == 422
    assert server.ask(f"{address}&layer=sample&sample=1").status == 422
    assert server.ask(f"/api/pictures/{picture}/look?model=restore").json["expert"]


@pytest.mark.parametrize(
    ("data", "name"),
    [(b"", "a.png"), (b"no picture", "a.png"), (b"x", "../a.png"), (b"x", ".a"), (b"x", "x" * 999), (b"x", "a\x00")],
)
def test_what_is_no_picture_leaves_nothing(server, data, name):
    before = server.ask("/api/pictures").json
    answer = server.ask(f"/api/pictures?name={__import__('urllib.parse').parse.quote(name)}", "POST", data)
    assert answer.status == 422 and "\n" not in answer.json["error"]
    assert server.ask("/api/pictures").json == before


def test_errors_name_the_picture_and_no_place_of_the_server(server, tmp_path, rng):
    data = bytes_of(rng.integers(0, 256, (90, 90, 3), dtype=np.uint8), tmp_path)
    picture = server.drop(data[:9000], "broken.png")
    for path in ("", "/tiles/0/0/0", "/restored/0/0?model=restore", "/look?model=restore", "/thumbnail"):
        answer = server.ask(f"/api/pictures/{picture}{path}")
        assert answer.status == 422 and answer.json["error"].startswith("broken.png: "), path
        assert "/" not in answer.json["error"].split(": ", 1)[0] and str(server.house.state) not in answer.json["error"]
    assert server.ask(f"/api/pictures/{picture}", "DELETE").status == 204


def test_a_bomb_is_refused_before_it_is_decoded(server, tmp_path):
    pillow.new("1", (20000, 20000)).save(tmp_path / "bomb.png")
    answer = server.ask("/api/pictures?name=bomb.png", "POST", (tmp_path / "bomb.png").read_bytes())
    assert answer.status == 422 and "400 megapixels" in answer.json["error"]


def test_pictures_of_the_folder_are_offered_and_links_outwards_are_not(tmp_path, rng):
    folder, other = tmp_path / "folder", tmp_path / "other"
    (folder / "sub").mkdir(parents=True), other.mkdir()
    for path in (folder / "sub" / "a.png", other / "b.png"):
        write(Picture(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)), path)
    (folder / "out").symlink_to(other)
    (folder / "b.png").symlink_to(other / "b.png")
    (folder / ".hidden.png").write_bytes(b"x")
    with served(tmp_path / "state", folder) as server:
        (one,) = server.ask("/api/pictures").json
        assert one["name"] == "sub/a.png" and not one["is_dropped"]
        assert server.ask(f"/api/pictures/{one['id']}").json["width"] == 9
        assert server.ask(f"/api/pictures/{one['id']}", "DELETE").status == 404
        assert (folder / "sub" / "a.png").exists()


def test_what_was_left_half_done_is_no_picture(tmp_path, rng):
    state = tmp_path / "state"
    (state / "pictures" / "0123456789abcdef").mkdir(parents=True)
    unfinished = state / "pictures" / "fedcba9876543210.part"
    unfinished.mkdir()
    (unfinished / "a.png").write_bytes(b"half")
    with served(state) as server:
        assert server.ask("/api/pictures").json == [] and not unfinished.exists()
        server.drop(bytes_of(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8), tmp_path), "a.png")
        assert [one["name"] for one in server.ask("/api/pictures").json] == ["a.png"]


def test_pictures_of_the_folder_have_their_own_names_and_content(tmp_path, rng):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, level in (("a:b.png", 10), ("a_b.png", 200), ("c?.png", 90)):
        (folder / name).write_bytes(bytes_of(np.full((20, 20, 3), level, np.uint8), tmp_path))
    for result in ("a_b_restored.png", "a_b_restored_sample1.png", "a_b_restored_std.png"):
        shutil.copyfile(folder / "a_b.png", folder / result)
    with served(tmp_path / "state", folder) as server:
        listed = {one["name"]: one["id"] for one in server.ask("/api/pictures").json}
        assert sorted(listed) == ["a:b.png", "a_b.png", "c?.png"]
        assert decoded(server.ask(f"/api/pictures/{listed['a:b.png']}/tiles/0/0/0")).max() == 10
        (folder / "a_b.png").write_bytes(bytes_of(np.full((20, 22, 3), 77, np.uint8), tmp_path))
        assert server.ask(f"/api/pictures/{listed['a_b.png']}/tiles/0/0/0").status == 404
        changed = {one["name"]: one["id"] for one in server.ask("/api/pictures").json}["a_b.png"]
        assert decoded(server.ask(f"/api/pictures/{changed}/tiles/0/0/0")).max() == 77
