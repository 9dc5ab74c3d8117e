"""Responses and errors of POST /predict, independent of the HTTP library."""
import base64
import io
import json
import re
from typing import Any, Dict, Sequence, Tuple, Union

import numpy as np
from PIL import Image

from digits import figures, pictures
from digits.errors import UserError
from digits.pictures import page
from digits.prediction import results
from digits.prediction.classifier import Classifier

# paper.js has MAX_BODY_BYTES and MAX_PIXELS as well: the page shrinks larger pictures.
MAX_BODY_BYTES = 8_000_000
MAX_JSON_BYTES = 100_000  # 784 numbers have 20,000; deep or long lists would take seconds
MAX_PIXELS = 16_000_000
MAX_DECODING_SECONDS = 2  # of one core
FORMATS = {'image/png': 'Png', 'image/jpeg': 'Jpeg'}
KINDS = {pictures.NO_INK: 'no ink', pictures.NO_DIGIT: 'no digit',
         pictures.SEVERAL: 'several digits'}


class Refusal(Exception):
    """An error response: the HTTP status, and a message if the status has no default one."""

    def __init__(self, status: int, sentence: str = '', kind: str = ''):
        super().__init__(sentence)
        self.status, self.sentence, self.kind = status, sentence, kind


class SeveralDigits(Refusal):
    """The refusal of a picture of one digit that Predictor.page may answer."""


class Predictor:
    """Predicts digits for request bodies: a Classifier, and others to compare it with.

    has_maps: whether it has feature maps; others: the names of the other networks.
    """

    def __init__(self, classify: Classifier, others: Sequence[Tuple[str, Classifier]] = ()):
        self._classify, self._others = classify, others
        self.others = [name for name, _ in others]
        blank = np.zeros([28, 28], np.uint8)
        classify(blank[np.newaxis])  # the first call prepares the graph
        try:
            self.has_maps = bool(classify.feature_maps(blank))
        except UserError:  # softmax regression has none
            self.has_maps = False
        self._layers = classify.layers()
        if self._layers:
            self._layers.values(blank, 0)
        for _, other in others:
            other(blank[np.newaxis])

    def answer(self, content_type: str, body: bytes, wanted: Sequence[str] = (), pixel: str = ''
               ) -> Tuple[Dict, np.ndarray]:
        """The response as an object for json.dumps, and the image, uint8 [28, 28].

        wanted: 'image', 'maps', 'layers' and 'others' add the 28 x 28 image, the feature maps, all
        layers, and the predictions of the other networks; with 'page', SeveralDigits is raised for
        a picture that `page` may answer.
        pixel: 'layer,map,row,column' of one to be explained, counted from 0.
        Raises Refusal: 413, 415, 400 (wrong JSON) or 422 (no digit in the picture).
        """
        try:
            image = read_body(content_type, body)
        except Refusal as refusal:
            if 'page' not in wanted or refusal.kind not in ('no digit', 'several digits'):
                raise
            raise SeveralDigits(refusal.status, refusal.sentence, refusal.kind) from None
        answer = answer_of(self._classify, results.Result('', image[np.newaxis]))
        if 'others' in wanted:
            answer['others'] = [
                {'run': name, **answer_of(other, results.Result('', image[np.newaxis]))}
                for name, other in self._others]
        if 'image' in wanted:
            answer['image'] = png(image)
        if 'maps' in wanted:
            answer['maps'] = [
                {'title': title, 'image': png(figures.feature_maps_image(values))}
                for title, values in (self._classify.feature_maps(image) if self.has_maps else [])]
        if 'layers' in wanted:
            answer['layers'] = [layer_object(layer) for layer in (
                self._layers.values(image, answer['digit']) if self._layers else [])]
        if pixel:
            answer['pixel'] = self._pixel(image, pixel)
        return answer, image

    def _pixel(self, image, pixel):
        place = re.fullmatch(r'(\d{1,4}),(\d{1,4}),(\d{1,4}),(\d{1,4})', pixel)
        try:
            if place and self._layers:
                return self._layers.pixel(image, *map(int, place.groups()))
        except UserError:
            pass
        raise Refusal(400, 'pixel must be the numbers of a layer, of a map in it, of a row and of '
                      'a column, counted from 0: pixel=0,2,13,9')

    def page(self, body: bytes, refusal: SeveralDigits) -> Tuple[Dict, np.ndarray]:
        """The response for a picture of several digits, {"digits": [...]} with their boxes.

        And their images, uint8 [28 n, 28]. Raises `refusal` unless most digits are sure. Takes up
        to 10 s and 1 GB.
        """
        try:
            found = page.find(pictures.open_picture(
                io.BytesIO(body), max_pixels=MAX_PIXELS, max_seconds=MAX_DECODING_SECONDS))
        except UserError:
            raise refusal from None
        answer = answer_of(self._classify, results.Result('', found.images, found.boxes))
        sure = sum(digit['sure'] for digit in answer['digits'])
        if len(found.images) < 2 or sure < len(found.images) / 2:
            raise refusal
        return answer, np.concatenate(found.images)


def layer_object(layer: Any) -> Dict:
    """A layers.Values for json.dumps; its values as bytes in base64, 255 for `most` and more."""
    values = layer.values if layer.values.ndim == 1 else np.moveaxis(layer.values, 2, 0)
    most = float(figures.strongest(values))
    scaled = np.rint(255 * np.clip(values / most, 0, 1)).astype(np.uint8)
    return {'name': layer.name, 'stage': layer.stage, 'shape': list(values.shape),
            'most': round(most, 4), 'values': base64.b64encode(scaled.tobytes()).decode('ascii'),
            'contribution': layer.contribution.round(3).tolist()}


def answer_of(classify: Classifier, read: results.Result) -> Dict:
    """Classify a Result: what predict.py --json has of it, without a file's name.

    Probabilities have six places, which is more than they are worth.
    """
    results.classify([read], classify)
    answer = read.as_object()
    del answer['file']
    for digit in answer.get('digits', [answer]):
        digit['probability'] = round(digit['probability'], 6)
        digit['probabilities'] = [round(share, 6) for share in digit['probabilities']]
    return answer


def read_body(content_type: str, body: bytes) -> np.ndarray:
    """uint8 [28, 28] from a PNG, a JPEG or {"pixels": [...]}; Refusal for anything else."""
    if content_type not in FORMATS and content_type != 'application/json':
        raise Refusal(415)
    if len(body) > MAX_BODY_BYTES:
        raise Refusal(413)
    if content_type == 'application/json':
        if len(body) > MAX_JSON_BYTES:
            raise Refusal(413, f'784 numbers have no more than {MAX_JSON_BYTES:,} bytes as JSON')
        return _pixels(body)
    if not re.match(pictures.FORMATS[FORMATS[content_type]], body, re.DOTALL):
        raise Refusal(415)
    try:
        return pictures.read(io.BytesIO(body), max_pixels=MAX_PIXELS,
                             max_seconds=MAX_DECODING_SECONDS)
    except UserError as error:
        kind = next((KINDS[key] for key in KINDS if key in str(error)), 'unreadable')
        raise Refusal(422, str(error), kind) from None


def _pixels(body):
    """uint8 [28, 28] from {"pixels": 784 numbers from 0, paper, to 1, ink}, as in the lessons."""
    try:
        pixels = json.loads(body.decode('utf-8'))['pixels']
        if not isinstance(pixels, list) or not all(
                isinstance(value, (int, float)) and not isinstance(value, bool)
                and 0 <= value <= 1 for value in pixels) or len(pixels) != 784:
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Refusal(400, 'the JSON must be {"pixels": [...]} with 784 numbers from 0, paper, to '
                      '1, ink, row by row; divide those up to 255 by 255') from None
    return np.rint(255 * np.array(pixels, np.float64)).astype(np.uint8).reshape(28, 28)


def png(image: Union[np.ndarray, Image.Image]) -> str:
    """uint8 [h, w] or a PIL image as a PNG, in base64."""
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, 'PNG')
    return base64.b64encode(file.getvalue()).decode('ascii')
