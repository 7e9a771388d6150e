"""How each format is used, without cleave: Python that tells the class of image.png."""

from __future__ import annotations

ONNX = """\
import json, numpy, onnxruntime
from PIL import Image
session = onnxruntime.InferenceSession("{file}")
classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
pixels = numpy.asarray(Image.open("image.png").convert("{mode}"))
images = numpy.atleast_3d(pixels).transpose(2, 0, 1)[None]
probabilities, logits = session.run(None, {{"images": images}})
print(classes[probabilities[0].argmax()])"""
PIXELS = """\
image = Image.open("image.png").convert("{mode}")
pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(image.height, image.width, -1)
probabilities, logits = network(pixels.permute(2, 0, 1)[None])
print(classes[probabilities[0].argmax()])"""
PROGRAM = (
    """\
import json, torch
from PIL import Image
inside = {{"classes.json": ""}}
network = torch.export.load("{file}", extra_files=inside).module()
classes = json.loads(inside["classes.json"])
"""
    + PIXELS
)
PLAIN = (
    """\
import torch
from PIL import Image
from model import CLASSES as classes, load
network = load()
"""
    + PIXELS
)
USAGE = {"onnx": ONNX, "torch": PROGRAM, "plain": PLAIN}


def usage(name: str, file: str, channels: int) -> str:
    """Of a format."""
    return USAGE[name].format(file=file, mode="RGB" if channels == 3 else "L")
