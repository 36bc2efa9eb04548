"""Calls the library's side of the comparison, the program huggingface_probe ($EBMCL_PROBE)."""
import array
import os
import pathlib
import struct
import subprocess
import tempfile


def run(*arguments):
    """What the command printed."""
    done = subprocess.run([os.environ["EBMCL_PROBE"], *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"the probe failed: {' '.join(map(str, arguments))}")
    return done.stdout


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8")


def read_tokens(numbers):
    at = 0
    while at < len(numbers):
        count = numbers[at]
        at += 1
        if count < 0:
            yield None
            continue
        yield numbers[at:at + count].tolist(), numbers[at + count:at + 2 * count].tolist()
        at += 2 * count


def tokens(model, requests):
    """(ids, types) of each (first, second or None, longest or 0); None where the text was refused. Texts: str or bytes."""
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = pathlib.Path(folder) / "requests", pathlib.Path(folder) / "answers"
        with open(asked, "wb") as file:
            for first, second, longest in requests:
                a, b = as_bytes(first), None if second is None else as_bytes(second)
                file.write(struct.pack("<iii", len(a), -1 if b is None else len(b), longest) + a + (b or b""))
        run("tokens", model, asked, answered)
        numbers = array.array("i")
        numbers.frombytes(answered.read_bytes())
    return list(read_tokens(numbers))
