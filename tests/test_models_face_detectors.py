"""The face detectors on a real portrait, against what can be seen on it and against each other."""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caer_build import faces as face_arithmetic
from caer_build.boxes import iou
from caer_build.errors import ModelMissing
from caer_build.models import face_detectors, yuface_network
from caer_build.models.face_results import tidy
from caer_build.models.protocols import FaceDetector, Faces

HERE = Path(__file__).parent
DATA = Path(os.environ.get("CAER_TEST_DATA", HERE.parent.parent / "shared" / "data"))
# Read off the picture by eye, px of the 512x512 portrait.
FACE = np.array([[181.0, 70.0, 270.0, 178.0]])
LANDMARKS = np.array([[203.0, 101], [246, 103], [223, 126], [204, 140], [244, 140]])


def made(name: face_detectors.DetectorName, width: int = 480) -> FaceDetector:
    try:
        return face_detectors.load(name, None, width)
    except ModelMissing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """A real portrait out of scikit-image's wheel, BGR, 512x512."""
    skimage_data = pytest.importorskip("skimage.data")
    return np.ascontiguousarray(skimage_data.astronaut()[..., ::-1])


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return made("yuface")


@pytest.mark.parametrize("name", ["yuface", "dlib-hog"])
def test_the_face_of_a_portrait_is_found(
    name: face_detectors.DetectorName, portrait: np.ndarray
) -> None:
    found = made(name).detect(portrait)
    assert len(found) == 1
    assert iou(found.boxes, FACE)[0, 0] > 0.5
    assert 0 <= found.scores[0] <= 1


def test_landmarks_lie_on_eyes_nose_and_mouth(detector: FaceDetector, portrait: np.ndarray) -> None:
    found = detector.detect(portrait)
    assert found.scores[0] > 0.9
    # The network is good for a few hundredths of the face's height, here 108 px.
    assert np.abs(found.landmarks[0] - LANDMARKS).max() < 8


def test_a_mirrored_portrait_gives_the_mirrored_face(
    detector: FaceDetector, portrait: np.ndarray
) -> None:
    found = detector.detect(portrait)
    mirrored = detector.detect(np.ascontiguousarray(portrait[:, ::-1]))
    back = mirrored.boxes[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (512, 0, 512, 0)
    assert iou(found.boxes, back)[0, 0] > 0.8
    yaw = face_arithmetic.yaw_deg(np.concatenate([found.landmarks, mirrored.landmarks]))
    assert yaw[1] == pytest.approx(-yaw[0], abs=12)
    assert np.abs(yaw).max() < 15


def test_width_scales_inside_and_boxes_come_back_in_px_of_the_picture(
    detector: FaceDetector, portrait: np.ndarray
) -> None:
    large = cv2.resize(portrait, (1536, 1536), interpolation=cv2.INTER_CUBIC)
    assert iou(detector.detect(large).boxes / 3, detector.detect(portrait).boxes)[0, 0] > 0.85


def test_a_face_cut_by_the_border_stays_inside_the_picture(
    detector: FaceDetector, portrait: np.ndarray
) -> None:
    cut = np.ascontiguousarray(portrait[95:, 190:])
    found = detector.detect(cut)
    assert len(found) >= 1
    assert (found.boxes >= 0).all()
    assert found.boxes[:, 2].max() <= cut.shape[1]
    assert found.boxes[:, 3].max() <= cut.shape[0]


@pytest.mark.parametrize("shape", [(270, 480), (32, 32), (5, 3), (1, 1), (37, 101), (600, 40)])
def test_pictures_without_faces_of_any_size_give_none(
    detector: FaceDetector, shape: tuple[int, int]
) -> None:
    found = detector.detect(np.full((*shape, 3), 90, np.uint8))
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)
    assert found.landmarks.shape == (0, 5, 2)


def test_threads_see_what_one_sees(detector: FaceDetector, portrait: np.ndarray) -> None:
    pictures = [np.ascontiguousarray(np.roll(portrait, 9 * k, axis=1)) for k in range(8)]
    alone = [detector.detect(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector.detect, pictures * 2))
    for one, other in zip(alone * 2, together, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.landmarks, other.landmarks)


def library_faces(picture: np.ndarray) -> np.ndarray:
    """(n, 15) what libfacedetection's own code says, whole px, score in percent first."""
    file, _ = yuface_network.find_library()
    library = ctypes.CDLL(str(file))
    detect = library["_Z14facedetect_cnnPhS_iii"]
    detect.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_int] * 3
    library["omp_set_num_threads"](1)
    memory = np.zeros(0x9000, np.uint8)
    height, width = picture.shape[:2]
    detect(memory.ctypes.data, picture.ctypes.data, width, height, 3 * width)
    n = int(memory[:4].view(np.int32)[0])
    return memory[4 : 4 + 32 * n].view(np.int16).reshape(n, 16)[:, :15].astype(np.float64)


def test_the_network_read_from_the_library_is_the_librarys(
    detector: FaceDetector, portrait: np.ndarray
) -> None:
    for size in (480, 256, 128):
        picture = cv2.resize(portrait, (size, size), interpolation=cv2.INTER_AREA)
        expected = library_faces(picture)
        expected = expected[expected[:, 0] >= 60]
        found = detector.detect(picture)
        assert len(found) == len(expected) == 1
        x, y, w, h = expected[0, 1:5]
        # The library cuts positions and sizes to whole px, and scores to whole percent.
        assert np.abs(found.boxes[0] - (x, y, x + w, y + h)).max() < 2.01
        assert found.scores[0] * 100 - expected[0, 0] == pytest.approx(0.5, abs=0.51)
        assert np.abs(found.landmarks[0].ravel() - expected[0, 5:]).max() < 1.01


def write_as_yunet(file: Path) -> None:
    """The network of the wheel as a file of the form that OpenCV's YuNet has."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(yuface_network.build(yuface_network.find_library()[0]))
    graph = model.graph
    levels = [output.name for output in graph.output]
    del graph.output[:]

    def add(kind: str, *inputs: str, name: str, **attributes: object) -> str:
        graph.node.append(onnx.helper.make_node(kind, inputs, [name], **attributes))
        return name

    def whole(name: str, *values: int) -> str:
        array = np.array(values, np.int64)
        graph.initializer.append(onnx.numpy_helper.from_array(array, name))
        return name

    first = 0
    for kind, channels in yuface_network.HEADS:
        for stride, level in zip(yuface_network.STRIDES, levels, strict=True):
            name = f"{kind}_{stride}"
            begin, end = whole(f"{name}b", first), whole(f"{name}e", first + channels)
            x = add("Slice", level, begin, end, whole(f"{name}a", 1), name=f"{name}s")
            x = add("Transpose", x, name=f"{name}t", perm=[0, 2, 3, 1])
            logits = kind in ("cls", "obj")
            shape = whole(f"{name}f", 1, -1, channels)
            x = add("Reshape", x, shape, name=f"{name}r" if logits else name)
            if logits:
                add("Sigmoid", x, name=name)
            shape_of = [1, None, channels]
            kind_of = onnx.TensorProto.FLOAT
            graph.output.append(onnx.helper.make_tensor_value_info(name, kind_of, shape_of))
        first += channels
    onnx.save(model, str(file))


def test_yunet_in_opencv_sees_what_the_embedded_detector_sees(
    detector: FaceDetector, portrait: np.ndarray, tmp_path: Path
) -> None:
    write_as_yunet(tmp_path / "face_detection_yunet_2023mar.onnx")
    yunet = face_detectors.load("auto", tmp_path, 480)
    assert yunet.version.startswith("YuNet face_detection_yunet_2023mar.onnx")
    for picture in (portrait, portrait[:, 100:400], np.zeros((90, 160, 3), np.uint8)):
        one, other = yunet.detect(picture), detector.detect(picture)
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-2)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)
        np.testing.assert_allclose(one.landmarks, other.landmarks, atol=1e-2)


def test_real_shots_with_and_without_people(detector: FaceDetector) -> None:
    av = pytest.importorskip("av")
    video = DATA / "episodes" / "lobby.s01e02.mp4"
    if not video.is_file():
        pytest.skip(f"no test data: {video} is absent (set CAER_TEST_DATA)")
    # From its truth: no people in [0, 24), Ben in [72, 113), Gus in [113, 141).
    expected = {4: 0, 12: 0, 20: 0, 80: 1, 95: 1, 110: 1, 120: 1, 130: 1}
    found = {}
    with av.open(str(video)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in expected:
                faces = detector.detect(frame.to_ndarray(format="bgr24", width=480, height=270))
                found[number] = int((faces.scores >= 0.8).sum())
            if number >= max(expected):
                break
    assert found == expected


def test_automatic_choice_without_a_model_file_is_the_embedded_one(tmp_path: Path) -> None:
    made("yuface")
    assert face_detectors.load("auto", tmp_path, 480).version == made("yuface").version
    assert "480" in made("yuface").version
    assert made("yuface").version != made("yuface", width=320).version


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="caer models add"):
        face_detectors.load("yunet", tmp_path, 480)
    (tmp_path / "face_detection_yunet_2023mar.onnx").write_bytes(b"not a network")
    with pytest.raises(ModelMissing, match="face_detection_yunet_2023mar"):
        face_detectors.load("auto", tmp_path, 480)


@given(
    corners=st.lists(
        st.tuples(st.floats(-60, 150), st.floats(-60, 150), st.floats(1, 90), st.floats(1, 90)),
        max_size=12,
    )
)
@settings(max_examples=60)
def test_tidy_faces_are_inside_ordered_and_keep_their_landmarks(
    corners: list[tuple[float, float, float, float]],
) -> None:
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in corners]).reshape(-1, 4)
    marks = boxes[:, None, :2] + np.zeros((len(boxes), 5, 2))
    faces: Faces = tidy(boxes, np.linspace(0.5, 1, len(boxes)), marks, 100, 80)
    assert ((faces.boxes >= 0) & (faces.boxes <= (100, 80, 100, 80))).all()
    assert ((faces.boxes[:, 2:] - faces.boxes[:, :2]) >= 4).all()
    places = [tuple(box[:2]) for box in faces.boxes.tolist()]
    assert places == sorted(places)
    np.testing.assert_allclose(np.maximum(faces.landmarks[:, 0], 0), faces.boxes[:, :2])
