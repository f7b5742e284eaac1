"""Videos with what can be wrong with them, made from a good one."""

import struct

import numpy as np

CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def write_clip(path, code="mp4v", size=(320, 240), n_frames=30, fps=25.0, draw=None):
    """Write a video with OpenCV; by default a disc moves over grey."""
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), fps, size)
    assert writer.isOpened()
    for i in range(n_frames):
        picture = np.full((size[1], size[0], 3), 90, np.uint8)
        if draw is None:
            cv2.circle(picture, (40 + 5 * i % 200, 100), 25, (200, 120, 40), -1)
        else:
            draw(i, picture)
        writer.write(picture)
    writer.release()
    return path


def edit_mp4(data, kind, change):
    """Return an MP4 file with every box of a kind put through `change`, or dropped if that is None.

    Its index must lie behind the pictures, for their places in the file stay as they are.
    """
    assert data.find(b"mdat") < data.find(b"moov")
    return _edit(data, kind, change)


def _edit(data, kind, change):
    pieces = []
    place = 0
    while place + 8 <= len(data):
        length, found = struct.unpack(">I4s", data[place : place + 8])
        inside = data[place + 8 : place + length]
        if found == kind:
            inside = change(inside)
        elif found in CONTAINERS:
            inside = _edit(inside, kind, change)
        if inside is not None:
            pieces.append(struct.pack(">I4s", 8 + len(inside), found) + inside)
        place += length
    return b"".join(pieces)


def turn(data, degrees):
    """Say that pictures must be turned clockwise when they are shown."""
    one = 0x10000
    a, b = {90: (0, one), 180: (-one, 0), 270: (0, -one)}[degrees]
    matrix = struct.pack(">9i", a, b, 0, -b, a, 0, 0, 0, 1 << 30)
    return edit_mp4(data, b"tkhd", lambda inside: inside[:40] + matrix + inside[76:])


def retime(data, runs):
    """Give frames other durations: runs of (number of frames, duration)."""
    numbers = [number for run in runs for number in run]
    table = struct.pack(f">II{len(numbers)}I", 0, len(runs), *numbers)
    return edit_mp4(data, b"stts", lambda _: table)


def drop_pictures(data):
    """Leave only the sound."""
    return edit_mp4(data, b"trak", lambda inside: None if b"vmhd" in inside else inside)
