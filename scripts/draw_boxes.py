"""Draws the boxes that FastestDet found: draw_boxes.py PICTURE RUN.json OUT.png

RUN.json is the report of `hadal run`, whose first output is the detector's grid: 85 channels (objectness, x, y, width,
height, 80 classes) for each of 22x22 cells. Decoding follows the detector's own example.
"""

import colorsys
import json
import pathlib
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SCORE_MIN = 0.65
OVERLAP_MAX = 0.45

COCO = """person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,
bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,
snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,
knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,potted plant,bed,
dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase,
scissors,teddy bear,hair drier,toothbrush""".replace("\n", "").split(",")


def decode(grid):
    """Boxes (x0, y0, x1, y1 as shares of the picture), scores and classes of every cell that is sure enough."""
    rows, columns = grid.shape[1:]
    y, x = np.mgrid[0:rows, 0:columns]
    score = grid[0] ** 0.6 * grid[5:].max(axis=0) ** 0.4
    centre = np.stack([(x + np.tanh(grid[1])) / columns, (y + np.tanh(grid[2])) / rows])
    size = 1 / (1 + np.exp(-grid[3:5]))
    boxes = np.concatenate([centre - size / 2, centre + size / 2]).clip(0, 1)
    sure = score > SCORE_MIN
    return boxes[:, sure].T, score[sure], grid[5:].argmax(axis=0)[sure]


def overlap(box, others):
    """Intersection over union of one box with many."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    area = lambda b: np.prod(b[..., 2:] - b[..., :2], axis=-1)
    return common / np.maximum(area(box) + area(others) - common, 1e-12)


def suppress(boxes, scores):
    """Indices of the boxes to keep, best first: none overlaps a better one."""
    order, kept = np.argsort(-scores, kind="stable"), []
    while len(order):
        kept.append(order[0])
        order = order[1:][overlap(boxes[order[0]], boxes[order[1:]]) <= OVERLAP_MAX]
    return kept


def draw(picture, boxes, scores, classes):
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(max(12, picture.height // 24))
    for box, score, kind in zip(boxes, scores, classes):
        corners = box * [picture.width, picture.height, picture.width, picture.height]
        label = f"{COCO[kind]} {score:.2f}"
        colour = tuple(int(255 * c) for c in colorsys.hsv_to_rgb(kind * 0.618 % 1, 0.9, 0.7))  # far apart by class
        pen.rectangle(corners.tolist(), outline=colour, width=max(2, picture.height // 200))
        pen.rectangle(pen.textbbox(corners[:2].tolist(), label, font=font), fill=colour)
        pen.text(corners[:2].tolist(), label, fill="white", font=font)


def main(picture_file, report_file, out_file):
    report = json.loads(pathlib.Path(report_file).read_text())
    # File names in the report are relative to where hadal ran, which is the report's own folder.
    grid = np.load(pathlib.Path(report_file).parent / report["outputs"][0]["file"])[0]
    boxes, scores, classes = decode(grid)
    kept = suppress(boxes, scores)
    picture = Image.open(picture_file).convert("RGB")
    draw(picture, boxes[kept], scores[kept], classes[kept])
    picture.save(out_file)
    found = ", ".join(f"{COCO[classes[k]]} {scores[k]:.2f}" for k in kept) or "nothing"
    print(f"found in {picture_file}: {found}\nboxes drawn in {out_file}\n")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
