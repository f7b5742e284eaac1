"""Damage files in many ways: every one must be read, or refused in one line, within two seconds.

    python benchmarks/fuzz_formats.py --format bvh -n 20000 --seed 0 [--mocap FOLDER] [--keep FOLDER]

Prints how many files were read and refused, and exits with 1 if one met anything else: another
exception, a warning, a message of several lines, more than two seconds, or more than 4 GiB. Such files
are kept in the folder of `--keep`. Without the real files of `--mocap` it damages simulated walks only,
and says so. The same seed gives the same files.
"""

import argparse
import re
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from moodwalk.errors import MoodwalkError
from moodwalk.gait import Gait
from moodwalk.io import load_emotion_gait, open_writer
from moodwalk.io.bvh import read_bvh
from moodwalk.io.bvh_writing import write_bvh
from moodwalk.io.corpus import iterate_corpus
from moodwalk.io.joint_tables import begins_joint_table, is_joint_table, read_joint_table
from moodwalk.skeleton import Joint
from moodwalk.walker import simulate_walks

HERE = Path(__file__).resolve().parent
LIMIT_S = 2.0
MEMORY_BYTES = 4 * 2**30
HEAD_BYTES = 6000

SMALL_BVH = b"""HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Leg
  {
    OFFSET 1 -10 0.5
    CHANNELS 3 Yrotation Xrotation Zrotation
    End Site
    {
      OFFSET 0 -1e1 0
    }
  }
}
MOTION
Frames: 3
Frame Time: 0.0333333
0 90 0 10 20 30 1 2 3
0 91 1 11 21 31 1 2 3
0 92 2 12 22 32 1 2 3
"""

HOSTILE = (
    *b"nan inf -inf 1e999 1e9 -1e-999 0x10 1_000 1,5 1.5.2 --1 -1 0 1000000000 ROOT JOINT".split(),
    *b"99999999999999999999999999 # { } OFFSET CHANNELS MOTION Frames: HIERARCHY".split(),
    *(b"", b"\0", b"\xff\xfe", b"\r", b"End Site", b" " * 5000, b"\n" * 500, b"9" * 5000),
    *(b"{" * 2000, b"}" * 20, b"JOINT x { " * 1500),
)
"""What is put in place of a word, or beside it."""


def make_bvh_seeds(mocap: Path) -> list[bytes]:
    """Return whole files to damage."""
    seeds = [path.read_bytes() for path in sorted(mocap.glob("*.bvh"))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walk.bvh"
        for gait in simulate_walks(2, 1, seed=0):
            write_bvh(path, gait)
            seeds.append(path.read_bytes())
    # small ones, too: there damage hits what holds a file together more often
    return [*seeds, *[SMALL_BVH] * len(seeds)]


JOINTS = [joint.name.lower() for joint in Joint]
N_TABLE_FRAMES = 24


def take_gaits(mocap: Path) -> list[Gait]:
    """Return two short gaits, real ones where there are any."""
    folder = mocap.parent / "emotion-gait"
    gaits = load_emotion_gait(folder)[:2] if folder.exists() else simulate_walks(2, 1, seed=0)
    return [gait.with_positions(gait.positions[:N_TABLE_FRAMES]) for gait in gaits]


def make_text_seeds(mocap: Path) -> list[bytes]:
    """Return tables of joints as text: wide, named, long, decimal commas, rows above the axes."""
    points = take_gaits(mocap)[0].positions
    rows = [[f"{value:.4f}" for value in frame.ravel()] for frame in points]
    axes = [f"{name}_{axis}" for name in JOINTS for axis in "xyz"]
    above = [cell for name in JOINTS for cell in (name, "", "")]
    times = [f"{i / 30:.3f}" for i in range(len(rows))]

    def join(*table: Sequence[object], mark: str = ",") -> str:
        return "".join(mark.join(map(str, row)) + "\n" for row in table)

    wide = join(
        ["frame", "time", *axes],
        *[[i, time, *row] for i, (time, row) in enumerate(zip(times, rows, strict=True))],
    )
    named = join(
        ["gait", "subject", "label", "frame", "fps", *axes],
        *[["ab"[i % 2], "s", "sad", i // 2, 30, *row] for i, row in enumerate(rows)],
    )
    long = join(
        ["frame", "joint", "x", "y", "z", "confidence", "timestamp"],
        *[
            [i, name, *row[3 * j : 3 * j + 3], 0.9, f"{i * 33.4:.1f}"]
            for i, row in enumerate(rows)
            for j, name in enumerate(JOINTS)
        ],
    )
    multi = join(
        ["Trajectories"],
        [120],
        ["", "", *above],
        ["Frame", "Sub Frame", *"XYZ" * len(JOINTS)],
        ["", "", *["mm"] * len(axes)],
        *[[i, 0, *row] for i, row in enumerate(rows)],
    )
    numbered = join(
        ["DataRate", "Units"],
        [60, "mm"],
        ["Frame#", "Time", *above],
        ["", "", *[f"{axis}{j + 1}" for j in range(len(JOINTS)) for axis in "XYZ"]],
        *[[i, time, *row] for i, (time, row) in enumerate(zip(times, rows, strict=True))],
        mark="\t",
    )
    commas = wide.replace(",", ";").replace(".", ",")
    texts = [wide, named, long, multi, numbered, commas]
    return [*[text.encode() for text in texts], wide.encode("utf-16")]


def make_packed_seeds(mocap: Path) -> list[bytes]:
    """Return tables of joints as Parquet, NPZ and NPY."""
    import pyarrow
    import pyarrow.parquet

    points = take_gaits(mocap)[0].positions
    n_frames, n_joints = points.shape[:2]
    frames = np.arange(n_frames, dtype=np.int32)
    wide = {"frame": frames, "fps": np.full(n_frames, 30.0), "subject": ["a"] * n_frames} | {
        f"{name}_{axis}": points[:, j, k]
        for j, name in enumerate(JOINTS)
        for k, axis in enumerate("xyz")
    }
    long = {"frame": np.repeat(frames, n_joints), "joint": JOINTS * n_frames} | {
        axis: points[..., k].ravel() for k, axis in enumerate("xyz")
    }
    moments = pyarrow.array(np.repeat(frames.astype(np.int64) * 33_300_000, n_joints))
    long["time"] = moments.cast(pyarrow.timestamp("ns"))
    seeds: list[bytes] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walk"
        for table in (wide, long):
            pyarrow.parquet.write_table(pyarrow.table(table), path)
            seeds.append(path.read_bytes())
        times = frames / 30
        for save in (np.savez, np.savez_compressed):
            with path.open("wb") as file:
                save(file, positions=points, joints=np.array(JOINTS), time=times, label="sad")
            seeds.append(path.read_bytes())
        with path.open("wb") as file:
            np.save(file, points)
        seeds.append(path.read_bytes())
    return seeds


def make_corpus_seeds(mocap: Path) -> list[bytes]:
    """Return a part of a corpus."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part.parquet"
        with open_writer(path) as writer:
            writer.write(take_gaits(mocap))
        return [path.read_bytes()]


def read_joints(path: Path) -> object:
    """Read a table of joints as the command line does: look first."""
    with path.open("rb") as file:
        begins_joint_table(file.read(2**16))
    is_joint_table(path)
    names = JOINTS if path.read_bytes().startswith(b"\x93") else None
    return read_joint_table(path, 30, joint_names=names)


def read_part(path: Path) -> object:
    """Read a part of a corpus."""
    return list(iterate_corpus(path))


FORMATS: dict[str, tuple[Callable[[Path], object], Callable[[Path], list[bytes]]]] = {
    "bvh": (read_bvh, make_bvh_seeds),
    "joint-text": (read_joints, make_text_seeds),
    "joint-packed": (read_joints, make_packed_seeds),
    "corpus": (read_part, make_corpus_seeds),
}
"""For every format what reads a file, and what gives whole files, from a folder of motion capture."""


@dataclass
class Outcome:
    """What became of the damaged files."""

    counts: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str, bytes]] = field(default_factory=list)
    slowest_s: float = 0.0


def fuzz(
    read: Callable[[Path], object], seeds: Sequence[bytes], n: int, seed: int, suffix: str
) -> Outcome:
    """Read n damaged files; failures are (number, what went wrong, the file)."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        path = Path(folder) / f"damaged{suffix}"
        for i in range(n):
            content = damage(seeds, np.random.default_rng((seed, i)))
            path.write_bytes(content)
            start = time.perf_counter()
            try:
                read(path)
                outcome.counts["read"] += 1
                wrong = ""
            except MoodwalkError as error:
                message = str(error).replace(str(path), "PATH")
                outcome.counts[type(error).__name__] += 1
                outcome.messages[re.sub(r"[0-9]+|'.*?'", "…", message)] += 1
                wrong = "message of several lines" if len(str(error).splitlines()) != 1 else ""
            except Exception:
                wrong = traceback.format_exc()
            took_s = time.perf_counter() - start
            outcome.slowest_s = max(outcome.slowest_s, took_s)
            if took_s > LIMIT_S:
                wrong = f"{took_s:.1f} s. {wrong}"
            if wrong:
                outcome.failures.append((i, wrong, content))
    return outcome


def damage(seeds: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Return one of the files with a few damages, most often one."""
    content = seeds[rng.integers(len(seeds))]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = DAMAGES[rng.integers(len(DAMAGES))](content, rng)
    return content


def pick(content: bytes, rng: np.random.Generator) -> int:
    """Return a place in a file, every third time in its head."""
    end = min(len(content), HEAD_BYTES) if rng.random() < 0.33 else len(content)
    return int(rng.integers(end + 1))


def pick_match(pattern: bytes, content: bytes, rng: np.random.Generator) -> tuple[int, int]:
    """Return begin and end of a match near some place; the pattern fails fast where there is none."""
    start = max(0, pick(content, rng) - 40)
    found = re.compile(pattern).search(content, start)
    return found.span() if found else (start, start)


def flip_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.integers(1, 9)):
        if changed:
            changed[min(pick(content, rng), len(changed) - 1)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def set_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    at = pick(content, rng)
    noise = rng.bytes(int(rng.integers(1, 40)))
    return content[:at] + noise + content[at + len(noise) :]


def truncate(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: pick(content, rng)]


def delete_piece(content: bytes, rng: np.random.Generator) -> bytes:
    at = pick(content, rng)
    return content[:at] + content[at + int(rng.integers(1, 400)) :]


def double_piece(content: bytes, rng: np.random.Generator) -> bytes:
    at, n = pick(content, rng), int(rng.integers(1, 2000))
    return content[:at] + content[at : at + n] * int(rng.integers(2, 5)) + content[at + n :]


def pick_line(content: bytes, rng: np.random.Generator) -> tuple[int, int]:
    """Return begin and end of a line, its break included."""
    at = pick(content, rng)
    end = content.find(b"\n", at) + 1 or len(content)
    return content.rfind(b"\n", 0, at) + 1, end


def delete_line(content: bytes, rng: np.random.Generator) -> bytes:
    begin, end = pick_line(content, rng)
    return content[:begin] + content[end:]


def double_line(content: bytes, rng: np.random.Generator) -> bytes:
    begin, end = pick_line(content, rng)
    return content[:end] + content[begin:end] * int(rng.integers(1, 4)) + content[end:]


def swap_words(content: bytes, rng: np.random.Generator) -> bytes:
    first, second = sorted([pick_match(rb"\S+", content, rng), pick_match(rb"\S+", content, rng)])
    if first[1] > second[0]:
        return content
    (a, b), (c, d) = first, second
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def replace_word(content: bytes, rng: np.random.Generator) -> bytes:
    begin, end = pick_match(rb"\S+", content, rng)
    return content[:begin] + HOSTILE[rng.integers(len(HOSTILE))] + content[end:]


def replace_number(content: bytes, rng: np.random.Generator) -> bytes:
    begin, end = pick_match(rb"[0-9]+", content, rng)
    number = 10 ** rng.uniform(-3, 12) if rng.random() < 0.5 else int(rng.integers(10))
    return content[:begin] + (b"%d" % number) + content[end:]


def insert_word(content: bytes, rng: np.random.Generator) -> bytes:
    at = pick(content, rng)
    return content[:at] + b" " + HOSTILE[rng.integers(len(HOSTILE))] + b" " + content[at:]


def change_spaces(content: bytes, rng: np.random.Generator) -> bytes:
    old, new = [
        (b"\n", b"\r\n"),
        (b"\n", b"\r"),
        (b" ", b"\t"),
        (b" ", b"  "),
        (b"\n", b"\n\n"),
        (b".", b","),
        (b"\n", b" "),
    ][rng.integers(7)]
    return content.replace(old, new)


DAMAGES = (
    flip_bytes,
    set_bytes,
    truncate,
    delete_piece,
    double_piece,
    delete_line,
    double_line,
    swap_words,
    replace_word,
    replace_number,
    insert_word,
    change_spaces,
)


def limit_memory() -> None:
    """Let whatever takes more than `MEMORY_BYTES` fail, where the system can."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument("-n", type=int, default=20_000, help="how many files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mocap", type=Path, default=HERE.parents[1] / "shared/data/mocap")
    parser.add_argument("--keep", type=Path, help="folder for the files that failed")
    parser.add_argument("--show", type=int, default=0, help="how many of the messages to print")
    args = parser.parse_args()
    read, make_seeds = FORMATS[args.format]
    seeds = make_seeds(args.mocap)
    limit_memory()
    start = time.perf_counter()
    outcome = fuzz(read, seeds, args.n, args.seed, f".{args.format}")
    took_s = time.perf_counter() - start
    source = "real and simulated" if args.mocap.exists() else "simulated"
    counts = ", ".join(f"{n} {what}" for what, n in outcome.counts.most_common())
    print(f"{args.n} damaged files of {len(set(seeds))} {source} ones in {took_s:.0f} s: {counts}")
    print(f"slowest {outcome.slowest_s:.2f} s; {len(outcome.failures)} failures")
    for message, n in outcome.messages.most_common(args.show):
        print(f"{n:>7} {message}")
    for number, wrong, content in outcome.failures:
        print(f"\n{args.seed}-{number}: {wrong}")
        if args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
            (args.keep / f"{args.seed}-{number}.{args.format}").write_bytes(content)
    sys.exit(1 if outcome.failures else 0)


if __name__ == "__main__":
    main()
