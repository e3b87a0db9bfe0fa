"""Sample recordings: short playable WAV files, each with a melody of its own."""

import math
import random
import wave
from array import array
from pathlib import Path

SAMPLE_RATE = 8000
"""Telephony's, in Hz; 16 bits a sample, one channel: 16,000 bytes a second."""
NOTE_SECONDS = 0.25
_VOLUME = 9000
_PENTATONIC = (261.63, 293.66, 329.63, 392.00, 440.00, 523.25)


def make_samples(folder: Path, count: int) -> list[Path]:
    """`count` recordings in the folder, from 5 to 15 seconds long; those that stand are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_sample(folder, number) for number in range(1, count + 1)]


def _sample(folder: Path, number: int) -> Path:
    path = folder / f"20261123-14{number:02d}00_0163296{number:04d}.wav"
    if not path.exists():
        unfinished = path.with_suffix(".new")
        _write(unfinished, _melody(random.Random(number)))  # noqa: S311 - a tune, not a secret
        unfinished.rename(path)
    return path


def _melody(chance: random.Random) -> "array[int]":
    sound = array("h")
    for _ in range(chance.randint(20, 60)):
        sound.extend(_note(chance.choice(_PENTATONIC)))
    return sound


def _note(hertz: float) -> "array[int]":
    length = round(NOTE_SECONDS * SAMPLE_RATE)
    step = 2 * math.pi * hertz / SAMPLE_RATE
    return array(
        "h", (round(_VOLUME * (1 - at / length) * math.sin(step * at)) for at in range(length))
    )


def _write(path: Path, sound: "array[int]") -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(sound.tobytes())
