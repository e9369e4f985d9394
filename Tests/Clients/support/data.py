"""Bytes that are the same on every run, and digests of them."""

import hashlib
import random

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30


def noise(size: int, seed: object = 0) -> bytes:
    """`size` bytes that do not compress, decided by `seed` alone."""
    return random.Random(f"{seed}/{size}").randbytes(size)


def text(size: int, seed: object = 0) -> bytes:
    """`size` bytes that compress well, decided by `seed` alone."""
    line = f"slice {seed}: 0000000000000000 the quick brown fox\n".encode()
    return (line * (size // len(line) + 1))[:size]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file_sha256(path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_noise(path, size: int, seed: object = 0) -> str:
    """Writes a file of noise in pieces, so that a large one needs little memory; gives its SHA-256."""
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        written = 0
        while written < size:
            piece = noise(min(8 * MIB, size - written), f"{seed}@{written}")
            digest.update(piece)
            file.write(piece)
            written += len(piece)
    return digest.hexdigest()
