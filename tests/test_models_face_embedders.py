"""The face embedder and its alignment, on real faces and against dlib itself."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from caer_build.errors import ModelMissing, SchemaError
from caer_build.models import dlib_resnet, face_embedders
from caer_build.models.alignment import TEMPLATE, align, similarity
from caer_build.models.dlib_weights import read_residual_net
from caer_build.models.sface import SFACE_FILE

cv2 = pytest.importorskip("cv2")
HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("CAER_TEST_DATA", HERE.parent.parent / "shared" / "data"))


@pytest.fixture(scope="module")
def chips() -> dict[str, np.ndarray]:
    """Three RGB face crops each of five people, 150x150 and roughly aligned."""
    folder = DATA / "identities" / "johns"
    if not folder.is_dir():
        pytest.skip(f"no test data: {folder} is absent (set CAER_TEST_DATA)")
    people = {}
    for person in sorted(folder.iterdir()):
        photos = [cv2.imread(str(path))[..., ::-1] for path in sorted(person.iterdir())[:3]]
        people[person.name] = np.stack(photos)
    return people


@pytest.fixture(scope="module")
def embedder() -> dlib_resnet.DlibResnet:
    try:
        return dlib_resnet.DlibResnet(threads=1)
    except ModelMissing as error:
        pytest.skip(str(error))


def test_descriptors_are_those_of_dlib(
    chips: dict[str, np.ndarray], embedder: dlib_resnet.DlibResnet
) -> None:
    dlib = pytest.importorskip("dlib")
    weights = dlib_resnet.weights_file(dlib_resnet.WEIGHTS_FILE)
    theirs = dlib.face_recognition_model_v1(str(weights))
    faces = np.stack([person[0] for person in chips.values()])
    noise = np.random.default_rng(0).integers(0, 256, (1, 150, 150, 3), dtype=np.uint8)
    faces = np.concatenate([faces, noise, np.zeros_like(noise)])
    expected = [theirs.compute_face_descriptor(np.ascontiguousarray(face)) for face in faces]
    np.testing.assert_allclose(embedder.descriptors(faces), np.array(expected), atol=1e-5)


def test_one_persons_photos_are_nearer_than_two_peoples(
    chips: dict[str, np.ndarray], embedder: dlib_resnet.DlibResnet
) -> None:
    vectors = {name: embedder.embed(person) for name, person in chips.items()}
    same = [1 - float(v[i] @ v[j]) for v in vectors.values() for i in range(3) for j in range(i)]
    other = [
        1 - float(vectors[a][i] @ vectors[b][j])
        for a in vectors
        for b in vectors
        if a < b
        for i in range(3)
        for j in range(3)
    ]
    assert max(same) < embedder.same_person_distance < min(other)


def test_a_vector_does_not_depend_on_its_batch_or_the_threads(
    chips: dict[str, np.ndarray], embedder: dlib_resnet.DlibResnet
) -> None:
    faces = np.concatenate(list(chips.values()))[:4]
    together = embedder.embed(faces)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    alone = np.concatenate([embedder.embed(face[None]) for face in faces])
    again = dlib_resnet.DlibResnet(threads=2).embed(faces[::-1])[::-1]
    assert together.tobytes() == alone.tobytes() == again.tobytes()


def test_no_chips_give_no_vectors(embedder: dlib_resnet.DlibResnet) -> None:
    assert embedder.embed(np.zeros((0, 150, 150, 3), dtype=np.uint8)).shape == (0, 128)


def test_the_version_names_weights_and_runtime(embedder: dlib_resnet.DlibResnet) -> None:
    import onnxruntime

    assert onnxruntime.__version__ in embedder.version
    assert "55533b28a95800a5" in embedder.version


def test_the_network_has_dlibs_shape(embedder: dlib_resnet.DlibResnet) -> None:
    net = read_residual_net(dlib_resnet.weights_file(dlib_resnet.WEIGHTS_FILE))
    assert net.stem.weight.shape == (32, 3, 7, 7)
    assert [len(first.bias) for first, _ in net.blocks] == [32] * 3 + [64] * 4 + [128] * 3 + [
        256
    ] * 4
    assert [i for i, (first, _) in enumerate(net.blocks) if first.stride == 2] == [3, 7, 10, 13]
    assert net.matrix.shape == (256, 128)


@pytest.mark.parametrize("content", [b"", b"no network at all", None])
def test_a_file_that_is_not_the_network_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "weights.dat"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelMissing, match=r"weights\.dat"):
        read_residual_net(path)


def test_a_cut_off_network_is_refused(
    tmp_path: Path,
    embedder: dlib_resnet.DlibResnet,
) -> None:
    whole = dlib_resnet.weights_file(dlib_resnet.WEIGHTS_FILE).read_bytes()
    path = tmp_path / "half.dat"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelMissing, match=r"half\.dat"):
        read_residual_net(path)


def test_sface_without_its_file_says_what_is_missing(tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        with pytest.raises(ModelMissing, match=SFACE_FILE):
            face_embedders.load("sface", folder, threads=1)


def test_a_broken_sface_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / SFACE_FILE).write_bytes(b"not a model")
    with pytest.raises(ModelMissing, match=SFACE_FILE):
        face_embedders.load("sface", tmp_path, threads=1)


def test_auto_gives_an_embedder(embedder: dlib_resnet.DlibResnet) -> None:
    assert face_embedders.load("auto", None, threads=1).version == embedder.version


def test_a_similarity_is_found_again() -> None:
    # Twice as large, turned by a right angle, moved by (10, 20): (x, y) -> (10 - 2y, 20 + 2x).
    source = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]])
    target = np.array([[10.0, 20.0], [10.0, 26.0], [2.0, 26.0]])
    np.testing.assert_allclose(similarity(source, target), [[0, -2, 10], [2, 0, 20]], atol=1e-12)


def test_alignment_puts_the_landmarks_on_the_template() -> None:
    turn = np.deg2rad(25)
    matrix = 1.3 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    landmarks = TEMPLATE @ matrix.T + [120, 10]
    picture = np.zeros((400, 400, 3), dtype=np.uint8)
    for number, (x, y) in enumerate(landmarks):
        cv2.circle(picture, (round(x), round(y)), 4, (255, 50 * number, 0), -1)
    chip = align(picture, landmarks)
    assert chip.shape == (150, 150, 3)
    assert chip.dtype == np.uint8
    for number, (x, y) in enumerate(TEMPLATE):
        np.testing.assert_allclose(chip[round(y), round(x)], [255, 50 * number, 0], atol=2)
    assert chip[0, 0].max() == 0


def test_an_aligned_crop_needs_no_moving() -> None:
    chip = np.random.default_rng(1).integers(0, 256, (150, 150, 3), dtype=np.uint8)
    np.testing.assert_array_equal(align(chip, TEMPLATE), chip)


@pytest.mark.parametrize(
    "landmarks",
    [np.full((5, 2), np.nan), np.full((5, 2), 7.0), np.zeros((4, 2))],
    ids=["missing", "one point", "four"],
)
def test_landmarks_that_cannot_be_aligned_are_refused(landmarks: np.ndarray) -> None:
    with pytest.raises(SchemaError):
        align(np.zeros((50, 50, 3), dtype=np.uint8), landmarks)
